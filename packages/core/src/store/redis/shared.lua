-- Says that a gate is there, in a process; asks how many are, and what was told since it asked last.
--
-- KEYS  1: the gates of the name that listen, by when each was heard of last. 2: the stream of what they are told.
-- ARGV  1: the one that asks. 2: the stream's id that it has read up to. 3: milliseconds until it is forgotten, if it is
--          not heard of again.
-- Reply how many there are, the present time, and the stream's entries behind that id.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ttl)
redis.call('PEXPIRE', KEYS[1], ttl)
return { redis.call('ZCARD', KEYS[1]), now, redis.call('XRANGE', KEYS[2], '(' .. ARGV[2], '+', 'COUNT', 1000) }
