-- Takes, settles and peeks, all in one call, one after the other. Compute, then commit: nothing is written before all is
-- known, so that an error leaves everything as it was.
--
-- KEYS  1: what the sender's last batch was, and what came of it. 2: the epoch. 3 …: the records.
-- ARGV  1: `number, epoch, now, cells, operations`, then the cells: `record, meter, kind, rule (2)`.
--       2: the operations, each `kind, bytes, …`:
--            take    `alternatives`, each `charges`, each `cell, cost, room`; the cell of a shadow charge is negative
--            settle  `goes on, entries`, each `cell, place, epoch, cost, actual`
--            peek    `charges`, each `cell`
--       All are doubles. A cell is a meter at a key with a rule. `now` is -1 where the time is Redis's.
-- Reply `now, epoch`, then for each operation, all doubles:
--            take    the alternative that was taken, then for each charge `place`, of a budget `used` too; or NOT_CHARGED
--                    and the row, of a shadow charge that didn't fit. Or NOT_CHARGED and the rows of all charges of all
--                    alternatives.
--            settle  for each entry `place`, of a budget `used` too
--            peek    the rows
-- Or nil, where the batch has been cancelled, or is older than the last that was answered.
--
-- A batch that is sent again is answered as it was before. Epochs tell apart what was charged before all data was lost:
-- that is gone, and is not to be given back from what others were charged since.

local NOT_CHARGED = -1
local MARKER_MS = 3600000
local EPOCH_MS = 86400000
local RULES = { window, bucket, calendar, slots }
local CALENDAR = 3
local NOWHERE = -1

local values = redis.call('MGET', unpack(KEYS))

local number, epoch, now, cells, operations, at = unpackDoubles('<ddddd', ARGV[1])
if values[1] then
  local last = unpackDoubles('<d', values[1])
  if last > number then return false end
  if last == number then return #values[1] > 8 and sub(values[1], 9) end
end
if values[2] then epoch = unpackDoubles('<d', values[2]) end
if now == -1 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

local reply, length = { now, epoch }, 2

local function answer(value)
  length = length + 1
  reply[length] = value
end

-- By cell: its section, its rule, and what the rule says.
local records, recordOf, sectionOf, kindOf, first, second = {}, {}, {}, {}, {}, {}
for cell = 1, cells do
  local r, meter, kind, p, q, width
  r, meter, kind, p, q, width, at = unpackDoubles('<dddddd', ARGV[1], at)
  records[r] = records[r] or readRecord(values[2 + r])
  recordOf[cell], sectionOf[cell] = r, sectionFor(records[r], meter, width)
  kindOf[cell], first[cell], second[cell] = kind, p, q
end

-- What was last asked of a section, until something is booked on it.
local askedBy, amountOf = {}, {}
local changed = {}

local function used(cell)
  local section = sectionOf[cell]
  if askedBy[section] ~= cell then
    askedBy[section] = cell
    amountOf[section] = RULES[kindOf[cell]].used(rowOf[section], first[cell], second[cell], now)
  end
  return amountOf[section]
end

local function change(cell)
  local section = sectionOf[cell]
  askedBy[section] = nil
  isKept[section] = true
  changed[recordOf[cell]] = true
  keepUntil(section, RULES[kindOf[cell]].ends(rowOf[section], first[cell], second[cell], now))
end

local function answerRow(cell)
  local row = rowOf[sectionOf[cell]]
  for i = 1, #row do answer(row[i]) end
end

local function answerBooked(cell, place)
  answer(place)
  if kindOf[cell] == CALENDAR then answer(used(cell)) end
end

local function fits(charges, count)
  for i = 1, count, 3 do
    local cell = charges[i]
    if cell > 0 and used(cell) > charges[i + 2] then return false end
  end
  return true
end

local function book(charges, count)
  for i = 1, count, 3 do
    local cell, isShadow = charges[i], charges[i] < 0
    if isShadow then cell = -cell end
    if isShadow and used(cell) > charges[i + 2] then
      answer(NOT_CHARGED)
      answerRow(cell)
    else
      local place = RULES[kindOf[cell]].book(rowOf[sectionOf[cell]], first[cell], second[cell], charges[i + 1], now)
      change(cell)
      answerBooked(cell, place)
    end
  end
end

local function take(from)
  local alternatives
  alternatives, from = unpackDoubles('<d', ARGV[2], from)
  local all, counts = {}, {}
  for a = 1, alternatives do
    local charges
    charges, from = unpackDoubles('<d', ARGV[2], from)
    counts[a] = charges * 3
    all[a] = { unpackDoubles(ROW[counts[a]], ARGV[2], from) }
    if fits(all[a], counts[a]) then
      answer(a - 1)
      return book(all[a], counts[a])
    end
    from = from + counts[a] * 8
  end
  answer(NOT_CHARGED)
  for a = 1, alternatives do
    for i = 1, counts[a], 3 do answerRow(all[a][i] < 0 and -all[a][i] or all[a][i]) end
  end
end

local function settle(from)
  local goesOn, entries
  goesOn, entries, from = unpackDoubles('<dd', ARGV[2], from)
  for _ = 1, entries do
    local cell, place, charged, cost, actual
    cell, place, charged, cost, actual, from = unpackDoubles('<ddddd', ARGV[2], from)
    local section = sectionOf[cell]
    if charged ~= epoch then place = NOWHERE end
    -- What has been forgotten has nothing to give back.
    if isKept[section] or actual > cost then
      local rule = RULES[kindOf[cell]]
      place = rule.settle(rowOf[section], first[cell], second[cell], place, cost, actual, now, goesOn == 1)
      change(cell)
    end
    answerBooked(cell, place)
  end
end

local function peek(from)
  local charges
  charges, from = unpackDoubles('<d', ARGV[2], from)
  for _ = 1, charges do
    local cell
    cell, from = unpackDoubles('<d', ARGV[2], from)
    answerRow(cell)
  end
end

local DO = { take, settle, peek }
at = 1
for _ = 1, operations do
  local kind, bytes, from = unpackDoubles('<dd', ARGV[2], at)
  DO[kind](from)
  at = from + bytes
end

-- Commit.
for r in pairs(changed) do
  local value, ms = writeRecord(records[r], now)
  if value == '' then
    redis.call('DEL', KEYS[2 + r])
  else
    redis.call('SET', KEYS[2 + r], value, 'PX', ms)
  end
end
local packed = {}
for i = 1, length, 4000 do
  local last = min(i + 3999, length)
  packed[#packed + 1] = packDoubles(ROW[last - i + 1], unpack(reply, i, last))
end
packed = concat(packed)
redis.call('SET', KEYS[2], packDoubles('<d', epoch), 'PX', EPOCH_MS)
redis.call('SET', KEYS[1], packDoubles('<d', number) .. packed, 'PX', MARKER_MS)
return packed
