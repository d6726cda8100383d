-- Tells other processes, once, however often it is sent.
--
-- KEYS  1: the stream of what is told. 2: a mark that this has been told, of a name that nothing else has.
-- ARGV  1: the process that tells. 2: what. 3: milliseconds for which it is told to those that begin later, too.
-- Reply nothing.
local MARK_MS = 600000
local LEAST_MS = 60000
local MOST_KEPT = 10000
if not redis.call('SET', KEYS[2], '', 'NX', 'PX', MARK_MS) then return end
local time = redis.call('TIME')
local ttl = math.max(LEAST_MS, math.ceil(tonumber(ARGV[3])))
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + math.ceil(tonumber(ARGV[3]))
redis.call('XADD', KEYS[1], 'MAXLEN', '~', MOST_KEPT, '*', 'from', ARGV[1], 'ends', string.format('%.0f', ends), 'told', ARGV[2])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl)) end
