-- Whose turn it is at the meters of a batch, by who waits for them in other instances: the last two of ARGV of batch.lua.
local self, waitersText = ARGV[4], ARGV[5]
local waiting, clock = KEYS[#KEYS], self and milliseconds()

-- By cell; and whom to wake, by where it waits.
local waitersOf, wakes = {}, {}
local pairsOf = waitersText and numbersOf(waitersText) or {}
for i = 1, #pairsOf, 2 do waitersOf[pairsOf[i]] = KEYS[pairsOf[i + 1]] end

-- What is asked.
local body = numbersOf(ARGV[2])

-- The number of a charge at which somebody elsewhere goes first, who is told to look; nil where there is none.
local function stopAt(from, last, score)
  for i = from, last, 3 do
    local waiters = waitersOf[body[i]]
    if waiters and body[i + 1] > 0 then
      local first, firstScore = firstElsewhere(waiters, waiting, self, clock)
      if first and goesBefore(first, firstScore, self, score) then
        wakes[waiters] = first
        return (i - from) / 3 + 1
      end
    end
  end
end

-- Room has come: who waits for it elsewhere and goes first is told to look. The sender itself knows.
local function noteRoom(waiters)
  local first, firstScore = firstElsewhere(waiters, waiting, self, clock)
  local own = tonumber(redis.call('ZSCORE', waiters, self))
  if first and not (own and goesBefore(self, own, first, firstScore)) then wakes[waiters] = first end
end

local function wakeAll()
  for waiters, instance in pairs(wakes) do wake(waiting, instance, waiters, clock) end
end
