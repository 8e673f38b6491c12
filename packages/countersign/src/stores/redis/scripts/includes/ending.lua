--- @include "includes/whole-slot"
--- @include "includes/record"
--- @include "includes/index-read"
--- @include "includes/index-write"
--- @include "includes/revocations"

-- Turns a live record into its tombstone and enters it in the revocation record, which comes first because it could be
-- unreadable. Afterwards call cap_tombstones.
local function end_record(tail, r, why, now, replaced_by)
  if r.stamped then
    deny(r, 's:' .. tail, r.last_exp + MAX_LEEWAY_MS, why, now)
  end
  bury(tail, why, now, keep_until_of(r), replaced_by)
end

--[[ Ends a record that this release cannot read: nothing may keep a session alive because it is damaged, or because a
  newer release wrote it. How long its tokens live is known from its key.
]]
local function end_unreadable(tail, why, now)
  local keep_until = redis.call('PEXPIRETIME', session_key(tail))
  local state = read_revocations()
  if state then
    state.until_ms = math.max(state.until_ms, keep_until + MAX_LEEWAY_MS)
    write_revocations(state, 's:' .. tail, struct.pack('>I6', keep_until + MAX_LEEWAY_MS) .. why)
  end
  bury(tail, why, now, keep_until)
end

-- The id that took over from one that was replaced, however often.
local function follow(tail)
  for _ = 1, 1000 do
    local bytes = redis.call('GET', session_key(tail))
    local kept = bytes and try_decode(bytes)
    if not kept or kept.state == LIVE or kept.replaced_by == '' then
      return tail
    end
    tail = tail_of(kept.replaced_by)
  end
  corrupt()
end
