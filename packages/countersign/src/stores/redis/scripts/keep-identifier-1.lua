--[[ keep-identifier-1 - makes the lease of an identifier permanent, once the account exists. Takes it again if it ran out.
  KEYS[1] identifier
  ARGV[1] leased value   ARGV[2] permanent value
  Returns 1 when the identifier belongs to this account now, 0 when somebody else has it
]]
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] and held ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
