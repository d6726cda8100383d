-- The token bucket that can give back, as meters/bucket.ts, which says why it is sound.
--
-- Its rule is `perMs`. A row is `used, held, held before, at, rate`.
local bucket = {}

local GENERATION_MS = 15 * 60000
local RELEASED = -1

local function generation(ms)
  return floor(ms / GENERATION_MS)
end

local function held(row, at, now)
  if row[at + 1] == 0 and row[at + 2] == 0 then return 0 end
  local ended = generation(now) - generation(row[at + 3])
  if ended <= 0 then return row[at + 1] + row[at + 2] end
  return ended == 1 and row[at + 1] or 0
end

-- Brings the row to `now`, and returns its generation.
local function advance(row, at, perMs, now)
  local last = row[at + 3]
  local before = generation(last)
  if now <= last then return before end
  local current = generation(now)
  if current > before then
    row[at + 2] = current == before + 1 and row[at + 1] or 0
    row[at + 1] = 0
  end
  row[at] = max(row[at] - max(perMs, row[at + 4]) * (now - last), row[at + 1] + row[at + 2])
  row[at + 3] = now
  return current
end

-- What is missing from a full bucket at `now`.
function bucket.used(row, at, perMs, _, now)
  return max(row[at] - max(perMs, row[at + 4]) * max(0, now - row[at + 3]), held(row, at, now))
end

-- Adds a cost, held until it is settled, and returns its generation.
function bucket.book(row, at, perMs, _, cost, now)
  local place = advance(row, at, perMs, now)
  row[at] = row[at] + cost
  row[at + 1] = row[at + 1] + cost
  row[at + 4] = perMs
  return place
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked.
function bucket.settle(row, at, perMs, _, place, cost, actual, now, goesOn)
  if row[at + 4] == 0 then row[at + 4] = perMs end
  local age = advance(row, at, 0, now) - place
  local refund = max(0, cost - actual)
  local released = 0
  if place ~= RELEASED and age <= 1 then
    released = min(goesOn and refund or cost, row[at + 1 + age])
    row[at + 1 + age] = row[at + 1 + age] - released
  end
  local booked = actual
  if refund > 0 then
    local given
    given, booked = giveBack(cost, actual, released)
    row[at] = row[at] - given
  else
    row[at] = row[at] + (actual - cost)
  end
  return goesOn and place or RELEASED, booked
end

-- When the row will mean the same as none, at the latest: what is held is kept until its generations are over.
function bucket.ends(row, at, perMs)
  local from = row[at + 3]
  if row[at + 1] > 0 or row[at + 2] > 0 then from = (generation(from) + 2) * GENERATION_MS end
  return from + row[at] / max(perMs, row[at + 4])
end
