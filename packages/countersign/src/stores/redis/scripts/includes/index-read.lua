--- @include "includes/segments"
--[[ The index of a subject, KEYS[1]: a hash with one small field per session and per tombstone, and `gate`.
  Values stay far below 64 bytes, so that the hash is a listpack up to 512 fields. The length of a value tells a session
  (16: created, last seen and deadline as differences to it) from a tombstone (12: ended, keep until).
]]
local LIVE_ENTRY, ENDED_ENTRY, GATE = '>I6i5i5', '>I6I6', '>I6I6BI6I6'

local function read_gate()
  local packed = redis.call('HGET', index_key, 'gate')
  if not packed then
    return { epoch = 0, moved_at = 0, blocked = false, roles_at = 0, block_at = 0 }
  end
  if #packed ~= 25 then
    corrupt()
  end
  local epoch, moved_at, blocked, roles_at, block_at = struct.unpack(GATE, packed)
  return { epoch = epoch, moved_at = moved_at, blocked = blocked == 1, roles_at = roles_at, block_at = block_at }
end

-- Sessions as { tail, created_at, last_seen_at, deadline }, tombstones as { tail, ended_at, keep_until }.
local function read_members()
  local flat, members = redis.call('HGETALL', index_key), {}
  for i = 1, #flat, 2 do
    local member, packed = { tail = flat[i] }, flat[i + 1]
    if #packed == 16 then
      local created_at, seen, deadline = struct.unpack(LIVE_ENTRY, packed)
      member.created_at, member.last_seen_at, member.deadline = created_at, created_at + seen, created_at + deadline
      members[#members + 1] = member
    elseif #packed == 12 then
      member.ended_at, member.keep_until = struct.unpack(ENDED_ENTRY, packed)
      members[#members + 1] = member
    elseif flat[i] ~= 'gate' then
      -- Passing over it would leave a session out of what is said to be about all of them.
      corrupt()
    end
  end
  return members
end

-- The server expires records by itself and tells nobody; an entry may outlive what it stands for.
local function is_kept(member)
  return redis.call('EXISTS', session_key(member.tail)) == 1
end

-- The ids of all sessions that are known to have ended.
local function append_ended(answer)
  for _, member in ipairs(read_members()) do
    if member.ended_at then
      answer[#answer + 1] = tag .. member.tail
    end
  end
  return answer
end
