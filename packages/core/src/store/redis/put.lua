-- Puts a record by compare and set. Sent again after it was done, it finds its own text and says so.
--
-- KEYS  1: the record. 2: the names of its collection, by when each ends.
-- ARGV  1: its name. 2: its text. 3: milliseconds until it ends. 4: what it replaces; left out where there is nothing.
-- Reply 1 where it stands there now; 0 where something else does.
local is = redis.call('GET', KEYS[1])
if is ~= ARGV[2] and is ~= (ARGV[4] or false) then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', last[2]))
return 1
