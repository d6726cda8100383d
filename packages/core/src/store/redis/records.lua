-- Records as they are kept: one for each key of a scope, with a section for each meter that has been charged there.
--
-- A record is the rows of its sections, a double for each number (8 bytes); then the last minute of each (4); then for each
-- its meter (5) and how many numbers its row has (2). Which meter a section is of comes with it, so a record holds what
-- gates of any configuration have put there, in any order: each finds its own and keeps the others' until their last minute.
-- Minutes are since 1970. A record lives as long as the last of its sections.
--
-- A layout says which meters records are asked about, in order: `columns`, and how many `numbers` their rows and how many
-- `sections` they have. A column is a meter's, by a rule: `at` in a record is where its row begins, and `minute` where its
-- last minute stands, which is 0 while nothing was booked. As a list a record has the numbers of all rows, then all last
-- minutes; what others have put there is in `others`, each `{ row, minute, entry }`, with the row in bytes.

local ENTRY = 'I5I2'
local ENTRY_BYTES = 7
local SECTION_BYTES = 11
local MINUTE = 60000
local LAST_MINUTE = 2 ^ 32 - 1
local LONGEST_MORE = 30 * MINUTE

-- To be laid out once all columns are there.
local function newLayout()
  return { columns = {}, numbers = 0, sections = 0, directory = '' }
end

-- Columns of one meter by several rules share its section.
local function addColumn(layout, column, meter, width)
  local columns = layout.columns
  for c = 1, #columns do
    if columns[c].meter == meter then column.at, column.section = columns[c].at, columns[c].section end
  end
  if not column.at then
    layout.sections = layout.sections + 1
    column.at, column.section = layout.numbers + 1, layout.sections
    layout.numbers = layout.numbers + width
    layout.directory = layout.directory .. packNumbers('<' .. ENTRY, meter, width)
  end
  column.meter, column.width = meter, width
  columns[#columns + 1] = column
end

local function layOut(layout)
  local columns, numbers, sections = layout.columns, layout.numbers, layout.sections
  for c = 1, #columns do columns[c].minute = numbers + columns[c].section end
  layout.rows = doubles(numbers)
  layout.rest = rep('I4', sections) .. 'c' .. #layout.directory
  layout.size = 8 * numbers + SECTION_BYTES * sections
  layout.fits = numbers + sections < MOST_AT_ONCE
end

-- Where the row of a meter begins in a record of a layout, and where its last minute stands; nil where it has none.
local function findSection(layout, meter)
  for _, column in ipairs(layout.columns) do
    if column.meter == meter then return column.at, column.minute end
  end
end

-- What is kept as a record of a layout, from what is kept of any; `value` is false where nothing is.
local function rearranged(value, layout, now)
  local record, others = {}, {}
  for i = 1, layout.numbers + layout.sections do record[i] = 0 end
  -- Its sections from the last one: they are all known once they make up the whole of it.
  local size, sections, entries = 0, 0, {}
  while value and size < #value do
    local meter, width = unpackNumbers('<' .. ENTRY, value, #value - ENTRY_BYTES * (sections + 1) + 1)
    sections = sections + 1
    entries[sections] = { meter, width }
    size = size + SECTION_BYTES + 8 * width
  end
  local from, minutes = 1, #(value or '') - SECTION_BYTES * sections
  for s = sections, 1, -1 do
    local meter, width = entries[s][1], entries[s][2]
    local minute = unpackNumbers('<I4', value, minutes + 4 * (sections - s) + 1)
    local at, own = findSection(layout, meter)
    if at then
      for i = 0, width - 1 do record[at + i] = unpackNumbers('<d', value, from + 8 * i) end
      record[own] = minute
    elseif minute * MINUTE > now then
      others[#others + 1] = { sub(value, from, from + 8 * width - 1), minute, packNumbers('<' .. ENTRY, meter, width) }
    end
    from = from + 8 * width
  end
  if #others > 0 then record.others = others end
  return record
end

-- The last minute of what means something until a time: one or two more, since clocks differ. What has been charged before,
-- and so is likely to be again, is kept for a while longer than that, lest each charge had to put it off.
local function minuteAfter(ends, now, before)
  local more = before > 0 and min(max(0, ends - now) / 4, LONGEST_MORE) or 0
  return min(LAST_MINUTE, floor((ends + more) / MINUTE) + 2)
end

-- All of a record, and its last minute.
local function packRecord(record, layout)
  local numbers, sections, others = layout.numbers, layout.sections, record.others
  local last = 0
  for i = numbers + 1, numbers + sections do last = max(last, record[i]) end
  local minutes = packNumbers('<' .. rep('I4', sections), unpack(record, numbers + 1, numbers + sections))
  local rows = packAll(record, numbers)
  if not others then return rows .. minutes .. layout.directory, last end
  local parts = { rows, {}, minutes, {}, layout.directory, {} }
  for o, other in ipairs(others) do
    last = max(last, other[2])
    parts[2][o], parts[4][o], parts[6][o] = other[1], packNumbers('<I4', other[2]), other[3]
  end
  for i = 2, 6, 2 do parts[i] = concat(parts[i]) end
  return concat(parts), last
end
