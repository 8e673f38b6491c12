--[[ read-floor-1 - @readonly the floor, the marker and the time of the server, all of the same moment.
  The one script that asks for the time: it is the fence by which callers know it (docs/storage-schema.md).
  KEYS[1] floor
  Returns {marker or empty, floor in epoch ms, what raised it, seconds, microseconds, primary}
]]
--- @include "includes/primary"
local floor = redis.call('HMGET', KEYS[1], 'marker', 'notBeforeMs', 'why')
local time = redis.call('TIME')
local not_before, why = tonumber(floor[2] or '0'), floor[3] or 'admin'
return { floor[1] or '', not_before, why, tonumber(time[1]), tonumber(time[2]), primary() }
