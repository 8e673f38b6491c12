--[[ take-once-1 - takes what is kept at a place, if it is kept under this hash. Exactly one caller gets it.
  KEYS[1] place
  ARGV[1] now, epoch ms   ARGV[2] hash, 32 bytes
  Returns the value with its head, or nil: over, replaced, taken or never there
]]
--- @include "includes/segments"
local kept = redis.call('GET', KEYS[1])
if not kept then
  return nil
end
check_format(kept)
if #kept < 39 then
  corrupt()
end
local high, low = struct.unpack('>I2I4', kept, 2)
if string.sub(kept, 8, 39) ~= ARGV[2] or high * 4294967296 + low <= tonumber(ARGV[1]) then
  return nil
end
redis.call('DEL', KEYS[1])
return kept
