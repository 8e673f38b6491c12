--[[ mark-write-1 - a write that the WAIT behind it can wait for: replicas that have it have everything written before it.
  KEYS[1] place for the mark, in the slot of what was written
  Returns primary
]]
--- @include "includes/primary"
redis.call('SET', KEYS[1], '', 'PX', 1000)
return primary()
