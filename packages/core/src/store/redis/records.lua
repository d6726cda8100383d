-- Records as they are kept: one for each key of a scope, with a section for each meter that has been charged there.
--
-- A section is `meter (5 bytes), doubles in the row (2), last minute (4), row (8 each)`, and a record a list of all those
-- numbers: `at` in it is where a row begins, and the three before are its header. Which meter a section is of comes with it,
-- so a record holds what gates of any configuration have put there, in any order: each finds its own and keeps the others'
-- until their last minute. Minutes are since 1970. A record lives as long as the last of its sections.
--
-- A layout says which meters a record is asked about, in order: `{ columns, numbers, format, size }`, with how many numbers
-- and bytes a record of it has.
-- A column is a meter's: `{ meter, width, at, rule, first, second }`, with what its rule says.

local HEADER = '<I5I2I4'
local HEADER_NUMBERS, HEADER_BYTES = 3, 11
-- More numbers at once than this, Lua can't pass to a function.
local MOST_AT_ONCE = 7000
local MINUTE = 60000
local LAST_MINUTE = 2 ^ 32 - 1

local function sectionFormat(width)
  return 'I5I2I4' .. rep('d', width)
end

local function addColumn(layout, column)
  local columns, width = layout.columns, column.width
  columns[#columns + 1] = column
  column.at = layout.numbers + HEADER_NUMBERS + 1
  layout.numbers = layout.numbers + HEADER_NUMBERS + width
  layout.format = layout.format .. sectionFormat(width)
  layout.size = layout.size + HEADER_BYTES + 8 * width
end

-- Gives a record a section with a row of zeros.
local function addSection(record, at, meter, width)
  record[at - 3], record[at - 2], record[at - 1] = meter, width, 0
  for i = at, at + width - 1 do record[i] = 0 end
end

local function emptyRecord(layout)
  local record = {}
  for _, column in ipairs(layout.columns) do addSection(record, column.at, column.meter, column.width) end
  return record
end

local function hasLayout(record, layout)
  local columns = layout.columns
  for c = 1, #columns do
    if record[columns[c].at - 3] ~= columns[c].meter then return false end
  end
  return true
end

-- Where the row of a meter begins; nil where it has none.
local function findRow(record, meter)
  local header = 1
  while record[header] do
    local at = header + HEADER_NUMBERS
    if record[header] == meter then return at end
    header = at + record[header + 1]
  end
end

-- A record of some layout, from what is kept of any other. Returns its format, too.
local function rearranged(value, layout, now)
  local record, format = emptyRecord(layout), layout.format
  local from = 1
  while from <= #value do
    local meter, width, minute, at = unpackNumbers(HEADER, value, from)
    local row = { unpackNumbers('<' .. rep('d', width), value, at) }
    from = at + 8 * width
    local to = findRow(record, meter)
    if to == nil and minute * MINUTE > now then
      to = #record + 1 + HEADER_NUMBERS
      format = format .. sectionFormat(width)
    end
    if to then
      record[to - 3], record[to - 2], record[to - 1] = meter, width, minute
      for i = 1, width do record[to - 1 + i] = row[i] end
    end
  end
  return record, format
end

-- What is kept as a record of a layout, and its format; `value` is false where nothing is.
local function readRecord(value, layout, now)
  if not value then return emptyRecord(layout), layout.format end
  if #value == layout.size and layout.numbers <= MOST_AT_ONCE then
    local record = { unpackNumbers(layout.format, value) }
    record[#record] = nil
    if hasLayout(record, layout) then return record, layout.format end
  end
  return rearranged(value, layout, now)
end

-- Gives a record a column more: that of a layout's it was not read for. Returns it, and the record's format.
local function widened(record, format, column)
  local at = findRow(record, column.meter)
  if at == nil then
    at = #record + 1 + HEADER_NUMBERS
    addSection(record, at, column.meter, column.width)
    format = format .. sectionFormat(column.width)
  end
  local own = {}
  for name, value in pairs(column) do own[name] = value end
  own.at = at
  return own, format
end

local function writeRecord(record, format)
  if #record <= MOST_AT_ONCE then return packNumbers(format, unpack(record)) end
  local sections, header = {}, 1
  while record[header] do
    local last = header + HEADER_NUMBERS - 1 + record[header + 1]
    sections[#sections + 1] = packNumbers('<' .. sectionFormat(record[header + 1]), unpack(record, header, last))
    header = last + 1
  end
  return concat(sections)
end

-- The last minute of a record: that of its last section.
local function lastMinute(record)
  local last, header = 0, 1
  while record[header] do
    last = max(last, record[header + 2])
    header = header + HEADER_NUMBERS + record[header + 1]
  end
  return last
end

-- Keeps a row until a time, and a minute or two longer, since clocks differ. True where that is later than before.
local function keepUntil(record, at, ends)
  if ends + MINUTE <= record[at - 1] * MINUTE then return false end
  record[at - 1] = min(LAST_MINUTE, floor(ends / MINUTE) + 2)
  return true
end
