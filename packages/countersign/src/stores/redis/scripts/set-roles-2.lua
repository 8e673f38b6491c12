--[[ set-roles-2 - sets the roles of all sessions of a subject and moves its epoch; steps/end.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record
  ARGV[1] now, epoch ms   ARGV[2] roles, joined by commas
  Returns {epoch, primary, id of each live session that changed}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/whole-slot"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/index-write"
--- @include "includes/revocations"
--- @include "includes/roles"
local now, answer = tonumber(ARGV[1]), { 0, primary() }

-- Whatever could fail fails here, before anything is written.
read_gate()
read_revocations()
if apply_roles(ARGV[2], now, answer) then
  raise_not_before(now)
end
answer[1] = move_epoch(now, nil, true)
return answer
