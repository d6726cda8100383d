-- What of a batch is plain, all at once, column by column. Takes that have no choice all fit where there is room for what all
-- of them charge. Settlings of one record and place are each booked for what they say where all of it still stands there, or
-- none of it does and nothing is given back. Most batches are no more than that, and end here.
--
-- Both return false where one has to be done after the other. Then the batch has to begin anew.

local TOO_BRIEF = '-'

local function settleAll()
  if settledIn ~= -1 and settledIn ~= epoch then return false end
  local head, records, isBooked, reply, calendar = head, records, isBooked, reply, calendar
  local now, first, at, last = now, before, COLUMNS, length
  for l = 1, layouts do
    local layout = LAYOUT + LAYOUT_NUMBERS * (l - 1)
    local count = head[layout]
    for _ = 1, head[layout + 1] do
      local rule, row, minute, a, b = RULES[head[at]], head[at + 1], head[at + 3], head[at + 4], head[at + 5]
      local sums, takes = head[at + 7], head[at + 8]
      local settle, usedBy = rule.settle, rule == calendar and rule.used
      at = at + COLUMN_NUMBERS
      for _ = 1, sums do
        local r, place, cost, actual = first + head[at], head[at + 1], head[at + 2], head[at + 3]
        at = at + SUM_NUMBERS
        local record = records[r]
        local used = usedBy and usedBy(record, row, a)
        local booked, isPart = cost, false
        -- What has been forgotten has nothing to give back.
        if record[minute] > 0 or actual > cost then
          place, booked, isPart = settle(record, row, a, b, place, cost, actual, now, false)
          isBooked[r] = true
          if actual > cost then note(r, record, minute, rule.ends(record, row, a, b, now)) end
        end
        if isPart or booked ~= actual and booked ~= cost then return false end
        last = last + 1
        reply[last] = booked
        if usedBy then
          reply[last + 1], reply[last + 2] = used, usedBy(record, row, a)
          last = last + 2
        end
      end
      if takes > 0 then at = at + count end
    end
    first = first + count
  end
  length = last
  return true
end

local function takeAll()
  local head, records, isBooked, reply, calendar = head, records, isBooked, reply, calendar
  local now, first, at, last = now, before, COLUMNS, length
  for l = 1, layouts do
    local layout = LAYOUT + LAYOUT_NUMBERS * (l - 1)
    local count = head[layout]
    for _ = 1, head[layout + 1] do
      local rule, row, minute, a, b = RULES[head[at]], head[at + 1], head[at + 3], head[at + 4], head[at + 5]
      local limit, takes = head[at + 6], head[at + 8]
      at = at + COLUMN_NUMBERS + SUM_NUMBERS * head[at + 7]
      if takes > 0 then
        local book, isBudget = rule.book, rule == calendar
        last = last + 1
        local placeAt, common = last, false
        for i = 0, count - 1 do
          local cost = head[at + i]
          if cost >= 0 then
            local r = first + i + 1
            local record = records[r]
            local place, used, ends = book(record, row, a, b, cost, now)
            if not (used <= limit - cost) or common and place ~= common then return false end
            common = place
            if isBudget then
              last = last + 1
              reply[last] = used + cost
            end
            isBooked[r] = true
            if ends > (record[minute] - 1) * MINUTE then note(r, record, minute, ends) end
          end
        end
        reply[placeAt] = common
        at = at + count
      end
    end
    first = first + count
  end
  length = last
  return true
end

-- Whether they are done at once; false where there are none, or that has failed.
local areSettled, areTaken = settledTo > 1, takenTo > takenFrom

-- Returns false where the batch has to begin anew.
local function settlesAtOnce()
  if areSettled then areSettled = settleAll() else return true end
  if areSettled then reply[3] = 1 end
  return areSettled
end

local function takesAtOnce()
  if areTaken then areTaken = takeAll() else return true end
  if areTaken then reply[3] = reply[3] + 2 end
  return areTaken
end

if settledTo == takenFrom and takenTo == ends then
  begin()
  if settlesAtOnce() and takesAtOnce() then return commit() end
  -- Kept, lest a copy of it, come before it is sent in full, find room and be done besides.
  if not ARGV[2] then return keep(TOO_BRIEF) end
end
