-- What all of the script uses. Where it is done for each charge, `a - a % b` and `if` stand for floor, max and min: a call
-- of a function takes as long as ten steps of arithmetic.
local floor, max, min = math.floor, math.max, math.min
local rep, sub, concat = string.rep, string.sub, table.concat
local unpackNumbers, packNumbers = struct.unpack, struct.pack

-- Lowers a cost to `actual`, or by as much as there is to give back. Returns what is given back, and the cost then.
local function giveBack(cost, actual, most)
  local refund = cost - actual
  if refund > most then return most, cost - most end
  return refund, actual
end

-- The format of so many doubles.
local NUMBERS = setmetatable({}, { __index = function(known, count)
  known[count] = '<' .. rep('d', count)
  return known[count]
end })
