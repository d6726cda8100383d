-- The budget of a calendar period, as meters/calendar.ts.
--
-- Its rule is `period, lastsMs`: the present period, and milliseconds until the one after it is over. A row is
-- `period, spent, previous`.
local calendar = {}

-- Brings the row to a period, unless it is there or later.
local function reach(row, period)
  local age = period - row[1]
  if age <= 0 then return end
  row[3] = age == 1 and row[2] or 0
  row[1], row[2] = period, 0
end

-- What is spent in the rule's period, or in the row's where that is later.
function calendar.used(row, period)
  return row[1] >= period and row[2] or 0
end

-- Adds a cost and returns its period.
function calendar.book(row, period, _, cost)
  reach(row, period)
  row[2] = row[2] + cost
  return row[1]
end

-- Puts `actual` in place of `cost`. Returns the place for a further correction.
function calendar.settle(row, period, _, place, cost, actual)
  reach(row, max(period, place))
  local age = row[1] - place
  if age <= 1 then
    row[2 + age] = max(0, row[2 + age] + actual - cost)
    return place
  end
  row[2] = row[2] + max(0, actual - cost)
  return cost == 0 and row[1] or place
end

-- When the row will mean the same as none.
function calendar.ends(_, _, lastsMs, now)
  return now + lastsMs
end
