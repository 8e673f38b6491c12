--[[ merge-mark-1.lua - step 1 of a merge: the cart of a guest takes no more, and knows where it goes.
  KEYS[1] cart of the guest
  ARGV[1] subject   ARGV[2] name of the operation, where this is the first to mark it
  Returns nothing when there is nothing to move (none, moved already, or somebody else's), else {operation, article, quantity, ...}
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local to = redis.call('HGET', KEYS[1], '#to')
if not to then
  redis.call('HSET', KEYS[1], '#to', ARGV[1], '#operation', ARGV[2])
elseif to ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], '#moved') == 1 then
  return {}
end
local answer = { redis.call('HGET', KEYS[1], '#operation') }
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 1) ~= '#' then
    answer[#answer + 1] = all[i]
    answer[#answer + 1] = all[i + 1]
  end
end
return answer
