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
  local used, least = before + cost, held + heldBefore
  row[at], row[at + 1], row[at + 2], row[at + 3], row[at + 4] = used, held + cost, heldBefore, time, perMs
  return place, least > before and least or before, (place + 2) * GENERATION_MS + used / perMs
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked, and true where some of that was held no longer,
-- but not all.
function bucket.settle(row, at, perMs, _, place, cost, actual, now, goesOn)
  local used, held, heldBefore, time, generation = advanced(row, at, 0, now)
  local age, refund = generation - place, actual < cost and cost - actual or 0
  local due, released = goesOn and refund or cost, 0
  if place ~= RELEASED and age <= 1 then
    local most = age == 1 and heldBefore or held
    released = most < due and most or due
    if age == 1 then heldBefore = heldBefore - released else held = held - released end
  end
  local more, booked = actual - cost, actual
  if refund > released then more, booked = -released, cost - released end
  row[at], row[at + 1], row[at + 2], row[at + 3] = used + more, held, heldBefore, time
  if row[at + 4] == 0 then row[at + 4] = perMs end
  return goesOn and place or RELEASED, booked, released > 0 and released < due
end

-- When the row will mean the same as none, at the latest: what is held is kept until its generations are over.
function bucket.ends(row, at, perMs)
  local from = row[at + 3]
  if row[at + 1] > 0 or row[at + 2] > 0 then from = (from - from % GENERATION_MS) + 2 * GENERATION_MS end
  return from + row[at] / max(perMs, row[at + 4])
end
