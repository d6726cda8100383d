-- The strict sliding window, as meters/window.ts, which says why it is one. Its rows are long ones.
--
-- Its rule is `parts, partMs`. A row is `newest, cost 0 … cost parts`: sub-bucket b stands at b mod (parts + 1).
local window = {}

-- Cost that counts at `now`, summed from the newest sub-bucket back, and on from the ring's end.
function window.used(row, at, parts, partMs, now)
  local newest = row[at]
  local left = newest - (now - now % partMs) / partMs + parts + 1
  if left > parts + 1 then left = parts + 1 end
  local first = at + 1 + newest % (parts + 1)
  local last = first - left + 1
  local total = 0
  for i = first, last > at and last or at + 1, -1 do total = total + row[i] end
  for i = at + parts + 1, last + parts + 1, -1 do total = total + row[i] end
  return total
end

-- Adds a cost. Returns its sub-bucket, what was used before, and when the row will mean the same as none.
function window.book(row, at, parts, partMs, cost, now)
  local before = window.used(row, at, parts, partMs, now)
  local newest = row[at]
  local current = (now - now % partMs) / partMs
  if current > newest then
    for b = max(newest + 1, current - parts), current do row[at + 1 + b % (parts + 1)] = 0 end
    row[at], newest = current, current
  end
  local i = at + 1 + newest % (parts + 1)
  row[i] = row[i] + cost
  return newest, before, (newest + parts + 1) * partMs
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked.
function window.settle(row, at, parts, partMs, place, cost, actual, now)
  if actual < cost then
    local oldest = max(floor(now / partMs) - parts, row[at] - parts)
    if place < oldest or place > row[at] then return place, cost end
    local i = at + 1 + place % (parts + 1)
    local refund, left = giveBack(cost, actual, row[i])
    row[i] = row[i] - refund
    return place, left
  end
  if actual > cost then window.book(row, at, parts, partMs, actual - cost, now) end
  return place, actual
end

-- When the row will mean the same as none.
function window.ends(row, at, parts, partMs)
  return (row[at] + parts + 1) * partMs
end
