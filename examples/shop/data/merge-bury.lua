--[[ merge-bury-1.lua - step 3 of a merge: a tombstone where the cart of the guest was, so that nothing is put there any more.
  KEYS[1] cart of the guest
  ARGV[1] operation   ARGV[2] life of the tombstone, s
  Returns 1 done, 0 there is nothing of this operation
]]
if redis.call('HGET', KEYS[1], '#operation') ~= ARGV[1] then return 0 end
local to = redis.call('HGET', KEYS[1], '#to')
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '#to', to, '#operation', ARGV[1], '#moved', '1')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
