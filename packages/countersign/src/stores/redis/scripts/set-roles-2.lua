--[[ set-roles-2 - sets the roles of all sessions of a subject and moves its epoch; steps/end.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record
  ARGV[1] now, epoch ms   ARGV[2] roles, joined by commas
  Returns {epoch, id of each live session that changed}
]]
--- @include "includes/subject"
--- @include "includes/whole-slot"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/index-write"
--- @include "includes/revocations"
local now, roles = tonumber(ARGV[1]), ARGV[2]
local wanted = {}
for role in string.gmatch(roles, '[^,]+') do
  wanted[role] = true
end

-- Reads everything before it writes anything: what cannot be read fails the call as a whole.
read_gate()
read_revocations()
local records = {}
for _, member in ipairs(read_members()) do
  local record = member.deadline and find(member.tail)
  if record and record.state == LIVE then
    records[#records + 1] = { tail = member.tail, record = record }
  end
end

local answer, changed = { 0 }, false
for _, entry in ipairs(records) do
  local record = entry.record
  local kept, has, loses, gains = {}, {}, false, false
  for role in string.gmatch(record.roles, '[^,]+') do
    if wanted[role] then
      kept[#kept + 1] = role
      has[role] = true
    else
      loses = true
    end
  end
  for role in pairs(wanted) do
    gains = gains or not has[role]
  end
  local pending = gains and roles or nil
  if loses or pending ~= record.pending then
    record.roles, record.pending = table.concat(kept, ','), pending
    put(entry.tail, record)
    changed = true
    if is_live(record, now, 0) then
      answer[#answer + 1] = tag .. entry.tail
    end
  end
end
if changed then
  raise_not_before(now)
end
answer[1] = move_epoch(now)
return answer
