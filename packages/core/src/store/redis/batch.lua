-- Takes, settles, observations and peeks, all in one call, one after the other. Compute, then commit: nothing is written before all is
-- known, so that an error leaves everything as it was.
--
-- KEYS  1: what the last batch of the sender's lane was, and what came of it. 2: the epoch; where `known` is above 0, the
--          same as 1 of the lane that it is of; the records; then those of ARGV 4.
-- ARGV  1: `number, known, epoch, now, layouts, grants`; each layout: `columns`, each `meter, width, kind, rule (2)`; each grant:
--          `record, layout`. `now` is -1 where the time is Redis's; `known` a batch of the sender's that was answered, or 0.
--       2: the operations, each `kind, bytes of the rest, option, count, …`:
--            take    option: alternatives; count: charges of the first; each `cell, cost, room`. Then of each further
--                    alternative `count, …` likewise. The cell of a shadow charge is negative
--            settle  option: 1 where it goes on; count: entries, each `cell, place, epoch, cost, actual`
--            peek    count: charges, each `cell`
--            observe count: cells, each `cell, place, epoch, cost, used, limit, shutMs`; -1 for what isn't known
--            tell    as take
--            turn    as take, with a score in front: of one that goes by a line
--            run     option: bytes of the takes, which follow as operations of their own; count: cells of all of them, each
--                    `cell, cost of all, room for that`
--       3: the sender. 4: where instances wait for what these charge or give back: each `cell, key of the waiters`. The last
--          of all keys is `waiting`. Both are left out where there is no such
--       All are doubles. A cell is a meter at a key, by a rule. Each grant makes cells of a record, one for each column of
--       the layout, in order. Records are first granted in their order.
-- Reply `now, epoch`, then for each operation, all doubles:
--            take    the alternative that was taken, then for each charge `place`, of a budget `used` too; or NOT_CHARGED
--                    and the row, of a shadow charge that didn't fit. Or NOT_CHARGED and the rows of all charges of all
--                    alternatives. A take or turn that tells has the rows of what was taken behind that
--            turn    as take. Refused, there is, before the rows of each alternative, the number of a charge at which others
--                    go first, or 0
--            settle  for each entry `place, cost`, of a budget `used` too
--            peek    the rows
--            observe 1 where that left more room, or 0
--            run     0, then for each cell `place`, of a budget `used` too. Or NOT_CHARGED and what is answered to each take
-- Or the number of the last batch of that lane, where that is before `known`: what was answered since is lost, and
-- nothing is done.
-- Or nil, where the batch has been cancelled, or is older than the last that was answered.
--
-- A batch that is sent again is answered as it was before. Epochs tell apart what was charged before all data was lost:
-- that is gone, and is not to be given back from what others were charged since.

local NOT_CHARGED = -1
local NOWHERE = -1
local MARKER_MS = 3600000
local EPOCH_MS = 30 * 86400000

-- By cell, what it has used, where that is known, and whether something was booked.
local amounts, booked = {}, {}

local reply, length = { now, epoch }, 2

local function answer(value)
  length = length + 1
  reply[length] = value
end

local function answerRow(cell)
  local record, column = recordOf[cell], columnOf[cell]
  for i = column.at, column.at + column.width - 1 do answer(record[i]) end
end

local function answerRows(charges, last)
  for i = 1, last, 3 do answerRow(charges[i] < 0 and -charges[i] or charges[i]) end
end

local function used(cell)
  local column = columnOf[cell]
  local amount = column.rule.used(recordOf[cell], column.at, column.first, column.second, now)
  amounts[cell] = amount
  return amount
end

-- What was booked is asked for anew before it refuses: a sum of fractions depends on their order.
local function hasRoom(cell, room)
  return (amounts[cell] or used(cell)) <= room or used(cell) <= room
end

local function fits(charges, last)
  for i = 1, last, 3 do
    local cell = charges[i]
    if cell > 0 and not hasRoom(cell, charges[i + 2]) then return false end
  end
  return true
end

local function book(charges, last)
  for i = 1, last, 3 do
    local cell, cost = charges[i], charges[i + 1]
    if cell < 0 and not hasRoom(-cell, charges[i + 2]) then
      answer(NOT_CHARGED)
      answerRow(-cell)
    else
      if cell < 0 then cell = -cell end
      local column = columnOf[cell]
      local rule = column.rule
      local amount = (amounts[cell] or used(cell)) + cost
      length = length + 1
      reply[length] = rule.book(recordOf[cell], column.at, column.first, column.second, cost, now)
      if rule == calendar then answer(amount) end
      if hasTwins then amounts = {} end
      amounts[cell] = amount
      booked[cell] = true
    end
  end
end

local function take(alternatives, count, from, score)
  local all, stops = {}, {}
  for a = 1, alternatives do
    if a > 1 then count, from = unpackNumbers('<d', ARGV[2], from) end
    local last = 3 * count
    local charges = { unpackNumbers(NUMBERS[last], ARGV[2], from) }
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
  local entries = { unpackNumbers(NUMBERS[5 * count], ARGV[2], from) }
  for i = 1, 5 * count, 5 do
    local cell, place, cost, actual = entries[i], entries[i + 1], entries[i + 3], entries[i + 4]
    if entries[i + 2] ~= epoch then place = NOWHERE end
    if waitersOf[cell] and actual < cost then noteRoom(waitersOf[cell]) end
    local record, column = recordOf[cell], columnOf[cell]
    -- What has been forgotten has nothing to give back.
    if record[column.at - 1] > 0 or booked[cell] or actual > cost then
      place, cost = column.rule.settle(
        record, column.at, column.first, column.second, place, cost, actual, now, goesOn == 1
      )
      if hasTwins then amounts = {} end
      amounts[cell] = nil
      booked[cell] = true
    end
    answer(place)
    answer(cost)
    if column.rule == calendar then answer(used(cell)) end
  end
end

local function observe(_, count, from)
  local hasRoom = 0
  for i = from, from + 56 * (count - 1), 56 do
    local cell, place, since, cost, counted, limit, shutMs = unpackNumbers('<ddddddd', ARGV[2], i)
    if since ~= epoch then place = NOWHERE end
    local column = columnOf[cell]
    if column.rule.observe(recordOf[cell], column.at, column.first, place, cost, counted, limit, shutMs, now) then
      hasRoom = 1
      if waitersOf[cell] then noteRoom(waitersOf[cell]) end
    end
    if hasTwins then amounts = {} end
    amounts[cell] = nil
    booked[cell] = true
  end
  answer(hasRoom)
end

local function peek(_, count, from)
  local charges = { unpackNumbers(NUMBERS[count], ARGV[2], from) }
  for i = 1, count do answerRow(charges[i]) end
end

local DO = { take, settle, peek, telling(take) }

local function perform(from, to)
  while from < to do
    local kind, bytes, option, count, rest = unpackNumbers('<dddd', ARGV[2], from)
    DO[kind](option, count, rest)
    from = rest + bytes
  end
end

-- Takes in a row, of which none has a choice. Where there is room for all of them at once, each of them fits.
local function run(bytes, count, from)
  local last = 3 * count
  local sums = { unpackNumbers(NUMBERS[last], ARGV[2], from + bytes) }
  if fits(sums, last) then
    answer(0)
    book(sums, last)
  else
    answer(NOT_CHARGED)
    perform(from, from + bytes)
  end
end

DO[5], DO[6], DO[7], DO[8] = run, turn, observe, telling(turn)
perform(1, #ARGV[2])

-- Commit.
local isBooked, isLater = {}, {}
for cell = 1, cells do
  if booked[cell] then
    local r, record, column = numberOf[cell], recordOf[cell], columnOf[cell]
    local ends = column.rule.ends(record, column.at, column.first, column.second, now)
    isBooked[r] = true
    isLater[r] = keepUntil(record, column.at, ends) or isLater[r]
  end
end
for r = 1, #records do
  if isBooked[r] then
    local value = writeRecord(records[r], formats[r])
    if values[before + r] and not isLater[r] then
      redis.call('SET', KEYS[before + r], value, 'KEEPTTL')
    else
      redis.call('SET', KEYS[before + r], value, 'PX', max(1, lastMinute(records[r]) * MINUTE - now))
    end
  end
end
wakeAll()
local packed = packAll(reply, length)
if not values[2] or number % 256 == 0 then
  redis.call('SET', KEYS[2], packNumbers('<d', epoch), 'PX', EPOCH_MS)
end
redis.call('SET', KEYS[1], packNumbers('<d', number) .. packed, 'PX', MARKER_MS)
return packed
