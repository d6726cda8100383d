-- Records as they are kept: one for each key of a scope, with a section for each meter that has been charged there.
--
-- A record is the rows of its sections, a double for each number (8 bytes); then the last minute of each (4); then for each
-- its meter (5) and how many numbers its row has (2), in bytes of 7 bits. Which meter a section is of comes with it, so a
-- record holds what gates of any configuration have put there, in any order: each finds its own and keeps the others' until
-- their last minute.
-- Minutes are since 1970. A record lives as long as the last of its sections.
--
-- A layout says which sections records are asked about: how many `numbers` their rows have, their `directory`, which is what
-- is kept of their meters and widths, and the `format` of all of it. As a list a record has the numbers of all rows, then all
-- last minutes, 0 while nothing was booked, and the directory; what others have put there is in `others`, each
-- `{ row, minute, entry }`, with the row in bytes.

local ENTRY = '<I5I2'
local ENTRY_BYTES = 7
local SECTION_BYTES = 11
local MINUTE = 60000
local LAST_MINUTE = 2 ^ 32 - 1
local LONGEST_MORE = 30 * MINUTE

-- The entry of the directory that begins at a byte: a number that tells its meter from others, and its width.
local function entryAt(bytes, at)
  local meter, width = unpackNumbers(ENTRY, bytes, at)
  return meter, width % 256 + floor(width / 256) * 128
end

-- How many bytes a record of a layout has, and where in its list the directory stands; no bytes where that can't be read at once.
local function sizeOf(numbers, directory)
  local sections = #directory / ENTRY_BYTES
  local tail = numbers + sections + 1
  return tail < MOST_AT_ONCE and 8 * numbers + SECTION_BYTES * sections, tail
end

-- What is kept as a record of a layout, from what is kept of any; `value` is false where nothing is.
local function rearranged(value, numbers, directory, now)
  -- Where the row of a meter begins, and where its last minute stands; nil where it has none.
  local function find(meter)
    local at = 1
    for s = 1, #directory / ENTRY_BYTES do
      local known, width = entryAt(directory, ENTRY_BYTES * (s - 1) + 1)
      if known == meter then return at, numbers + s end
      at = at + width
    end
  end

  local record, others = {}, {}
  local own = numbers + #directory / ENTRY_BYTES
  for i = 1, own do record[i] = 0 end
  record[own + 1] = directory
  -- Its sections from the last one: they are all known once they make up the whole of it.
  local size, sections, entries = 0, 0, {}
  while value and size < #value do
    local at = #value - ENTRY_BYTES * (sections + 1) + 1
    local meter, width = entryAt(value, at)
    sections = sections + 1
    entries[sections] = { meter, width, sub(value, at, at + ENTRY_BYTES - 1) }
    size = size + SECTION_BYTES + 8 * width
  end
  local from, minutes = 1, #(value or '') - SECTION_BYTES * sections
  for s = sections, 1, -1 do
    local meter, width = entries[s][1], entries[s][2]
    local minute = unpackNumbers('<I4', value, minutes + 4 * (sections - s) + 1)
    local at, last = find(meter)
    if at then
      for i = 0, width - 1 do record[at + i] = unpackNumbers('<d', value, from + 8 * i) end
      record[last] = minute
    elseif minute * MINUTE > now then
      others[#others + 1] = { sub(value, from, from + 8 * width - 1), minute, entries[s][3] }
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
local function packRecord(record, numbers, directory)
  local own, others = numbers + #directory / ENTRY_BYTES, record.others
  local last = 0
  for i = numbers + 1, own do last = max(last, record[i]) end
  local minutes = packNumbers('<' .. rep('I4', own - numbers), unpack(record, numbers + 1, own))
  local rows = packAll(record, numbers)
  if not others then return rows .. minutes .. directory, last end
  local parts = { rows, {}, minutes, {}, directory, {} }
  for o, other in ipairs(others) do
    last = max(last, other[2])
    parts[2][o], parts[4][o], parts[6][o] = other[1], packNumbers('<I4', other[2]), other[3]
  end
  for i = 2, 6, 2 do parts[i] = concat(parts[i]) end
  return concat(parts), last
end
