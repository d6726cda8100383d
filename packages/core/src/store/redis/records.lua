-- Records as they are kept: one for each key of a scope, with a section for each meter that has been charged there.
--
-- A section is `meter (5 bytes), doubles in the row (2), last minute (4), row (8 each)`. Which meter it is comes with it, so
-- a record holds what gates of any configuration have put there, in any order: each finds its own and keeps the others'
-- until their last minute. Minutes are since 1970. A record lives as long as the last of its sections.

local HEADER = '<I5I2I4'
local MINUTE = 60000
local LAST_MINUTE = 2 ^ 32 - 1

-- For a row of n doubles: how it is read, and how it is written with its header.
local ROW = setmetatable({}, { __index = function(known, n)
  known[n] = '<' .. rep('d', n)
  return known[n]
end })
local SECTION = setmetatable({}, { __index = function(known, n)
  known[n] = HEADER .. rep('d', n)
  return known[n]
end })

-- By number of section: whose it is, its row, its last minute, and whether it was there.
local meterOf, rowOf, minuteOf, isKept = {}, {}, {}, {}
local sections = 0

local function addSection(record, meter, row, minute, kept)
  sections = sections + 1
  meterOf[sections], rowOf[sections], minuteOf[sections], isKept[sections] = meter, row, minute, kept
  record[#record + 1] = sections
  return sections
end

-- The numbers of the sections of what is kept; `value` is false where nothing is.
local function readRecord(value)
  local record = {}
  local at, size = 1, value and #value or 0
  while at <= size do
    local meter, width, minute
    meter, width, minute, at = unpackDoubles(HEADER, value, at)
    local row = { unpackDoubles(ROW[width], value, at) }
    at, row[width + 1] = row[width + 1], nil
    addSection(record, meter, row, minute, true)
  end
  return record
end

-- The section of a meter, with a row of zeros where it has none.
local function sectionFor(record, meter, width)
  for i = 1, #record do
    if meterOf[record[i]] == meter then return record[i] end
  end
  local row = {}
  for i = 1, width do row[i] = 0 end
  return addSection(record, meter, row, 0, false)
end

-- Keeps a section until a time, and a minute or two longer, since clocks differ.
local function keepUntil(section, ends)
  minuteOf[section] = max(minuteOf[section], min(LAST_MINUTE, ceil(ends / MINUTE) + 1))
end

-- What is to be kept of a record, and for how many milliseconds. Sections whose last minute is over are left out.
local function writeRecord(record, now)
  local parts, last = {}, 0
  for i = 1, #record do
    local section = record[i]
    local minute = minuteOf[section]
    if minute * MINUTE > now then
      local row = rowOf[section]
      parts[#parts + 1] = packDoubles(SECTION[#row], meterOf[section], #row, minute, unpack(row))
      last = max(last, minute)
    end
  end
  return concat(parts), last * MINUTE - now
end
