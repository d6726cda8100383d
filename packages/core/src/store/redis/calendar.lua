-- The budget of a calendar period, as meters/calendar.ts.
--
-- Its rule is `period, lastsMs`: the present period, and milliseconds until the one after it is over. A row is
-- `period, spent, previous`.
local calendar = {}

-- Brings the row to a period, unless it is there or later.
local function reach(row, at, period)
  local age = period - row[at]
  if age <= 0 then return end
  row[at + 2] = age == 1 and row[at + 1] or 0
  row[at], row[at + 1] = period, 0
end

-- What is spent in the rule's period, or in the row's where that is later.
function calendar.used(row, at, period)
  return row[at] >= period and row[at + 1] or 0
end

-- Adds a cost. Returns its period, what was spent before, and when the row will mean the same as none.
function calendar.book(row, at, period, lastsMs, cost, now)
  local place = row[at]
  if place < period then
    reach(row, at, period)
    place = period
  end
  local before = row[at + 1]
  row[at + 1] = before + cost
  return place, before, now + lastsMs
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked.
function calendar.settle(row, at, period, _, place, cost, actual)
  if row[at] < period or row[at] < place then reach(row, at, period > place and period or place) end
  local age = row[at] - place
  local i = at + 1 + age
  if actual < cost then
    if age > 1 then return place, cost end
    local spent, refund = row[i], cost - actual
    if refund > spent then refund, actual = spent, cost - spent end
    row[i] = spent - refund
    return place, actual
  end
  if age > 1 then i = at + 1 end
  row[i] = row[i] + (actual - cost)
  return age > 1 and cost == 0 and row[at] or place, actual
end

-- When the row will mean the same as none.
function calendar.ends(_, _, _, lastsMs, now)
  return now + lastsMs
end
