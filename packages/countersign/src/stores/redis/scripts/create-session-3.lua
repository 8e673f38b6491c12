--[[ create-session-3 - adds a session and evicts what the limit names; steps/create.ts is the reference.
  @grows: refused when the memory of the server is full.
  KEYS[1] index of the subject   KEYS[2] its revocation record   KEYS[3] the new session
  ARGV[1] now, epoch ms   ARGV[2] record   ARGV[3] most live sessions
  ARGV[4] reject | evict_oldest | evict_least_recent   ARGV[5] epoch expected, or empty   ARGV[6] floor, epoch ms
  ARGV[7] life of an access token, ms, or 0   ARGV[8] number of the primary that told that epoch, or empty
  Returns {created, stamp, primary, id of each evicted} or {limit | blocked | stale_epoch | exists}
]]
--- @include "includes/outcome"
--- @include "includes/primary"
--- @include "includes/subject"
--- @include "includes/ending"
local now, floor = tonumber(ARGV[1]), tonumber(ARGV[6])
local max_live, overflow = tonumber(ARGV[3]), ARGV[4]
local record = decode_record(ARGV[2])

local runs_here, gate = primary(), read_gate()
if gate.blocked then
  return { outcome.blocked }
end
if ARGV[5] ~= '' and tonumber(ARGV[5]) ~= gate.epoch then
  return { outcome.stale_epoch }
end
-- The epoch came from a server that is not this one any more: what it forgot since may be the move of the epoch.
if ARGV[8] ~= '' and tonumber(ARGV[8]) ~= number_of(runs_here) then
  return { outcome.stale_epoch }
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return { outcome.exists }
end

local live = {}
for _, member in ipairs(prune(read_members(), now)) do
  if member.deadline and member.deadline > now and member.created_at > floor then
    live[#live + 1] = member
  end
end
if #live >= max_live then
  -- Only what is really there may count against the limit: the server may have evicted a record.
  local there = {}
  for _, member in ipairs(live) do
    if is_kept(member) then
      there[#there + 1] = member
    end
  end
  live = there
end
local surplus = #live - max_live + 1
if surplus > 0 and overflow == 'reject' then
  return { outcome.limit }
end

local answer = { outcome.created, 0, runs_here }
if surplus > 0 then
  local by = overflow == 'evict_oldest' and 'created_at' or 'last_seen_at'
  table.sort(live, function(a, b)
    if a[by] ~= b[by] then
      return a[by] < b[by]
    end
    return less(a.tail, b.tail)
  end)
  for i = 1, surplus do
    local tail = live[i].tail
    local other = try_decode(redis.call('GET', session_key(tail)))
    if other then
      end_record(tail, other, 'limit', now)
    else
      end_unreadable(tail, 'limit', now)
    end
    answer[#answer + 1] = tag .. tail
  end
  cap_tombstones(now)
end

local stamp = stamp_of(record, floor, now)
add_access(record, stamp, tonumber(ARGV[7]))
put(string.sub(KEYS[3], #session_prefix + 1), record)
note_stamp(record, stamp, now)
answer[2] = stamp
return answer
