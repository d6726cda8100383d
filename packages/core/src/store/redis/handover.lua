-- An admission that is kept for whoever settles it.
--
-- KEYS  1: what is kept, or by whom it was claimed.
-- ARGV  1: what is asked, and 2: for whom or what. 3: milliseconds, or nothing
--          keep   what; for how long
--          claim  by whom; for how long where nothing is kept, should it be claimed then
-- Reply 1: done. 0: claimed by another. nil: nothing is kept
local CLAIMED = '!'
local kept = redis.call('GET', KEYS[1])
local claim = CLAIMED .. ARGV[2]

if kept and string.sub(kept, 1, 1) == CLAIMED then return kept == claim and 1 or 0 end
if ARGV[1] == 'keep' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
elseif kept then
  redis.call('SET', KEYS[1], claim, 'KEEPTTL')
elseif ARGV[3] ~= '' then
  redis.call('SET', KEYS[1], claim, 'PX', ARGV[3])
else
  return false
end
return 1
