-- Takes, settles, observations and peeks, all in one call, one after the other. Compute, then commit: nothing is written before all is
-- known, so that an error leaves everything as it was.
--
-- KEYS  1: what the last batch of the sender's lane was, and what came of it. 2: the epoch; where `known` is above 0, the
--          same as 1 of the lane that it is of; the records, those of a layout together; then those where instances wait.
-- ARGV  1: `number, known, epoch, now, layouts, since, settled to, taken from, taken to`; each layout `records, columns,
--          numbers`; then each column of each `kind, at, width, minute, rule (2), limit, sums, takes`: where in the records its
--          row begins, and where its last minute stands. Behind it, what the run does there: sums of its settlings, each
--          `record, place, cost, actual`; and unless `takes` is 0, for each record the `cost` of its takes, or -1 for none.
--          `now` is -1 where the time is Redis's; `known` a batch of the sender's that was answered, or 0. The run are the
--          settlings at the first bytes of ARGV 2, of what was charged in the epoch `since`, and the takes at those bytes,
--          none of which has a choice
--       2: the operations, each `kind, bytes of the rest, option, count, …`:
--            take    option: alternatives; count: charges of the first; each `cell, cost, room`. Then of each further
--                    alternative `count, …` likewise. The cell of a shadow charge is negative
--            settle  option: 1 where it goes on; count: entries, each `cell, place, epoch, cost, actual`
--            peek    count: charges, each `cell`
--            observe count: cells, each `cell, place, epoch, cost, used, limit, shutMs`; -1 for what isn't known
--            tell    as take
--            turn    as take, with a score in front: of one that goes by a line
--       3: the cells, each `record, column`: the record's number, and that of a column of its layout
--       4 …: of each layout its format, and its directory, as records.lua has them
--       Then the sender, and where instances wait for what these charge or give back: each `cell, key of the waiters`. The
--          last of all keys is `waiting`. Both are left out where there is no such
--       Numbers are doubles. A cell is a meter at a key, by a rule.
-- Reply `now, epoch`, and 1 where the run's settlings were done at once, plus 2 where its takes were; then for each operation,
--       all doubles:
--            take    the alternative that was taken, then for each charge `place`, of a budget `used` too; or NOT_CHARGED
--                    and the row, of a shadow charge that didn't fit. Or NOT_CHARGED and the rows of all charges of all
--                    alternatives. A take or turn that tells has the rows of what was taken behind that
--            turn    as take. Refused, there is, before the rows of each alternative, the number of a charge at which others
--                    go first, or 0
--            settle  for each entry `place, cost`, of a budget `used` too
--            peek    the rows
--            observe 1 where that left more room, or 0
--       What of the run was done at once is answered in their place, column by column. Settlings: for each sum what is booked
--          of it, the cost or the actual, of a budget `used` before and after that too. Takes: `place`, the same for all, and
--          of a budget for each record that is charged `used` after all of them
-- Or the number of the last batch of that lane, where that is before `known`: what was answered since is lost, and
-- nothing is done.
-- Or nil, where the batch has been cancelled, or is older than the last that was answered.
--
-- A batch that is sent again is answered as it was before. Epochs tell apart what was charged before all data was lost:
-- that is gone, and is not to be given back from what others were charged since.

local NOT_CHARGED = -1
local NOWHERE = -1

-- By cell: the key of its record, and its column.
local recordOf, columnOf = {}, {}
do
  local layoutOf, first, at = {}, before, COLUMNS
  for l = 1, layouts do
    local layout, columns = LAYOUT + LAYOUT_NUMBERS * (l - 1), {}
    local count = head[layout]
    for c = 1, head[layout + 1] do
      columns[c] = {
        rule = RULES[head[at]], at = head[at + 1], width = head[at + 2], minute = head[at + 3],
        first = head[at + 4], second = head[at + 5],
      }
      at = at + COLUMN_NUMBERS + SUM_NUMBERS * head[at + 7] + (head[at + 8] > 0 and count or 0)
    end
    for r = first + 1, first + count do layoutOf[r] = columns end
    first = first + count
  end
  local cells = unpackAll(ARGV[3])
  for cell = 1, #ARGV[3] / 16 do
    local r = before + cells[2 * cell - 1]
    recordOf[cell], columnOf[cell] = r, layoutOf[r][cells[2 * cell]]
  end
end

local function answer(value)
  length = length + 1
  reply[length] = value
end

local function answerRow(cell)
  local record, column = records[recordOf[cell]], columnOf[cell]
  for i = column.at, column.at + column.width - 1 do answer(record[i]) end
end

local function answerRows(charges, last)
  for i = 1, last, 3 do answerRow(charges[i] < 0 and -charges[i] or charges[i]) end
end

local function used(cell)
  local column = columnOf[cell]
  return column.rule.used(records[recordOf[cell]], column.at, column.first, column.second, now)
end

local function fits(charges, last)
  for i = 1, last, 3 do
    local cell = charges[i]
    if cell > 0 and not (used(cell) <= charges[i + 2]) then return false end
  end
  return true
end

local function book(charges, last)
  for i = 1, last, 3 do
    local cell, cost = charges[i], charges[i + 1]
    if cell < 0 and not (used(-cell) <= charges[i + 2]) then
      answer(NOT_CHARGED)
      answerRow(-cell)
    else
      if cell < 0 then cell = -cell end
      local column = columnOf[cell]
      local r = recordOf[cell]
      local place, before, ends = column.rule.book(records[r], column.at, column.first, column.second, cost, now)
      note(r, records[r], column.minute, ends)
      answer(place)
      if column.rule == calendar then answer(before + cost) end
    end
  end
end

local function take(alternatives, count, from, score)
  local all, stops = {}, {}
  for a = 1, alternatives do
    if a > 1 then count, from = unpackNumbers('<d', ARGV[2], from) end
    local last = 3 * count
    local charges = { unpackNumbers(doubles(last), ARGV[2], from) }
    local hasPlace = fits(charges, last)
    stops[a] = hasPlace and score and stopAt(charges, last, score) or 0
    if hasPlace and stops[a] == 0 then
      answer(a - 1)
      book(charges, last)
      return charges, last
    end
    from, charges[last + 1] = charges[last + 1], nil
    all[a] = charges
  end
  answer(NOT_CHARGED)
  for a = 1, alternatives do
    if score then answer(stops[a]) end
    answerRows(all[a], #all[a])
  end
end

local function turn(alternatives, count, from)
  local score
  score, from = unpackNumbers('<d', ARGV[2], from)
  return take(alternatives, count, from, score)
end

local function telling(perform)
  return function(...)
    local charges, last = perform(...)
    if charges then answerRows(charges, last) end
  end
end

local function settle(goesOn, count, from)
  local reply, goesOn = reply, goesOn == 1
  local entries = { unpackNumbers(doubles(5 * count), ARGV[2], from) }
  for i = 1, 5 * count, 5 do
    local cell, place, cost, actual = entries[i], entries[i + 1], entries[i + 3], entries[i + 4]
    if entries[i + 2] ~= epoch then place = NOWHERE end
    local waiters = waitersOf[cell]
    if waiters and actual < cost then noteRoom(waiters) end
    local r, column = recordOf[cell], columnOf[cell]
    local record, rule, at, first, second = records[r], column.rule, column.at, column.first, column.second
    -- What has been forgotten has nothing to give back.
    if record[column.minute] > 0 or actual > cost then
      place, cost = rule.settle(record, at, first, second, place, cost, actual, now, goesOn)
      note(r, record, column.minute, rule.ends(record, at, first, second, now))
    end
    reply[length + 1], reply[length + 2] = place, cost
    length = length + 2
    if rule == calendar then answer(calendar.used(record, at, first)) end
  end
end

local function observe(_, count, from)
  local hasRoom = 0
  for i = from, from + 56 * (count - 1), 56 do
    local cell, place, since, cost, counted, limit, shutMs = unpackNumbers('<ddddddd', ARGV[2], i)
    if since ~= epoch then place = NOWHERE end
    local column = columnOf[cell]
    local r = recordOf[cell]
    local record = records[r]
    if column.rule.observe(record, column.at, column.first, place, cost, counted, limit, shutMs, now) then
      hasRoom = 1
      if waitersOf[cell] then noteRoom(waitersOf[cell]) end
    end
    note(r, record, column.minute, column.rule.ends(record, column.at))
  end
  answer(hasRoom)
end

local function peek(_, count, from)
  local charges = { unpackNumbers(doubles(count), ARGV[2], from) }
  for i = 1, count do answerRow(charges[i]) end
end

local DO = { take, settle, peek, telling(take), turn, observe, telling(turn) }

local function perform(from, to)
  while from < to do
    local kind, bytes, option, count, rest = unpackNumbers('<dddd', ARGV[2], from)
    DO[kind](option, count, rest)
    from = rest + bytes
  end
end

-- Returns false where the batch has to begin anew.
local function performAll()
  begin()
  if not settlesAtOnce() then return false end
  if not areSettled then perform(1, settledTo) end
  perform(settledTo, takenFrom)
  if not takesAtOnce() then return false end
  if not areTaken then perform(takenFrom, takenTo) end
  perform(takenTo, #ARGV[2])
  return true
end

repeat until performAll()
wakeAll()
return commit()
