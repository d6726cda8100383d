-- Tells the gates of a name, once, however often it is sent.
--
-- KEYS  1: the stream of what they are told. 2: a mark that this has been told, of a name that nothing else has.
-- ARGV  1: what. 2: milliseconds for which it is told to those that begin to listen later, too.
-- Reply nothing.
local MARK_MS = 600000
-- Who can't ask for as long as this may miss something.
local LEAST_MS = 3600000
local MOST_KEPT = 10000
if not redis.call('SET', KEYS[2], '', 'NX', 'PX', MARK_MS) then return end
local time = redis.call('TIME')
local holds = math.ceil(tonumber(ARGV[2]))
local ttl = math.max(LEAST_MS, holds)
local ends = time[1] * 1000 + math.floor(time[2] / 1000) + holds
redis.call('XADD', KEYS[1], 'MAXLEN', '~', MOST_KEPT, '*', 'ends', string.format('%.0f', ends), 'told', ARGV[1])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl)) end
