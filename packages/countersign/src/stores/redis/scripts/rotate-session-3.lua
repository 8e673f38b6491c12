--[[ rotate-session-3 - the refresh table; steps/rotate.ts is the reference, docs/design/0003 has the rows.
  KEYS[1] index of the subject   KEYS[2] its revocation record   KEYS[3] the session
  ARGV[1] now, epoch ms   ARGV[2] generation presented   ARGV[3] hash presented
  ARGV[4] hash of the successor   ARGV[5] its rotation key   ARGV[6] its MAC key   ARGV[7] refresh deadline, epoch ms
  ARGV[8] origin   ARGV[9] grace, ms   ARGV[10] until_seen | never   ARGV[11] most late repeats
  ARGV[12] life of an access token, ms, or 0   ARGV[13] floor, epoch ms
  ARGV[14] idle deadline where a refresh is activity, epoch ms, or empty   ARGV[15] the same for a persistent session
  ARGV[16] the primary that is known to have forgotten nothing of late, `none`, or empty when nobody asks
  Returns {rotated | replayed | current, record, stamp, previous origin, primary}
    or {reused | rolled_back, record, primary} or {expired | too_many_replays, record} or {ended, tombstone} or {unknown}
]]
--- @include "includes/outcome"
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
local now, floor = tonumber(ARGV[1]), tonumber(ARGV[13])
local presented, hash = tonumber(ARGV[2]), ARGV[3]
local grace = tonumber(ARGV[9])
local tail = string.sub(KEYS[3], #session_prefix + 1)

local record = find(tail)
if not record then
  return { outcome.unknown } -- row 9
end
if record.state == ENDED then
  return { outcome.ended, record.bytes } -- row 9
end
if not is_live(record, now, floor) or record.refresh_at <= now then
  return { outcome.expired, record.bytes }
end
local previous_origin = record.origin

local function finish(is)
  end_record(tail, record, is, now)
  cap_tombstones(now)
  return { outcome[is], record.bytes, primary() }
end

local function hand(is)
  if ARGV[14] ~= '' then
    move_forward(record, tonumber(record.persistent and ARGV[15] or ARGV[14]), now)
  end
  local stamp = stamp_of(record, floor, now)
  add_access(record, stamp, tonumber(ARGV[12]))
  put(tail, record)
  note_stamp(record, stamp, now)
  return { outcome[is], record.bytes, stamp, previous_origin, primary() }
end

-- What another primary has forgotten may be why an honest token is older than it may be: row 10.
local function finish_older()
  local by = string.sub(primary(), 1, 16)
  local is_doubted = ARGV[16] ~= '' and by ~= '' and by ~= ARGV[16]
  return finish(is_doubted and 'rolled_back' or 'reused')
end

if presented > record.generation then
  return finish('rolled_back') -- row 8
end

if presented == record.generation then
  if hash ~= record.hash then
    return finish('rolled_back') -- row 7
  end
  if now - record.handed_out_at < grace then
    if record.confirmed_at == 0 then
      record.confirmed_at = now
    end
    return hand('current') -- row 3
  end
  record.generation = record.generation + 1
  record.previous_hash, record.hash = record.hash, ARGV[4]
  record.rotation_key, record.mac_key = tonumber(ARGV[5]), tonumber(ARGV[6])
  record.rotated_at, record.handed_out_at, record.confirmed_at, record.replays = now, now, 0, 0
  record.origin = ARGV[8]
  record.refresh_at = math.min(tonumber(ARGV[7]), record.absolute_at)
  if record.pending then
    record.roles, record.pending, record.roles_generation = record.pending, nil, record.generation
  end
  return hand('rotated') -- row 2
end

if presented < record.generation - 1 then
  return finish_older() -- row 6
end
if hash ~= record.previous_hash then
  return finish('rolled_back') -- row 7
end
local unconfirmed_or_fresh = record.confirmed_at == 0 or now - record.confirmed_at < grace
if ARGV[10] == 'never' or not unconfirmed_or_fresh then
  return finish_older() -- row 5
end
if now - record.rotated_at >= grace then
  if record.replays >= tonumber(ARGV[11]) then
    return { outcome.too_many_replays, record.bytes }
  end
  record.replays = record.replays + 1
end
record.handed_out_at = now
return hand('replayed') -- row 4
