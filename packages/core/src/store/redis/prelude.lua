-- What all of the script uses.
local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
local rep, sub, concat = string.rep, string.sub, table.concat
local unpackDoubles, packDoubles = struct.unpack, struct.pack
