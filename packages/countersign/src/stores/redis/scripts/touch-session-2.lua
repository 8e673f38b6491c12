--[[ touch-session-2 - notes that a session was used; steps/rotate.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] the session
  ARGV[1] now, epoch ms   ARGV[2] idle deadline, epoch ms   ARGV[3] generation to confirm, or empty
  Returns 1 noted, 0 there is no such live session
]]
--- @include "includes/subject"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/index-write"
local now = tonumber(ARGV[1])
local tail = string.sub(KEYS[2], #session_prefix + 1)

local record = find(tail)
if not record or record.state == ENDED or not is_live(record, now, 0) then
  return 0
end
move_forward(record, tonumber(ARGV[2]), now)
if record.confirmed_at == 0 and tonumber(ARGV[3]) == record.generation then
  record.confirmed_at = now
end
put(tail, record)
return 1
