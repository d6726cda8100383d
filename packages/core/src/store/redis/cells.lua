-- The records that a batch is about, as KEYS and ARGV of batch.lua say. Ends here where the batch has been done already, or
-- others before it were lost.

-- What came of a batch is kept for so long at least: its number, when that is over, and the reply behind how long it is.
local MARKER_MS = 3600000
local MARKER = '<ddd'
local MARKER_BYTES = 24
local EPOCH_MS = '2592000000'

-- What comes first in a reply where others before it were lost.
local LOST = -1

-- That of headroom is filled in by headroom.lua: what is done at once has none.
local headroom = {}
local RULES = { window, bucket, calendar, slots, headroom }

local KEYS, ARGV = KEYS, ARGV
local head = numbersOf(ARGV[1])
local number, epoch, now, layouts, settledIn = head[1], head[3], head[4], head[5], head[6]
local settledTo, takenFrom, takenTo, ends = head[7], head[8], head[9], head[10]
-- Where in it the numbers of those are that have to be known, where a layout is, and where the columns begin.
local KNOWN = 11
local LAYOUT, LAYOUT_NUMBERS = KNOWN + head[2], 5
local COLUMNS, COLUMN_NUMBERS, SUM_NUMBERS = LAYOUT + LAYOUT_NUMBERS * layouts, 9, 4

local values = redis.call('MGET', unpack(KEYS))
if values[2] then epoch = unpackNumbers('<d', values[2]) end

local function keepEpoch()
  redis.call('SET', KEYS[2], packNumbers('<d', epoch), 'PX', EPOCH_MS)
end

local markerEnds = 0
if values[1] then
  local last, bytes
  last, markerEnds, bytes = unpackNumbers(MARKER, values[1])
  if last > number then return false end
  if last == number then return bytes > 0 and sub(values[1], MARKER_BYTES + 1, MARKER_BYTES + bytes) end
end
-- How many keys are before those of records.
local before = 2 + head[2]
for key = 3, before do
  if (values[key] and unpackNumbers('<d', values[key]) or 0) < head[KNOWN + key - 3] then
    if not values[2] then keepEpoch() end
    local known = { LOST, epoch }
    for other = 3, before do known[other] = values[other] and unpackNumbers('<d', values[other]) or 0 end
    return packNumbers(doubles(before), unpack(known))
  end
end
if now == -1 then now = milliseconds() end

local reply, length
-- By key. What was booked is to be written; what is later or not as it is to be, as a whole.
local records, isBooked, isLater

-- What the batch begins from.
local function begin()
  local unpackNumbers, head, values, now, read, later = unpackNumbers, head, values, now, {}, {}
  reply, length = { now, epoch, 0 }, 3
  records, isBooked, isLater = read, {}, later
  local r = before
  for l = 1, layouts do
    local at = LAYOUT + LAYOUT_NUMBERS * (l - 1)
    local numbers, format, directory = head[at + 2], head[at + 3], head[at + 4]
    local size, tail = sizeOf(numbers, directory)
    for _ = 1, head[at] do
      r = r + 1
      local value, record = values[r]
      if value and #value == size then record = { unpackNumbers(format, value) } end
      if record and record[tail] == directory then
        read[r] = record
      else
        read[r], later[r] = rearranged(value, numbers, directory, now), true
      end
    end
  end
end

-- A row has changed, and will mean the same as none at a time.
local function note(r, record, minute, ends)
  isBooked[r] = true
  if ends > (record[minute] - 1) * MINUTE then record[minute], isLater[r] = minuteAfter(ends, now, record[minute]), true end
end

-- Keeps what came of the batch, and returns that.
local function keep(answer)
  -- Its time goes by Redis's clock. What it had for a longer answer may stay behind this one.
  if head[4] == -1 and markerEnds - now > MARKER_MS then
    redis.call('SETRANGE', KEYS[1], '0', packNumbers(MARKER, number, markerEnds, #answer) .. answer)
  else
    redis.call('SET', KEYS[1], packNumbers(MARKER, number, now + 2 * MARKER_MS, #answer) .. answer, 'PX', 2 * MARKER_MS)
  end
  return answer
end

-- Writes what was booked, and what came of the batch, and returns that.
local function commit()
  local KEYS, call, packNumbers, unpack = KEYS, redis.call, packNumbers, unpack
  local head, records, isBooked, isLater, now, r = head, records, isBooked, isLater, now, before
  for l = 1, layouts do
    local at = LAYOUT + LAYOUT_NUMBERS * (l - 1)
    local numbers, format, directory = head[at + 2], head[at + 3], head[at + 4]
    local rows = sub(format, 1, numbers + 1)
    for _ = 1, head[at] do
      r = r + 1
      if isBooked[r] then
        if isLater[r] then
          local value, minute = packRecord(records[r], numbers, directory)
          call('SET', KEYS[r], value, 'PX', string.format('%d', max(1, minute * MINUTE - now)))
        else
          call('SETRANGE', KEYS[r], '0', packNumbers(rows, unpack(records[r], 1, numbers)))
        end
      end
    end
  end
  -- The first call of a lane renews it, however soon its process ends.
  if not values[2] or number % 256 == 1 then keepEpoch() end
  return keep(packAll(reply, length))
end
