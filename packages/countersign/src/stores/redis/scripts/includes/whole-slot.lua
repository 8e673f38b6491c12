--[[ For scripts that reach sessions which the caller did not name, because only the index knows them. While a slot moves
  key by key, some keys of a subject are on another node. The server looks for the declared keys only; the others would
  be an error in the middle on the old node, and on the new one they would simply not exist: their sessions would be left
  alive and dropped from the index. Asking for two keys that never exist fails on both sides for as long as the slot moves, and
  at no other time. Nothing has been written then, and the caller tries again.
]]
local unmoved = redis.pcall('EXISTS', index_key .. '-', index_key .. '+')
if type(unmoved) == 'table' then
  error({ err = 'TRYAGAIN the slot is on the move' })
end
