-- The strict sliding window, as meters/window.ts, which says why it is one.
--
-- Its rule is `parts, partMs`. A row is `newest, cost 0 … cost parts`: sub-bucket b stands at row[2 + b mod (parts + 1)].
local window = {}

-- Cost that counts at `now`.
function window.used(row, parts, partMs, now)
  local newest, cells = row[1], parts + 1
  local oldest = floor(now / partMs) - parts
  local total = 0
  if oldest <= newest - parts then
    for i = 2, cells + 1 do total = total + row[i] end
  else
    for b = oldest, newest do total = total + row[2 + b % cells] end
  end
  return total
end

-- Adds a cost and returns its sub-bucket.
function window.book(row, parts, partMs, cost, now)
  local newest, cells = row[1], parts + 1
  local current = floor(now / partMs)
  if current > newest then
    for b = max(newest + 1, current - parts), current do row[2 + b % cells] = 0 end
    row[1], newest = current, current
  end
  local at = 2 + newest % cells
  row[at] = row[at] + cost
  return newest
end

-- Puts `actual` in place of `cost`. Returns the place for a further correction.
function window.settle(row, parts, partMs, place, cost, actual, now)
  if actual > cost then
    window.book(row, parts, partMs, actual - cost, now)
  elseif actual < cost and place <= row[1] and place >= row[1] - parts then
    local at = 2 + place % (parts + 1)
    row[at] = max(0, row[at] - (cost - actual))
  end
  return place
end

-- When the row will mean the same as none.
function window.ends(row, parts, partMs)
  return (row[1] + parts + 1) * partMs
end
