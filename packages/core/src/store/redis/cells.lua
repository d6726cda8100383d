-- The records that a batch is about, as KEYS and ARGV 1 of batch.lua say. Ends here where the batch has been done already,
-- or others before it were lost.
local MARKER_MS = '3600000'
local EPOCH_MS = '2592000000'

local RULES = { window, bucket, calendar, slots, headroom }

local values = redis.call('MGET', unpack(KEYS))

local number, known, epoch, now, runFrom, runTo, layoutCount, costsAt = unpackNumbers('<ddddddd', ARGV[1])
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

-- Each with its records: those behind `before`, `count` of them.
local layouts = {}
do
  local at, first, count, columns = costsAt, 0
  for l = 1, layoutCount do
    local layout = newLayout()
    layout.before = first
    layout.count, columns, at = unpackNumbers('<dd', ARGV[1], at)
    for _ = 1, columns do
      local column, meter, width, kind = {}
      meter, width, kind, column.first, column.second, column.limit, at = unpackNumbers('<dddddd', ARGV[1], at)
      column.rule = RULES[kind]
      addColumn(layout, column, meter, width)
    end
    layOut(layout)
    layouts[l] = layout
    first = first + layout.count
  end
  costsAt = at
end

local reply, length
-- By number. What was booked is to be written; what is later or not as it is to be, as a whole.
local records, isBooked, isLater

-- What the batch begins from.
local function begin()
  reply, length = { now, epoch, 0 }, 3
  records, isBooked, isLater = {}, {}, {}
  for l = 1, layoutCount do
    local layout = layouts[l]
    local size, directory, fits = layout.size, layout.directory, layout.fits
    local tail, format = layout.numbers + layout.sections + 1, layout.rows .. layout.rest
    local records, isLater, values, before, unpackNumbers = records, isLater, values, before, unpackNumbers
    for r = layout.before + 1, layout.before + layout.count do
      local value, record = values[before + r]
      if fits and value and #value == size then record = { unpackNumbers(format, value) } end
      if record and record[tail] == directory then
        records[r] = record
      else
        records[r], isLater[r] = rearranged(value, layout, now), true
      end
    end
  end
end

-- Writes what was booked, and what came of the batch, and returns that.
local function commit()
  local KEYS, call, packNumbers, unpack = KEYS, redis.call, packNumbers, unpack
  local records, isBooked, isLater, before, ttls = records, isBooked, isLater, before, {}
  for l = 1, layoutCount do
    local layout = layouts[l]
    local rows, numbers = layout.rows, layout.numbers
    for r = layout.before + 1, layout.before + layout.count do
      if isLater[r] and isBooked[r] then
        local value, minute = packRecord(records[r], layout)
        ttls[minute] = ttls[minute] or string.format('%d', max(1, minute * MINUTE - now))
        call('SET', KEYS[before + r], value, 'PX', ttls[minute])
      elseif isBooked[r] then
        call('SETRANGE', KEYS[before + r], '0', packNumbers(rows, unpack(records[r], 1, numbers)))
      end
    end
  end
  local packed = packAll(reply, length)
  if not values[2] or number % 256 == 0 then
    redis.call('SET', KEYS[2], packNumbers('<d', epoch), 'PX', EPOCH_MS)
  end
  redis.call('SET', KEYS[1], packNumbers('<d', number) .. packed, 'PX', MARKER_MS)
  return packed
end
