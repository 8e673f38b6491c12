--[[ The keys of one subject. Every id starts with the tag of its subject, and every key of the subject carries the tag
  as its hash tag, so all of them are in the slot of the declared KEYS[1]. The caller cannot declare the keys of
  sessions whose ids only the index knows; they are made here, from the declared key and the rest of the id.
  A `tail` is an id without its tag: its last 22 characters.
]]
local index_key = KEYS[1]
local tag = string.match(index_key, '{([^}]*)}')
local session_prefix = string.sub(index_key, 1, -2) .. 's:' .. tag

local function session_key(tail)
  return session_prefix .. tail
end

local function tail_of(id)
  return string.sub(id, #tag + 1)
end

-- Numbers as Redis wants them; the default conversion may choose an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

-- By bytes: the comparison of Lua follows the locale of the server.
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end
