--[[ reapply-revocations-2 - does again for one subject what a failover or a crash of the server may have lost. Idempotent.
  Names sessions and never "all of them": a login after the failover lives on. Roles and block are set only where nobody
  has set them later. docs/design/0007 has the reasoning.
  KEYS[1] index of the subject   KEYS[2] its revocation record
  ARGV[1] now, epoch ms   ARGV[2] how long an unknown id is remembered, epoch ms
  ARGV[3] newest epoch that the subject was seen to have
  ARGV[4] epoch that its roles were set at, or 0   ARGV[5] those roles, joined by commas
  ARGV[6] epoch that it was blocked or unblocked at, or 0   ARGV[7] 1 blocked, 0 not
  ARGV[8] how many sessions follow   ARGV[9...] id and reason of each, then jti and until of each token
  Returns {primary, 1 when something had been lost, id of each session that was alive again}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
--- @include "includes/roles"
-- durable/held.ts: why a session ended that somebody else ended.
local ENDED_BY_OTHERS = 'rolled_back'
local now, unknown_until, epoch = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local roles_at, block_at = tonumber(ARGV[4]), tonumber(ARGV[6])
local last_session = 8 + 2 * tonumber(ARGV[8])
local answer = { primary(), 0 }

-- Whatever could fail fails here, before anything is written.
local gate, state = read_gate(), read_revocations()
local lost, changed_roles = gate.epoch < epoch, {}
if roles_at > gate.roles_at then
  apply_roles(ARGV[5], now, changed_roles)
  gate.roles_at, lost = roles_at, true
end
if block_at > gate.block_at then
  gate.blocked, gate.block_at, lost = ARGV[7] == '1', block_at, true
end

for at = 9, last_session, 2 do
  local tail, why = tail_of(ARGV[at]), ARGV[at + 1]
  local bytes = redis.call('GET', session_key(tail))
  local kept = bytes and try_decode(bytes)
  if not bytes then
    -- One that was ended by others may just as well have been forgotten as one of the oldest, and nothing has been lost. It is
    -- refused as unknown; burying it again would only drive out one whose reason is known.
    if why ~= ENDED_BY_OTHERS then
      bury(tail, why, now, unknown_until)
    end
    if state then
      deny(nil, 's:' .. tail, unknown_until, why, now)
    end
  elseif not kept then
    end_unreadable(tail, why, now)
    answer[#answer + 1] = tag .. tail
    lost = true
  elseif kept.state == LIVE then
    end_record(tail, kept, why, now)
    if is_live(kept, now, 0) then
      answer[#answer + 1] = tag .. tail
    end
    lost = true
  end
end
cap_tombstones(now)
for at = last_session + 1, #ARGV, 2 do
  if state then
    deny(nil, 'j:' .. ARGV[at], tonumber(ARGV[at + 1]), '', now)
  end
end

if lost then
  -- Fresh: tokens that were made from what the server had forgotten have to go as well.
  raise_not_before(now)
  gate.epoch, gate.moved_at = math.max(gate.epoch, epoch), now
  write_gate(gate)
  answer[2] = 1
end
return answer
