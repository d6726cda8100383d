-- The token bucket that can give back, as meters/bucket.ts, which says why it is sound.
--
-- Its rule is `perMs`. A row is `used, held, held before, at, rate`.
local bucket = {}

local GENERATION_MS = 15 * 60000
local RELEASED = -1

-- The row as it is at `now`: used, held, held before, at, and the generation that holds.
local function advanced(row, at, perMs, now)
  local used, held, heldBefore, last, rate = row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4]
  local generation = (last - last % GENERATION_MS) / GENERATION_MS
  if now <= last then return used, held, heldBefore, last, generation end
  local present = (now - now % GENERATION_MS) / GENERATION_MS
  if present > generation then
    held, heldBefore = 0, present == generation + 1 and held or 0
  end
  used = used - (perMs > rate and perMs or rate) * (now - last)
  local least = held + heldBefore
  return used > least and used or least, held, heldBefore, now, present
end

-- What is missing from a full bucket at `now`.
function bucket.used(row, at, perMs, _, now)
  local used, held, heldBefore = advanced(row, at, perMs, now)
  return max(used, held + heldBefore)
end

-- Adds a cost, held until it is settled. Returns its generation, what was used before, and when the row will mean the same
-- as none: what is held is kept until its generations are over.
function bucket.book(row, at, perMs, _, cost, now)
  local before, held, heldBefore, time, place = advanced(row, at, perMs, now)
  local used, whole = before + cost, held + heldBefore
  row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4] = used, held + cost, heldBefore, time, perMs
  return place, whole > before and whole or before, (place + 2) * GENERATION_MS + used / perMs
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked, and true where some of that was held no longer,
-- but not all.
function bucket.settle(row, at, perMs, _, place, cost, actual, now, goesOn)
  if row[at + 4] == 0 then row[at + 4] = perMs end
  local generation
  row[at], row[at + 1], row[at + 2], row[at + 3], generation = advanced(row, at, 0, now)
  local age = generation - place
  local refund = actual < cost and cost - actual or 0
  local released, isPart = 0, false
  if place ~= RELEASED and age <= 1 then
    local held, due = row[at + 1 + age], goesOn and refund or cost
    released = held < due and held or due
    row[at + 1 + age] = held - released
    isPart = released < due and released > 0
  end
  local booked = actual
  if refund > 0 then
    local given
    given, booked = giveBack(cost, actual, released)
    row[at] = row[at] - given
  else
    row[at] = row[at] + (actual - cost)
  end
  return goesOn and place or RELEASED, booked, isPart
end

-- When the row will mean the same as none, at the latest: what is held is kept until its generations are over.
function bucket.ends(row, at, perMs)
  local from = row[at + 3]
  if row[at + 1] > 0 or row[at + 2] > 0 then from = (from - from % GENERATION_MS) + 2 * GENERATION_MS end
  return from + row[at] / max(perMs, row[at + 4])
end
