--- @include "includes/segments"
--[[ The stored form of a session and of its tombstone; record-codec.ts is the other half, docs/storage-schema.md the
  description. A field that has its default value is left out, and its flag says so. Times besides `created_at` are
  stored as the difference to it. The segments `subject`, `tenant`, `identity`, `origin` and `data` are copied and never
  looked into: cjson would turn empty arrays into objects and round large numbers. Nor is `more`, which a newer release has
  added.
]]
local LIVE, ENDED = 1, 2
local HEAD, ROTATION = '>BBI2BI6i5c32', '>I4I4I2Bi5i5B'
local MAX_LEEWAY_MS = 300000
local FLAG = {
  version = 1,
  last_seen_at = 2,
  idle_at = 4,
  refresh_at = 8,
  last_exp = 16,
  confirmed_at = 32,
  auth_time = 64,
  rotation = 128,
  tenant = 256,
  pending = 512,
  operations = 1024,
  data = 2048,
  stamped = 4096,
  persistent = 8192,
  data_version = 16384,
  more = 32768,
}
-- In the order in which they are stored.
local TIMES = { 'last_seen_at', 'idle_at', 'refresh_at', 'last_exp', 'confirmed_at', 'auth_time' }

local function default_time(r, name)
  if name == 'idle_at' or name == 'refresh_at' then
    return r.absolute_at
  end
  return (name == 'last_exp' or name == 'confirmed_at') and 0 or r.created_at
end

local function decode_record(bytes)
  local r, flags, at, previous, _ = { state = LIVE, bytes = bytes }
  r.format, _, flags, r.mac_key, r.created_at, r.absolute_at, r.hash, at = struct.unpack(HEAD, bytes)
  local function has(name)
    return bit.band(flags, FLAG[name]) ~= 0
  end
  local function text(name, always)
    if always or has(name) then
      r[name], at = take(bytes, at)
    end
  end
  r.absolute_at = r.created_at + r.absolute_at
  r.stamped, r.persistent, r.version = has('stamped'), has('persistent'), 1
  if has('version') then
    r.version, at = struct.unpack('>I4', bytes, at)
  end
  if has('data_version') then
    r.data_version, at = struct.unpack('>I2', bytes, at)
  end
  for _, name in ipairs(TIMES) do
    r[name] = default_time(r, name)
    if has(name) then
      r[name], at = struct.unpack('>i5', bytes, at)
      r[name] = r.created_at + r[name]
    end
  end
  r.generation, r.roles_generation, r.replays, r.rotation_key = 0, 0, 0, 0
  r.rotated_at, r.handed_out_at = r.created_at, r.created_at
  if has('rotation') then
    r.generation, r.roles_generation, r.replays, r.rotation_key, r.rotated_at, r.handed_out_at, previous, at =
      struct.unpack(ROTATION, bytes, at)
    r.rotated_at, r.handed_out_at = r.created_at + r.rotated_at, r.created_at + r.handed_out_at
    if previous == 1 then
      r.previous_hash, at = struct.unpack('c32', bytes, at)
    end
  end
  r.operations = ''
  text('subject', true)
  text('tenant')
  text('identity', true)
  text('origin', true)
  text('roles', true)
  text('pending')
  text('operations')
  text('data')
  text('more')
  if at ~= #bytes + 1 then
    corrupt()
  end
  return r
end

local function encode_record(r)
  local flags, parts = 0, { '' }
  local function put(name, bytes)
    flags = flags + FLAG[name]
    parts[#parts + 1] = bytes
  end
  if r.stamped then
    put('stamped', '')
  end
  if r.persistent then
    put('persistent', '')
  end
  if r.version ~= 1 then
    put('version', struct.pack('>I4', r.version))
  end
  if r.data_version then
    put('data_version', struct.pack('>I2', r.data_version))
  end
  for _, name in ipairs(TIMES) do
    if r[name] ~= default_time(r, name) then
      put(name, struct.pack('>i5', r[name] - r.created_at))
    end
  end
  local counters = r.generation + r.roles_generation + r.replays + r.rotation_key
  if counters > 0 or r.rotated_at ~= r.created_at or r.handed_out_at ~= r.created_at or r.previous_hash then
    local rotated, handed_out = r.rotated_at - r.created_at, r.handed_out_at - r.created_at
    local previous = r.previous_hash and 1 or 0
    -- stylua: ignore
    put('rotation', struct.pack(ROTATION, r.generation, r.roles_generation, r.replays, r.rotation_key, rotated, handed_out,
      previous) .. (r.previous_hash or ''))
  end
  parts[#parts + 1] = segment(r.subject)
  if r.tenant then
    put('tenant', segment(r.tenant))
  end
  parts[#parts + 1] = segment(r.identity) .. segment(r.origin) .. segment(r.roles)
  if r.pending then
    put('pending', segment(r.pending))
  end
  if r.operations ~= '' then
    put('operations', segment(r.operations))
  end
  if r.data then
    put('data', segment(r.data))
  end
  if r.more then
    put('more', segment(r.more))
  end
  local absolute = r.absolute_at - r.created_at
  parts[1] = struct.pack(HEAD, math.max(r.format, FORMAT), LIVE, flags, r.mac_key, r.created_at, absolute, r.hash)
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
  if not format or format % MINOR ~= FORMAT % MINOR then
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
  check_format(bytes)
  return try_decode(bytes) or corrupt()
end

local function deadline_of(r)
  return math.min(r.idle_at, r.absolute_at)
end

local function keep_until_of(r)
  return math.max(deadline_of(r), r.refresh_at, r.stamped and r.last_exp + MAX_LEEWAY_MS or r.last_exp)
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
