-- The takes of a batch that have no choice, all at once: where there is room for what all of them charge, each of them fits.
-- Most batches are no more than that, and end here.

-- Goes by columns, each from record to record. Returns the length of the reply; or false where there is no room, and then the
-- batch has to begin anew.
local function takeAll()
  local records, isBooked, isLater, reply, length, at = records, isBooked, isLater, reply, length, costsAt
  local now = now
  for l = 1, layoutCount do
    local layout = layouts[l]
    local first, count, columns = layout.before, layout.count, layout.columns
    for c = 1, #columns do
      local column = columns[c]
      local row, a, b, limit, minute = column.at, column.first, column.second, column.limit, column.minute
      local book, isBudget = column.rule.book, column.rule == calendar
      local costs = { unpackNumbers(doubles(count), ARGV[1], at) }
      at = costs[count + 1]
      for i = 1, count do
        local cost = costs[i]
        if cost >= 0 then
          local r = first + i
          local record = records[r]
          local place, used, ends = book(record, row, a, b, cost, now)
          if not (used <= limit - cost) then return false end
          length = length + 1
          reply[length] = place
          if isBudget then
            length = length + 1
            reply[length] = used + cost
          end
          isBooked[r] = true
          if ends > (record[minute] - 1) * MINUTE then record[minute], isLater[r] = minuteAfter(ends, now, record[minute]), true end
        end
      end
    end
  end
  return length
end

-- Where it begins with takes that can be done at once and has nothing else.
local isRun = runTo > runFrom
if isRun and runFrom == 1 and runTo > #ARGV[2] then
  begin()
  length = takeAll()
  if length then
    reply[3] = 1
    return commit()
  end
  isRun = false
end
