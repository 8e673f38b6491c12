--[[ end-session-3 - ends one session, following ids that were replaced; steps/end.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record   KEYS[3] the session
  ARGV[1] now, epoch ms   ARGV[2] reason   ARGV[3] how long an unknown id is remembered, epoch ms
  ARGV[4] 1 when an unknown id is entered in the revocation record as well
  Returns {epoch, primary, 1 or 0, id that this call ended if it was live, id of each session known to have ended}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
local now, why, unknown_until = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local answer = { read_gate().epoch, primary(), 0 }

local tail = follow(string.sub(KEYS[3], #session_prefix + 1))
local bytes = redis.call('GET', session_key(tail))
local kept = bytes and try_decode(bytes)
if not bytes then
  bury(tail, why, now, unknown_until)
  if ARGV[4] == '1' and read_revocations() then
    deny(nil, 's:' .. tail, unknown_until, why, now)
  end
elseif not kept then
  end_unreadable(tail, why, now)
  answer[3], answer[4] = 1, tag .. tail
elseif kept.state == LIVE then
  end_record(tail, kept, why, now)
  if is_live(kept, now, 0) then
    answer[3], answer[4] = 1, tag .. tail
  end
end
cap_tombstones(now)
return append_ended(answer)
