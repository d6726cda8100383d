-- The token bucket that can give back, as meters/bucket.ts, which says why it is sound.
--
-- Its rule is `perMs`. A row is `used, held, held before, at, rate`.
local bucket = {}

local GENERATION_MS = 15 * 60000
local RELEASED = -1

local function generation(ms)
  return (ms - ms % GENERATION_MS) / GENERATION_MS
end

-- What is missing and what is held `elapsed` after the row's time, `ended` generations later.
local function left(row, at, perMs, elapsed, ended)
  local held = 0
  if ended <= 0 then held = row[at + 1] + row[at + 2] elseif ended == 1 then held = row[at + 1] end
  local rate = row[at + 4]
  if perMs > rate then rate = perMs end
  local amount = row[at] - rate * elapsed
  return amount > held and amount or held
end

-- Brings the row to `now`, and returns its generation.
local function advance(row, at, perMs, now)
  local last = row[at + 3]
  local before = (last - last % GENERATION_MS) / GENERATION_MS
  if now <= last then return before end
  local current = (now - now % GENERATION_MS) / GENERATION_MS
  row[at] = left(row, at, perMs, now - last, current - before)
  if current > before then
    row[at + 2] = current == before + 1 and row[at + 1] or 0
    row[at + 1] = 0
  end
  row[at + 3] = now
  return current
end

-- What is missing from a full bucket at `now`.
function bucket.used(row, at, perMs, _, now)
  local last = row[at + 3]
  if now <= last then return left(row, at, perMs, 0, 0) end
  return left(row, at, perMs, now - last, generation(now) - generation(last))
end

-- Adds a cost, held until it is settled. Returns its generation, what was used before, and when the row will mean the same
-- as none: what is held is kept until its generations are over.
function bucket.book(row, at, perMs, _, cost, now)
  local place = advance(row, at, perMs, now)
  local before, held = row[at], row[at + 1]
  local used, whole = before + cost, held + row[at + 2]
  if whole > before then before = whole end
  row[at], row[at + 1], row[at + 4] = used, held + cost, perMs
  return place, before, (place + 2) * GENERATION_MS + used / perMs
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
