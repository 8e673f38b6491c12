--[[ delete-exact-1 - takes back what a registration that failed half-way has written, and nothing else.
  KEYS[1] identifier or account
  ARGV[1] the value that may be deleted
  Returns 1 deleted, 0 it holds something else
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
