-- Writing sessions and tombstones together with their entries in the index.
local MAX_TOMBSTONES, EPOCH_KEEP_MS = 64, 86400000

-- Lets the index live as long as what it leads to, and for ever while the subject is blocked. Only ever extends.
local function keep_index(until_ms)
  local expires_at = redis.call('PEXPIRETIME', index_key)
  if expires_at == -1 and read_gate().blocked then
    return
  end
  if expires_at < until_ms then
    redis.call('PEXPIREAT', index_key, whole(until_ms))
  end
end

local function write_gate(gate)
  local blocked = gate.blocked and 1 or 0
  local packed = struct.pack(GATE, gate.epoch, gate.moved_at, blocked, gate.roles_at, gate.block_at)
  redis.call('HSET', index_key, 'gate', packed)
  if gate.blocked then
    redis.call('PERSIST', index_key)
  else
    keep_index(gate.moved_at + EPOCH_KEEP_MS)
  end
end

-- Moves the epoch forward, whatever the clock says, so that a login that read the old one is refused. Notes that roles or
-- block were set at the new one: what is re-applied later must not go back behind it.
local function move_epoch(now, blocked, sets_roles)
  local gate = read_gate()
  gate.epoch, gate.moved_at = math.max(now, gate.epoch + 1), now
  if blocked ~= nil then
    gate.blocked, gate.block_at = blocked, gate.epoch
  end
  if sets_roles then
    gate.roles_at = gate.epoch
  end
  write_gate(gate)
  return gate.epoch
end

local function put(tail, r)
  local keep_until = keep_until_of(r)
  redis.call('SET', session_key(tail), encode_record(r), 'PXAT', whole(math.max(1, keep_until)))
  local seen, deadline = r.last_seen_at - r.created_at, deadline_of(r) - r.created_at
  redis.call('HSET', index_key, tail, struct.pack(LIVE_ENTRY, r.created_at, seen, deadline))
  keep_index(keep_until)
end

local function forget(tail)
  redis.call('DEL', session_key(tail))
  redis.call('HDEL', index_key, tail)
end

-- Afterwards call cap_tombstones, once for any number of them.
local function bury(tail, why, now, keep_until, replaced_by)
  if keep_until <= now then
    return forget(tail)
  end
  redis.call('SET', session_key(tail), encode_tombstone(now, keep_until, why, replaced_by), 'PXAT', whole(keep_until))
  redis.call('HSET', index_key, tail, struct.pack(ENDED_ENTRY, now, keep_until))
  keep_index(keep_until)
end

-- Drops entries of what has expired. Returns the others.
local function prune(members, now)
  local kept = {}
  for _, member in ipairs(members) do
    if (member.deadline or member.keep_until) > now or is_kept(member) then
      kept[#kept + 1] = member
    else
      redis.call('HDEL', index_key, member.tail)
    end
  end
  return kept
end

-- The oldest go first: a forgotten one is `unknown`, which is refused all the same.
local function cap_tombstones(now)
  if redis.call('HLEN', index_key) <= MAX_TOMBSTONES then
    return
  end
  local ended = {}
  for _, member in ipairs(prune(read_members(), now)) do
    if member.ended_at then
      ended[#ended + 1] = member
    end
  end
  table.sort(ended, function(a, b)
    if a.ended_at ~= b.ended_at then
      return a.ended_at < b.ended_at
    end
    return less(a.tail, b.tail)
  end)
  for i = 1, #ended - MAX_TOMBSTONES do
    forget(ended[i].tail)
  end
end
