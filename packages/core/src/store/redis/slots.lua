-- Slots with leases, as meters/slots.ts.
--
-- Its rule is `leaseMs`. A row is `generation, current, previous`.
local slots = {}

-- Brings the row to the generation of `now`, unless it is there or later, and returns the row's.
local function turn(row, at, leaseMs, now)
  local present = floor(now / leaseMs)
  local age = present - row[at]
  if age > 0 then
    row[at + 2] = age == 1 and row[at + 1] or 0
    row[at], row[at + 1] = present, 0
  end
  return row[at]
end

-- Slots in use at `now`.
function slots.used(row, at, leaseMs, _, now)
  local age = floor(now / leaseMs) - row[at]
  if age <= 0 then return row[at + 1] + row[at + 2] end
  return age == 1 and row[at + 1] or 0
end

-- Adds slots. Returns their generation, how many were in use before, and when the row will mean the same as none.
function slots.book(row, at, leaseMs, _, cost, now)
  local place = turn(row, at, leaseMs, now)
  local before = row[at + 1] + row[at + 2]
  row[at + 1] = row[at + 1] + cost
  return place, before, (place + 2) * leaseMs
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked.
function slots.settle(row, at, leaseMs, _, place, cost, actual, now)
  local present = turn(row, at, leaseMs, now)
  local age = present - place
  if age < 0 or age > 1 then return place, cost end
  local i = at + 1 + age
  if actual <= cost then
    local refund, left = giveBack(cost, actual, row[i])
    row[i] = row[i] - refund
    return place, left
  end
  row[i] = max(0, row[i] - cost)
  row[at + 1] = row[at + 1] + actual
  return present, actual
end

-- When the row will mean the same as none.
function slots.ends(row, at, leaseMs)
  return (row[at] + 2) * leaseMs
end
