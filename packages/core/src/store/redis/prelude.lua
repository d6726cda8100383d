-- What all of the script uses.
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local rep, sub, concat = string.rep, string.sub, table.concat
local unpackNumbers, packNumbers = struct.unpack, struct.pack

-- The format of so many doubles.
local NUMBERS = setmetatable({}, { __index = function(known, count)
  known[count] = '<' .. rep('d', count)
  return known[count]
end })
