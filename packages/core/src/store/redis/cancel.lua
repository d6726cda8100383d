-- Asks what became of a batch, and sees to it that nothing will any more.
--
-- KEYS  1: what the sender's last batch was, and what came of it. 2: the epoch. Then the same as 1, of each lane of the sender of
--       which a batch has to be known.
-- ARGV  1: the batch's number. 2: the epoch, should there be none. Then those of the batches that have to be known.
-- Reply what the batch was answered; or nil, and should it arrive late, it will do nothing. Or as batch.lua, where what was
-- answered is lost: nor will it do anything then.
local number = tonumber(ARGV[1])
local values = redis.call('MGET', unpack(KEYS))
local marker, epoch = values[1], values[2]
local last, _, bytes = 0, 0, 0
-- Marker and epoch are as in cells.lua.
if marker then last, _, bytes = struct.unpack('<ddd', marker) end
if last > number then return false end
if last == number then return bytes > 0 and string.sub(marker, 25, 24 + bytes) end

local known, isLost = {}, false
for key = 3, #KEYS do
  known[key - 2] = values[key] and struct.unpack('<d', values[key]) or 0
  isLost = isLost or known[key - 2] < tonumber(ARGV[key])
end
if isLost then
  if not epoch then
    epoch = struct.pack('<d', tonumber(ARGV[2]))
    redis.call('SET', KEYS[2], epoch, 'PX', '2592000000')
  end
  return struct.pack('<d', -1) .. epoch .. struct.pack('<' .. string.rep('d', #known), unpack(known))
end
-- For as long as batch.lua keeps what became of one.
redis.call('SET', KEYS[1], struct.pack('<ddd', number, 0, 0), 'PX', 3600000)
return false
