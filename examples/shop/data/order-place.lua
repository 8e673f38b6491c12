--[[ order-place-2.lua - turn the cart into an order, once per name of the order.
  KEYS[1] cart   KEYS[2] orders   (one hash tag: the subject)
  ARGV[1] name of the order   ARGV[2] now, epoch ms
  Returns {1, order} placed, {0, order} was placed before, {-1} the cart is empty
]]
local before = redis.call('HGET', KEYS[2], ARGV[1])
if before then return { 0, before } end
local items = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) ~= '#' then items[all[i]] = tonumber(all[i + 1]) end
end
if next(items) == nil then return { -1 } end
local order = cjson.encode({ id = ARGV[1], at = tonumber(ARGV[2]), items = items })
redis.call('HSET', KEYS[2], ARGV[1], order)
redis.call('DEL', KEYS[1])
return { 1, order }
