--[[ replace-account-1 - replaces an account if nobody else did. The identifier stays what it was.
  KEYS[1] account
  ARGV[1] version expected   ARGV[2] head of the new account   ARGV[3] rest of it, after the identifier
  Returns 1 stored, 0 there is another version, -1 there is no account
]]
--- @include "includes/segments"
local kept = redis.call('GET', KEYS[1])
if not kept then
  return -1
end
check_format(kept)
if #kept < 6 then
  corrupt()
end
local version, at = struct.unpack('>I4', kept, 2)
if version ~= tonumber(ARGV[1]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2] .. segment((take(kept, at))) .. ARGV[3])
return 1
