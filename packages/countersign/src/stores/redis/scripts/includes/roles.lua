--[[ Gives all sessions of a subject these roles, joined by commas: what a session has and they lack is gone, what it lacks
  waits. Appends the ids of live sessions that changed to `answer` and returns whether any session did. Reads everything
  before it writes anything: what cannot be read fails the call as a whole.
]]
local function apply_roles(roles, now, answer)
  local wanted, records, changed = {}, {}, false
  for role in string.gmatch(roles, '[^,]+') do
    wanted[role] = true
  end
  for _, member in ipairs(read_members()) do
    local record = member.deadline and find(member.tail)
    if record and record.state == LIVE then
      records[#records + 1] = { tail = member.tail, record = record }
    end
  end
  for _, entry in ipairs(records) do
    local record = entry.record
    local kept, has, loses, gains = {}, {}, false, false
    for role in string.gmatch(record.roles, '[^,]+') do
      if wanted[role] then
        kept[#kept + 1] = role
        has[role] = true
      else
        loses = true
      end
    end
    for role in pairs(wanted) do
      gains = gains or not has[role]
    end
    local pending = gains and roles or nil
    if loses or pending ~= record.pending then
      record.roles, record.pending = table.concat(kept, ','), pending
      put(entry.tail, record)
      changed = true
      if is_live(record, now, 0) then
        answer[#answer + 1] = tag .. entry.tail
      end
    end
  end
  return changed
end
