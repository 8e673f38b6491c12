--[[ The revocation record of a subject, KEYS[2]: a hash with `head`, one field `s:<tail>` per ended session and one
  field `j:<jti>` per refused token. Only sessions with the flag `stamped` write it.
]]
local revocations_key = KEYS[2]
local REVOCATIONS_HEAD = '>I6I6I6'

local function read_revocations()
  local head = redis.call('HGET', revocations_key, 'head')
  if not head then
    return nil
  end
  if #head < 20 then
    corrupt()
  end
  local state, at = {}
  state.not_before, state.last_stamp, state.until_ms, at = struct.unpack(REVOCATIONS_HEAD, head)
  state.named = string.sub(head, at)
  return state
end

local function write_revocations(state, field, entry)
  local head = struct.pack(REVOCATIONS_HEAD, state.not_before, state.last_stamp, state.until_ms) .. state.named
  redis.call('HSET', revocations_key, 'head', head, unpack(field and { field, entry } or {}))
  redis.call('PEXPIREAT', revocations_key, whole(math.max(1, state.until_ms)))
end

--[[ The record without what is over, or a new one for a subject with the fields `subject` and `tenant`. A new one refuses
  every token that exists: there is none, or the store has lost the record that said which of them had ended.
]]
local function revocations_of(subject, now)
  local state = read_revocations()
  if not state then
    local named = segment(subject.subject) .. segment(subject.tenant or '')
    return { not_before = now - 1, last_stamp = 0, until_ms = 0, named = named }
  end
  local flat = redis.call('HGETALL', revocations_key)
  for i = 1, #flat, 2 do
    if flat[i] ~= 'head' and #flat[i + 1] >= 6 and struct.unpack('>I6', flat[i + 1]) <= now then
      redis.call('HDEL', revocations_key, flat[i])
    end
  end
  return state
end

-- What an access token made now counts from: above every stamp that has been refused.
local function stamp_of(r, floor, now)
  local state = r.stamped and read_revocations()
  return math.max(now, floor + 1, (state and state.not_before or 0) + 1)
end

-- Notes that a token of `r` with this stamp may exist until its last `exp` plus leeway.
local function note_stamp(r, stamp, now)
  if not r.stamped then
    return
  end
  local state = revocations_of(r, now)
  state.last_stamp = math.max(state.last_stamp, stamp)
  state.until_ms = math.max(state.until_ms, r.last_exp + MAX_LEEWAY_MS)
  write_revocations(state)
end

local function deny(subject, field, until_ms, why, now)
  local state = revocations_of(subject, now)
  state.until_ms = math.max(state.until_ms, until_ms)
  write_revocations(state, field, struct.pack('>I6', until_ms) .. why)
end

-- Refuses every token of the subject that exists. Does nothing where none can exist.
local function raise_not_before(now)
  local state = read_revocations()
  if state then
    state.not_before = math.max(now, state.not_before + 1, state.last_stamp)
    write_revocations(state)
  end
end
