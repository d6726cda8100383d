-- Asks what became of a batch, and sees to it that nothing will any more.
--
-- KEYS  1: what the sender's last batch was, and what came of it.
-- ARGV  1: the batch's number.
-- Reply what the batch was answered; or nil, and should it arrive late, it will do nothing.
local number = tonumber(ARGV[1])
local marker = redis.call('GET', KEYS[1])
if marker then
  local last = struct.unpack('<d', marker)
  if last > number then return false end
  if last == number then return #marker > 8 and string.sub(marker, 9) end
end
-- For as long as batch.lua keeps what became of one.
redis.call('SET', KEYS[1], struct.pack('<d', number), 'PX', 3600000)
return false
