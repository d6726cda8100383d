-- Takes, settles, observations and peeks, all in one call, one after the other. Compute, then commit: nothing is written before all is
-- known, so that an error leaves everything as it was.
--
-- KEYS  1: what the last batch of the sender's lane was, and what came of it. 2: the epoch. Then the same as 1, of each lane
--          of the sender of which a batch has to be known; the records, those of a layout together; those where instances wait.
-- ARGV  1: `number, known, epoch, now, layouts, settled in, settled to, taken from, taken to, end`; the numbers of the `known`
--          batches, all of them answered; each layout `records, columns, numbers, format, directory`, as records.lua has them;
--          then each column of each `kind, at, width, minute, rule (2), limit, sums, takes`: where in the records its row
--          begins, and where its last minute stands. Behind it, what the run does there: sums of its settlings, each `record,
--          place, cost, actual`; and unless `takes` is 0, for each record the `cost` of its takes, or -1 for none.
--          `now` is -1 where the time is Redis's. The run are the settlings at the first places of ARGV 2, of what was charged
--          in the epoch `settled in`, and the takes at those places, none of which has a choice
--       2: the operations, each by its kind:
--            1 take           `alternatives`, and of each `count` and so many charges, each `cell, cost, room`. The cell of
--                             a shadow charge is negative
--            2 settle         `goes on, epoch, count`, and so many entries, each `cell, place, cost, actual`; 1 where it goes on
--            3 peek           `count`, and so many cells
--            4 tell           as take
--            5 turn           `score`, then as take: it goes by a line
--            6 observe        `count`, and so many cells, each `cell, place, epoch, cost, used, limit, shutMs`; -1 for what
--                             isn't known
--            7 telling turn   as turn
--       3: the cells, each `record, column`: the record's number, and that of a column of its layout. A cell is a meter at a
--          key, by a rule
--       4: the sender. 5: where instances wait for what these charge or give back: each `cell, key of the waiters`. The last
--          of all keys is `waiting`. Both are left out where there is no such
--       All but the sender are lists in JSON. A batch that is no more than a run may be brief: it has ARGV 1 alone, where
--       places in ARGV 2 are those in a list of the operations themselves
-- Reply in doubles `now, epoch`, and 1 where the run's settlings were done at once, plus 2 where its takes were; then for each operation:
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
-- Or `-1, epoch`, and the numbers of the last batches of the lanes that have to be known, where one is before the other:
-- what was answered since is lost, and nothing is done.
-- Or one character, where what is brief can't be done at once, and nothing is done.
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
  local cells = numbersOf(ARGV[3])
  for cell = 1, #cells / 2 do
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

local function answerRows(from, last)
  for i = from, last, 3 do answerRow(body[i] < 0 and -body[i] or body[i]) end
end

local function used(cell)
  local column = columnOf[cell]
  return column.rule.used(records[recordOf[cell]], column.at, column.first, column.second, now)
end

local function fits(from, last)
  for i = from, last, 3 do
    local cell = body[i]
    if cell > 0 and not (used(cell) <= body[i + 2]) then return false end
  end
  return true
end

local function book(from, last)
  for i = from, last, 3 do
    local cell, cost = body[i], body[i + 1]
    if cell < 0 and not (used(-cell) <= body[i + 2]) then
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

local function take(from, score)
  local alternatives, firsts, lasts, stops = body[from], {}, {}, {}
  local last = from
  for a = 1, alternatives do
    firsts[a], lasts[a] = last + 2, last + 1 + 3 * body[last + 1]
    last = lasts[a]
  end
  for a = 1, alternatives do
    local hasPlace = fits(firsts[a], lasts[a])
    stops[a] = hasPlace and score and stopAt(firsts[a], lasts[a], score) or 0
    if hasPlace and stops[a] == 0 then
      answer(a - 1)
      book(firsts[a], lasts[a])
      return last + 1, firsts[a], lasts[a]
    end
  end
  answer(NOT_CHARGED)
  for a = 1, alternatives do
    if score then answer(stops[a]) end
    answerRows(firsts[a], lasts[a])
  end
  return last + 1
end

local function turn(from)
  return take(from + 1, body[from])
end

local function telling(perform)
  return function(from)
    local next, first, last = perform(from)
    if first then answerRows(first, last) end
    return next
  end
end

local function settle(from)
  local reply, body, goesOn, isLost, last = reply, body, body[from] == 1, body[from + 1] ~= epoch, from + 2 + 4 * body[from + 2]
  for i = from + 3, last, 4 do
    local cell, place, cost, actual = body[i], body[i + 1], body[i + 2], body[i + 3]
    if isLost then place = NOWHERE end
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
  return last + 1
end

local function observe(from)
  local hasRoom, last = 0, from + 7 * body[from]
  for i = from + 1, last, 7 do
    local cell, place, cost, counted, limit, shutMs = body[i], body[i + 1], body[i + 3], body[i + 4], body[i + 5], body[i + 6]
    if body[i + 2] ~= epoch then place = NOWHERE end
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
  return last + 1
end

local function peek(from)
  local last = from + body[from]
  for i = from + 1, last do answerRow(body[i]) end
  return last + 1
end

local DO = { take, settle, peek, telling(take), turn, observe, telling(turn) }

local function perform(from, to)
  while from < to do from = DO[body[from]](from + 1) end
end

-- Returns false where the batch has to begin anew.
local function performAll()
  begin()
  if not settlesAtOnce() then return false end
  if not areSettled then perform(1, settledTo) end
  perform(settledTo, takenFrom)
  if not takesAtOnce() then return false end
  if not areTaken then perform(takenFrom, takenTo) end
  perform(takenTo, ends)
  return true
end

repeat until performAll()
wakeAll()
return commit()
