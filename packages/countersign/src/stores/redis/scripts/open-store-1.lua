--[[ open-store-1 - the first of all processes leaves a marker and the fingerprint of the placement key; the others compare.
  KEYS[1] floor
  ARGV[1] fingerprint   ARGV[2] marker, kept if there is none yet
  Returns 1 when the fingerprint is the one that the store was made with, else 0
]]
redis.call('HSETNX', KEYS[1], 'marker', ARGV[2])
redis.call('HSETNX', KEYS[1], 'placement', ARGV[1])
return redis.call('HGET', KEYS[1], 'placement') == ARGV[1] and 1 or 0
