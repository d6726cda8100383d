-- Who waits, in all instances: for each meter at a key a sorted set of instances, by the score of the first that waits there;
-- and `waiting`, of instances by the time from which they are dead, if they are not heard of again, by Redis's clock. Where
-- an instance is to look whether there is room, and since when, stands in a set of its own, whose name goes on from that of
-- `waiting`: it takes from it by a blocking call. That key depends on who waits, so it can't be given to a script. Of where
-- it is to look it has what follows the head of all keys: clients may have put a prefix before that.
local WAITERS_MS = 10000
-- An instance that has been told of room for longer, and has not taken notice, holds up nobody.
local PATIENCE_MS = 200

-- `waiting` has the same head.
local function withoutHead(waiting, waiters) return sub(waiters, #waiting - #'/waiting' + 1) end

local function isDead(waiting, instance, now)
  local ends = redis.call('ZSCORE', waiting, instance)
  return not ends or tonumber(ends) <= now
end

local function takesNotice(waiting, instance, waiters, now)
  local since = redis.call('ZSCORE', waiting .. '/' .. instance, withoutHead(waiting, waiters))
  return not since or tonumber(since) > now - PATIENCE_MS
end

-- The first of the instances but for `self` that is there, and its score; nil where nobody waits in others. Those that are
-- dead are forgotten: as long as others wait there, nothing else would forget them. One that lives after all says so again.
local function firstElsewhere(waiters, waiting, self, now)
  local from = 0
  repeat
    local heads = redis.call('ZRANGE', waiters, from, from + 3, 'WITHSCORES')
    for i = 1, #heads, 2 do
      local instance = heads[i]
      if instance ~= self and isDead(waiting, instance, now) then
        redis.call('ZREM', waiters, instance)
      else
        if instance ~= self and takesNotice(waiting, instance, waiters, now) then return instance, tonumber(heads[i + 1]) end
        from = from + 1
      end
    end
  until #heads == 0
end

-- Of equal scores one goes first, whoever asks.
local function goesBefore(instance, score, other, otherScore)
  return score < otherScore or score == otherScore and instance < other
end

-- Has an instance look at what waits there.
local function wake(waiting, instance, waiters, now)
  local woken = waiting .. '/' .. instance
  redis.call('ZADD', woken, 'NX', now, withoutHead(waiting, waiters))
  redis.call('PEXPIRE', woken, WAITERS_MS)
end
