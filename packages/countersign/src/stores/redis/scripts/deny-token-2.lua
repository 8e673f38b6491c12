--[[ deny-token-2 - refuses one token until it is over; steps/end.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record
  ARGV[1] now, epoch ms   ARGV[2] jti   ARGV[3] until, epoch ms   ARGV[4] subject   ARGV[5] tenant, or empty
  Returns {epoch, primary}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/revocations"
local subject = { subject = ARGV[4], tenant = ARGV[5] }
deny(subject, 'j:' .. ARGV[2], tonumber(ARGV[3]), '', tonumber(ARGV[1]))
return { read_gate().epoch, primary() }
