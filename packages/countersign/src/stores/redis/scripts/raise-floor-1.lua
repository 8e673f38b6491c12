--[[ raise-floor-1 - ends every session of the store that was created up to now. Never lowers the floor.
  KEYS[1] floor
  ARGV[1] now, epoch ms   ARGV[2] reason
  Returns {floor after the call in epoch ms, primary}
]]
--- @include "includes/primary"
local not_before = tonumber(redis.call('HGET', KEYS[1], 'notBeforeMs') or '0') or 0
if tonumber(ARGV[1]) <= not_before then
  return { not_before, primary() }
end
redis.call('HSET', KEYS[1], 'notBeforeMs', ARGV[1], 'why', ARGV[2])
return { tonumber(ARGV[1]), primary() }
