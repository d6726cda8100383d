-- Slots with leases, as meters/slots.ts.
--
-- Its rule is `leaseMs`. A row is `generation, current, previous`.
local slots = {}

-- Brings the row to the generation of `now`, unless it is there or later, and returns the row's.
local function turn(row, leaseMs, now)
  local present = floor(now / leaseMs)
  local age = present - row[1]
  if age > 0 then
    row[3] = age == 1 and row[2] or 0
    row[1], row[2] = present, 0
  end
  return row[1]
end

-- Slots in use at `now`.
function slots.used(row, leaseMs, _, now)
  local age = floor(now / leaseMs) - row[1]
  if age <= 0 then return row[2] + row[3] end
  return age == 1 and row[2] or 0
end

-- Adds slots and returns their generation.
function slots.book(row, leaseMs, _, cost, now)
  local place = turn(row, leaseMs, now)
  row[2] = row[2] + cost
  return place
end

-- Puts `actual` in place of `cost`. Returns the place for a further correction.
function slots.settle(row, leaseMs, _, place, cost, actual, now)
  local present = turn(row, leaseMs, now)
  local age = present - place
  if age < 0 or age > 1 then return place end
  local booked = 2 + age
  if actual <= cost then
    row[booked] = max(0, row[booked] - (cost - actual))
    return place
  end
  row[booked] = max(0, row[booked] - cost)
  row[2] = row[2] + actual
  return present
end

-- When the row will mean the same as none.
function slots.ends(row, leaseMs)
  return (row[1] + 2) * leaseMs
end
