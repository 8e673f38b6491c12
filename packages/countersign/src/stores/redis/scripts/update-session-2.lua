--[[ update-session-2 - replaces the data of a session if nobody else did; steps/update.ts is the reference.
  @grows: refused when the memory of the server is full.
  KEYS[1] index of the subject   KEYS[2] the session
  ARGV[1] now, epoch ms   ARGV[2] version expected   ARGV[3] data   ARGV[4] id of the operation, or empty for none
  ARGV[5] version of the schema of the data, or empty for 1
  Returns {stored | repeated, record, primary} or {conflict | expired, record} or {ended, tombstone} or {unknown}
]]
--- @include "includes/outcome"
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/index-write"
local MAX_OPERATIONS = 16
local now, operation = tonumber(ARGV[1]), ARGV[4]
local tail = string.sub(KEYS[2], #session_prefix + 1)

local record = find(tail)
if not record then
  return { outcome.unknown }
end
if record.state == ENDED then
  return { outcome.ended, record.bytes }
end
if not is_live(record, now, 0) then
  return { outcome.expired, record.bytes }
end

local operations, at = {}, 1
while at <= #record.operations do
  operations[#operations + 1], at = take(record.operations, at)
end
if operation ~= '' then
  for _, done in ipairs(operations) do
    if done == operation then
      return { outcome.repeated, record.bytes, primary() }
    end
  end
end
if record.version ~= tonumber(ARGV[2]) then
  return { outcome.conflict, record.bytes }
end

if operation ~= '' then
  operations[#operations + 1] = operation
  record.operations = ''
  for i = math.max(1, #operations - MAX_OPERATIONS + 1), #operations do
    record.operations = record.operations .. segment(operations[i])
  end
end
record.data, record.data_version = ARGV[3], tonumber(ARGV[5])
record.version = record.version + 1
put(tail, record)
return { outcome.stored, record.bytes, primary() }
