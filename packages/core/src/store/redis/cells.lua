-- The rows that a batch is about, as KEYS and ARGV 1 of batch.lua say: a cell for each, by its number. Ends here where the
-- batch has been done already, or others before it were lost.
local RULES = { window, bucket, calendar, slots, headroom }

local values = redis.call('MGET', unpack(KEYS))

local number, known, epoch, now, layoutCount, grants, at = unpackNumbers('<dddddd', ARGV[1])
local last = values[1] and unpackNumbers('<d', values[1]) or 0
if last > number then return false end
if last == number then return #values[1] > 8 and sub(values[1], 9) end
-- How many keys are before those of records.
local before = 2
if known > 0 then
  before = 3
  local answered = values[3] and unpackNumbers('<d', values[3]) or 0
  if answered < known then return packNumbers('<d', answered) end
end
if values[2] then epoch = unpackNumbers('<d', values[2]) end
if now == -1 then now = milliseconds() end

local layouts = {}
for l = 1, layoutCount do
  local layout = { columns = {}, numbers = 0, format = '<', size = 0 }
  local columns
  columns, at = unpackNumbers('<d', ARGV[1], at)
  for _ = 1, columns do
    local meter, width, kind, first, second
    meter, width, kind, first, second, at = unpackNumbers('<ddddd', ARGV[1], at)
    addColumn(layout, { meter = meter, width = width, rule = RULES[kind], first = first, second = second })
  end
  layouts[l] = layout
end

local records, formats = {}, {}
-- By cell; the number of its record, too.
local recordOf, columnOf, numberOf = {}, {}, {}
local cells = 0
-- Some rows have several cells.
local hasTwins = false
for _ = 1, grants do
  local r, l
  r, l, at = unpackNumbers('<dd', ARGV[1], at)
  local isNew = not records[r]
  if isNew then records[r], formats[r] = readRecord(values[before + r], layouts[l], now) end
  local columns = layouts[l].columns
  for c = 1, #columns do
    local column = columns[c]
    if not isNew then
      hasTwins = true
      column, formats[r] = widened(records[r], formats[r], column)
    end
    cells = cells + 1
    recordOf[cells], columnOf[cells], numberOf[cells] = records[r], column, r
  end
end
