--[[ open-store-1 - the first of all processes leaves a marker and the fingerprint of the placement key; the others compare.
  A new marker comes with a floor: what is older than it belongs to a store whose floor was lost, and may have been ended
  by it. In a store that is really new nothing is older. The server's own time, because nobody has asked for it yet.
  KEYS[1] floor
  ARGV[1] fingerprint   ARGV[2] marker, kept if there is none yet
  Returns 1 when the fingerprint is the one that the store was made with, else 0
]]
if redis.call('HSETNX', KEYS[1], 'marker', ARGV[2]) == 1 then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'notBeforeMs', time[1] * 1000 + math.floor(time[2] / 1000), 'why', 'rolled_back')
end
redis.call('HSETNX', KEYS[1], 'placement', ARGV[1])
return redis.call('HGET', KEYS[1], 'placement') == ARGV[1] and 1 or 0
