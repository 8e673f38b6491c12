--[[ merge-apply-2.lua - step 2 of a merge: what was in the cart of a guest is added to that of an account, once.
  KEYS[1] cart of the account   KEYS[2] mark of the operation   (one hash tag: the subject)
  ARGV[1] most of one article   ARGV[2] life of the cart, s   ARGV[3] life of the mark, s   ARGV[4...] article, quantity, ...
  Returns 1 done, 0 was done before
]]
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return 0 end
for i = 4, #ARGV, 2 do
  local quantity = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  if quantity > tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[1]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
