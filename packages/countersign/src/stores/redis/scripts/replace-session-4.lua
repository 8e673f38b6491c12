--[[ replace-session-4 - gives a live session a new id and new secrets; steps/create.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record   KEYS[3] the old session   KEYS[4] the new one
  ARGV[1] now, epoch ms   ARGV[2] record of the new session   ARGV[3] life of an access token, ms, or 0
  ARGV[4] floor, epoch ms
  Returns {replaced, record, stamp, primary} or {expired, old record} or {ended, tombstone} or {unknown | blocked | exists}
]]
--- @include "includes/outcome"
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
local now, floor = tonumber(ARGV[1]), tonumber(ARGV[4])
local old_tail, new_tail = string.sub(KEYS[3], #session_prefix + 1), string.sub(KEYS[4], #session_prefix + 1)
local record = decode_record(ARGV[2])

local old = find(old_tail)
if not old then
  return { outcome.unknown }
end
if old.state == ENDED then
  return { outcome.ended, old.bytes }
end
if not is_live(old, now, floor) then
  return { outcome.expired, old.bytes }
end
if read_gate().blocked then
  return { outcome.blocked }
end
if redis.call('EXISTS', KEYS[4]) == 1 then
  return { outcome.exists }
end

if old.more or old.format > FORMAT then
  record.more, record.format = old.more, old.format
end
record.data, record.data_version = old.data, old.data_version
record.version, record.operations = old.version, old.operations
record.roles, record.pending, record.roles_generation = old.pending or old.roles, nil, 0
record.created_at, record.absolute_at = old.created_at, old.absolute_at
record.idle_at = math.min(record.idle_at, old.absolute_at)
record.refresh_at = math.min(record.refresh_at, old.absolute_at)

local stamp = stamp_of(record, floor, now)
add_access(record, stamp, tonumber(ARGV[3]))
put(new_tail, record)
note_stamp(record, stamp, now)
end_record(old_tail, old, 'replaced', now, tag .. new_tail)
cap_tombstones(now)
return { outcome.replaced, record.bytes, stamp, primary() }
