--[[ end-subject-2 - ends all sessions of a subject and moves its epoch; steps/end.ts is the reference.
  KEYS[1] index of the subject   KEYS[2] its revocation record
  ARGV[1] now, epoch ms   ARGV[2] reason   ARGV[3] id of the session to spare, or empty
  ARGV[4] 1 blocks, 0 unblocks, empty leaves it
  Returns {epoch, primary, number of ids, id of each live session that this call ended,
    id of each session known to have ended}
]]
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
local now, why = tonumber(ARGV[1]), ARGV[2]
local spared = ARGV[3] ~= '' and follow(tail_of(ARGV[3])) or nil
local answer, last_until = { 0, primary(), 0 }, 0

-- Whatever could fail fails here, before anything is written.
read_gate()
read_revocations()

for _, member in ipairs(read_members()) do
  local tail = member.tail
  local bytes = member.deadline and redis.call('GET', session_key(tail))
  if member.keep_until then
    last_until = math.max(last_until, member.keep_until)
  elseif not bytes then
    redis.call('HDEL', index_key, tail)
  else
    local record = try_decode(bytes)
    local keep_until = record and keep_until_of(record) or redis.call('PEXPIRETIME', session_key(tail))
    last_until = math.max(last_until, keep_until)
    if tail ~= spared then
      if not record or is_live(record, now, 0) then
        answer[#answer + 1] = tag .. tail
      end
      if record then
        end_record(tail, record, why, now)
      else
        end_unreadable(tail, why, now)
      end
    end
  end
end
cap_tombstones(now)
raise_not_before(now)

local blocked
if ARGV[4] ~= '' then
  blocked = ARGV[4] == '1'
end
answer[1] = move_epoch(now, blocked)
-- A subject that was blocked had an index without an end; now it needs the right one again.
keep_index(last_until)
answer[3] = #answer - 3
return append_ended(answer)
