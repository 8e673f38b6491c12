--- @include "includes/segments"
--[[ The stored form of a session and of its tombstone; record-codec.ts is the other half, docs/storage-schema.md the
  description. The segments `subject`, `tenant`, `identity`, `origin` and `data` are copied and never looked into:
  cjson would turn empty arrays into objects and round large numbers.
]]
local FORMAT, LIVE, ENDED = 1, 1, 2
local HEAD, ROTATION = '>BBBI4BI6I6I6I6I6I6I6c32', '>I4I4I2BI6I6B'
local F_STAMPED, F_ROTATED, F_AUTH_TIME, F_TENANT, F_PENDING, F_OPERATIONS, F_DATA, F_PERSISTENT = 1, 2, 4, 8, 16, 32, 64, 128
local MAX_LEEWAY_MS = 300000

local function decode_record(bytes)
  local r, flags, at, previous, _ = { state = LIVE, bytes = bytes }
  _, _, flags, r.version, r.mac_key, r.created_at, r.last_seen_at, r.idle_at, r.absolute_at, r.refresh_at, r.last_exp, r.confirmed_at, r.hash, at =
    struct.unpack(HEAD, bytes)
  local function has(flag)
    return bit.band(flags, flag) ~= 0
  end
  r.stamped, r.persistent = has(F_STAMPED), has(F_PERSISTENT)
  r.auth_time = r.created_at
  if has(F_AUTH_TIME) then
    r.auth_time, at = struct.unpack('>I6', bytes, at)
  end
  r.generation, r.roles_generation, r.replays, r.rotation_key = 0, 0, 0, 0
  r.rotated_at, r.handed_out_at = r.created_at, r.created_at
  if has(F_ROTATED) then
    r.generation, r.roles_generation, r.replays, r.rotation_key, r.rotated_at, r.handed_out_at, previous, at =
      struct.unpack(ROTATION, bytes, at)
    if previous == 1 then
      r.previous_hash, at = struct.unpack('c32', bytes, at)
    end
  end
  r.subject, at = take(bytes, at)
  if has(F_TENANT) then
    r.tenant, at = take(bytes, at)
  end
  r.identity, at = take(bytes, at)
  r.origin, at = take(bytes, at)
  r.roles, at = take(bytes, at)
  if has(F_PENDING) then
    r.pending, at = take(bytes, at)
  end
  r.operations = ''
  if has(F_OPERATIONS) then
    r.operations, at = take(bytes, at)
  end
  if has(F_DATA) then
    r.data, at = take(bytes, at)
  end
  if at ~= #bytes + 1 then
    corrupt()
  end
  return r
end

local function encode_record(r)
  local rotated = r.generation ~= 0
    or r.roles_generation ~= 0
    or r.replays ~= 0
    or r.rotation_key ~= 0
    or r.rotated_at ~= r.created_at
    or r.handed_out_at ~= r.created_at
    or r.previous_hash ~= nil
  local flags, parts = 0, { '' }
  local function put(flag, bytes)
    flags = flags + flag
    parts[#parts + 1] = bytes
  end
  if r.stamped then
    put(F_STAMPED, '')
  end
  if r.persistent then
    put(F_PERSISTENT, '')
  end
  if r.auth_time ~= r.created_at then
    put(F_AUTH_TIME, struct.pack('>I6', r.auth_time))
  end
  if rotated then
    local previous = r.previous_hash and 1 or 0
    put(
      F_ROTATED,
      struct.pack(ROTATION, r.generation, r.roles_generation, r.replays, r.rotation_key, r.rotated_at, r.handed_out_at, previous)
        .. (r.previous_hash or '')
    )
  end
  put(0, segment(r.subject))
  if r.tenant then
    put(F_TENANT, segment(r.tenant))
  end
  put(0, segment(r.identity) .. segment(r.origin) .. segment(r.roles))
  if r.pending then
    put(F_PENDING, segment(r.pending))
  end
  if r.operations ~= '' then
    put(F_OPERATIONS, segment(r.operations))
  end
  if r.data then
    put(F_DATA, segment(r.data))
  end
  -- stylua: ignore
  parts[1] = struct.pack(HEAD, FORMAT, LIVE, flags, r.version, r.mac_key, r.created_at, r.last_seen_at, r.idle_at,
    r.absolute_at, r.refresh_at, r.last_exp, r.confirmed_at, r.hash)
  r.bytes = table.concat(parts)
  return r.bytes
end

local function decode_tombstone(bytes)
  local t, at, _ = { state = ENDED, bytes = bytes }
  _, _, t.ended_at, t.keep_until, at = struct.unpack('>BBI6I6', bytes)
  t.replaced_by = take(bytes, at)
  return t
end

local function encode_tombstone(ended_at, keep_until, why, replaced_by)
  return struct.pack('>BBI6I6', FORMAT, ENDED, ended_at, keep_until) .. segment(replaced_by or '') .. why
end

-- A live record or a tombstone; `nil` when it is neither, or was written by a release that this one does not know.
local function try_decode(bytes)
  local format, state = string.byte(bytes, 1, 2)
  if format ~= FORMAT then
    return nil
  end
  local ok, kept = pcall(state == LIVE and decode_record or decode_tombstone, bytes)
  return ok and (state == LIVE or state == ENDED) and kept or nil
end

-- `nil` when there is no such id.
local function find(tail)
  local bytes = redis.call('GET', session_key(tail))
  if not bytes then
    return nil
  end
  return try_decode(bytes) or corrupt()
end

local function deadline_of(r)
  return math.min(r.idle_at, r.absolute_at)
end

local function keep_until_of(r)
  return math.max(deadline_of(r), r.refresh_at, r.last_exp == 0 and 0 or r.last_exp + MAX_LEEWAY_MS)
end

local function is_live(r, now, floor)
  return deadline_of(r) > now and r.created_at > floor
end

-- Notes that a session was used. Forward only.
local function move_forward(r, idle_at, now)
  r.last_seen_at = math.max(r.last_seen_at, now)
  r.idle_at = math.max(r.idle_at, math.min(idle_at, r.absolute_at))
end

-- Remembers that an access token may exist until `stamp + access_ms`.
local function add_access(r, stamp, access_ms)
  if access_ms ~= 0 then
    r.last_exp = math.max(r.last_exp, stamp + access_ms)
  end
end
