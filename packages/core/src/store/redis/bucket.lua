-- The token bucket that can give back, as meters/bucket.ts, which says why it is sound.
--
-- Its rule is `perMs`. A row is `used, held, held before, at, rate`.
local bucket = {}

local GENERATION_MS = 15 * 60000
local RELEASED = -1

local function generation(ms)
  return floor(ms / GENERATION_MS)
end

local function held(row, now)
  if row[2] == 0 and row[3] == 0 then return 0 end
  local ended = generation(now) - generation(row[4])
  if ended <= 0 then return row[2] + row[3] end
  return ended == 1 and row[2] or 0
end

-- Brings the row to `now`, and returns its generation.
local function advance(row, perMs, now)
  local last = row[4]
  local before = generation(last)
  if now <= last then return before end
  local current = generation(now)
  if current > before then
    row[3] = current == before + 1 and row[2] or 0
    row[2] = 0
  end
  row[1] = max(row[1] - max(perMs, row[5]) * (now - last), row[2] + row[3])
  row[4] = now
  return current
end

-- What is missing from a full bucket at `now`.
function bucket.used(row, perMs, _, now)
  return max(row[1] - max(perMs, row[5]) * max(0, now - row[4]), held(row, now))
end

-- Adds a cost, held until it is settled, and returns its generation.
function bucket.book(row, perMs, _, cost, now)
  local place = advance(row, perMs, now)
  row[1] = row[1] + cost
  row[2] = row[2] + cost
  row[5] = perMs
  return place
end

-- Puts `actual` in place of `cost`. Returns the place for a further correction.
function bucket.settle(row, perMs, _, place, cost, actual, now, goesOn)
  if row[5] == 0 then row[5] = perMs end
  local age = advance(row, 0, now) - place
  local refund = max(0, cost - actual)
  local released = 0
  if place ~= RELEASED and age <= 1 then
    released = min(goesOn and refund or cost, row[2 + age])
    row[2 + age] = row[2 + age] - released
  end
  row[1] = row[1] + (max(0, actual - cost) - min(refund, released))
  return goesOn and place or RELEASED
end

-- When the row will mean the same as none, at the latest: what is held is kept until its generations are over.
function bucket.ends(row, perMs)
  local from = row[4]
  if row[2] > 0 or row[3] > 0 then from = (generation(row[4]) + 2) * GENERATION_MS end
  return from + row[1] / max(perMs, row[5])
end
