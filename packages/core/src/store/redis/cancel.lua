-- Asks what became of a batch, and sees to it that nothing will any more.
--
-- KEYS  1: what the sender's last batch was, and what came of it. 2: the epoch.
-- ARGV  1: the batch's number. 2: that of one of its lane that was answered, or 0. 3: the epoch, should there be none.
-- Reply what the batch was answered; or nil, and should it arrive late, it will do nothing. Or as batch.lua, where what was
-- answered is lost: nor will it do anything then.
local number, known = tonumber(ARGV[1]), tonumber(ARGV[2])
local marker = redis.call('GET', KEYS[1])
local last, _, bytes = 0, 0, 0
-- As cells.lua has it, and what else is kept here.
if marker then last, _, bytes = struct.unpack('<ddd', marker) end
if last > number then return false end
if last == number then return bytes > 0 and string.sub(marker, 25, 24 + bytes) end
if last < known then
  local epoch = redis.call('GET', KEYS[2])
  if not epoch then
    epoch = struct.pack('<d', tonumber(ARGV[3]))
    redis.call('SET', KEYS[2], epoch, 'PX', '2592000000')
  end
  return struct.pack('<d', last) .. epoch
end
-- For as long as batch.lua keeps what became of one.
redis.call('SET', KEYS[1], struct.pack('<ddd', number, 0, 0), 'PX', 3600000)
return false
