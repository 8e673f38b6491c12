--[[ cart-change-2.lua - change how many of a thing are in a cart.
  KEYS[1] cart   KEYS[2] mark of the operation   (one hash tag: the owner)
  ARGV[1] article   ARGV[2] change   ARGV[3] most of one article   ARGV[4] life of the cart, s   ARGV[5] life of the mark, s
  Returns 1 done, 0 was done before, -1 the cart has moved into an account
]]
if redis.call('HEXISTS', KEYS[1], '#to') == 1 then return -1 end
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[5]) then return 0 end
local quantity = redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
if quantity <= 0 then redis.call('HDEL', KEYS[1], ARGV[1]) end
if quantity > tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
