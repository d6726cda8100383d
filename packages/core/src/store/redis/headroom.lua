-- Headroom, as meters/headroom.ts, which says what it is for.
--
-- Its rule is `perMs`. A row is `used, at, own, shut until, rate`.

-- Where there is none to be named: of what was charged nothing, or in data that was lost.
local NO_PLACE = -1

-- What nothing comes back of is over once nothing has happened for so many milliseconds.
local STANDS = 86400000

-- From when on something comes back.
local function sinceOf(row, at)
  return max(row[at + 1], row[at + 3])
end

-- What is left at `now` of a level of the row's time.
local function after(level, row, at, perMs, now)
  local elapsed = now - sinceOf(row, at)
  if perMs == 0 then return elapsed < STANDS and level or 0 end
  return elapsed > 0 and max(0, level - perMs * elapsed) or level
end

-- Brings the row to `now`, unless it is there or later.
local function flow(row, at, perMs, now)
  if now <= row[at + 1] then return end
  row[at], row[at + 2] = after(row[at], row, at, perMs, now), after(row[at + 2], row, at, perMs, now)
  row[at + 1] = now
end

local function rateOf(row, at, perMs)
  return row[at + 4] ~= 0 and row[at + 4] or perMs
end

-- The level at `now`; not a number, which is at most nothing, while nothing may pass.
function headroom.used(row, at, perMs, _, now)
  return now < row[at + 3] and 0 / 0 or after(row[at], row, at, max(perMs, row[at + 4]), now)
end

-- Adds a cost. Returns its place, the level before, and when the row will mean the same as none.
function headroom.book(row, at, perMs, _, cost, now)
  local before = headroom.used(row, at, perMs, _, now)
  flow(row, at, max(perMs, row[at + 4]), now)
  row[at] = row[at] + cost
  row[at + 2] = row[at + 2] + cost
  row[at + 4] = perMs
  return row[at + 2], before, headroom.ends(row, at)
end

-- Puts `actual` in place of `cost`. Returns the place and what is booked.
function headroom.settle(row, at, perMs, _, place, cost, actual, now)
  flow(row, at, rateOf(row, at, perMs), now)
  if actual < cost then
    if place == NO_PLACE then return place, cost end
    local refund, left = giveBack(cost, actual, row[at])
    row[at] = row[at] - refund
    return place, left
  end
  row[at] = row[at] + (actual - cost)
  row[at + 2] = row[at + 2] + (actual - cost)
  row[at + 4] = rateOf(row, at, perMs)
  return place, actual
end

-- Takes in what was said with the answer to what was charged `cost`, each -1 where it was not. True where that has left more room.
function headroom.observe(row, at, perMs, place, cost, counted, limit, shutMs, now)
  flow(row, at, rateOf(row, at, perMs), now)
  if perMs < math.huge then row[at + 4] = perMs end
  local before, wasShut = row[at], now < row[at + 3]
  if counted >= 0 then
    local since = place == NO_PLACE and 0 or max(0, row[at + 2] - place)
    local told, most = min(limit, counted + since), place == NO_PLACE and 0 or cost
    row[at] = told < before and before - min(before - told, most) / 2 or told
  end
  if shutMs >= 0 then row[at + 3] = shutMs == 0 and 0 or max(row[at + 3], now + shutMs) end
  return row[at] < before or wasShut and now >= row[at + 3]
end

-- When the row will mean the same as none.
function headroom.ends(row, at)
  local lasts = row[at + 4] == 0 and STANDS or row[at] / row[at + 4]
  return max(row[at] > 0 and sinceOf(row, at) + lasts or 0, row[at + 3])
end
