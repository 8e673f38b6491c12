--[[ claim-once-1 - lets exactly one caller have an id until it is over. @grows
  KEYS[1] the id in its scope
  ARGV[1] now, epoch ms   ARGV[2] until, epoch ms
  Returns 1 for the first, 0 for everybody after it
]]
local held = redis.call('GET', KEYS[1])
if held and tonumber(held) > tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[2])
return 1
