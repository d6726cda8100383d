-- What all of the script uses. Where it is done for each charge, `a - a % b` and `if` stand for floor, max and min: a call
-- of a function takes as long as ten steps of arithmetic.
local floor, max, min = math.floor, math.max, math.min
local rep, sub, concat = string.rep, string.sub, table.concat
local unpackNumbers, packNumbers = struct.unpack, struct.pack
local numbersOf = cjson.decode

local function milliseconds()
  local time = redis.call('TIME')
  return time[1] * 1000 + floor(time[2] / 1000)
end

-- Lowers a cost to `actual`, or by as much as there is to give back. Returns what is given back, and the cost then.
local function giveBack(cost, actual, most)
  local refund = cost - actual
  if refund > most then return most, cost - most end
  return refund, actual
end

-- More numbers at once than this, Lua can't pass to a function.
local MOST_AT_ONCE = 4000

-- The format of so many doubles.
local function doubles(count)
  return '<' .. rep('d', count)
end

-- The first so many of a list of doubles as bytes.
local function packAll(numbers, length)
  if length <= MOST_AT_ONCE then return packNumbers(doubles(length), unpack(numbers, 1, length)) end
  local packed = {}
  for i = 1, length, MOST_AT_ONCE do
    local last = min(i + MOST_AT_ONCE - 1, length)
    packed[#packed + 1] = packNumbers(doubles(last - i + 1), unpack(numbers, i, last))
  end
  return concat(packed)
end
