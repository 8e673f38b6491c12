--[[ read-subject-1 - @readonly the gate of a subject; steps/list.ts is the reference.
  KEYS[1] index of the subject
  ARGV[1] now, epoch ms
  Returns {epoch, 1 when blocked, number of live sessions, primary}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/whole-slot"
--- @include "includes/index-read"
local now, live = tonumber(ARGV[1]), 0
for _, member in ipairs(read_members()) do
  if member.deadline and member.deadline > now and is_kept(member) then
    live = live + 1
  end
end
local gate = read_gate()
return { gate.epoch, gate.blocked and 1 or 0, live, primary() }
