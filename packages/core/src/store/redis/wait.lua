-- Says what the first scores that wait in an instance, and that it is alive. Who goes first by that is told to look.
--
-- KEYS  1: `waiting`, as waiters.lua has it. 2 …: the waiters of meters at keys.
-- ARGV  1: the instance. 2: milliseconds until it is dead, if it is not heard of again. 3 …: for each of the waiters the
--          score of its first, or nothing where nobody waits there any more.
local waiting, self = KEYS[1], ARGV[1]
local now = milliseconds()

redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now)
redis.call('ZADD', waiting, now + ARGV[2], self)
redis.call('PEXPIRE', waiting, WAITERS_MS)
for i = 2, #KEYS do
  local waiters, score = KEYS[i], tonumber(ARGV[i + 1])
  local before = tonumber(redis.call('ZSCORE', waiters, self))
  if score then
    redis.call('ZADD', waiters, ARGV[i + 1], self)
    redis.call('PEXPIRE', waiters, WAITERS_MS)
  else
    redis.call('ZREM', waiters, self)
  end
  local first, firstScore = firstElsewhere(waiters, waiting, self, now)
  if first and not (score and goesBefore(self, score, first, firstScore)) then
    -- It had gone behind this one, and might have had room.
    if before and goesBefore(self, before, first, firstScore) then wake(waiting, first, waiters, now) end
  elseif score and not before then
    -- Room may have come before anybody was known to wait.
    wake(waiting, self, waiters, now)
  end
end
