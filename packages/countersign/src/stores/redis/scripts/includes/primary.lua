--[[ Who runs this script: 16 digits that change with every restart and every failover of the server, and how many replicas
  are connected to it. Empty where the user may not ask. It is asked inside the script, so it is true of this very write.
]]
local function primary()
  local info = redis.pcall('INFO', 'replication')
  if type(info) ~= 'string' then
    return ''
  end
  local id = string.match(info, 'master_replid:(%x+)') or ''
  return string.sub(id, 1, 16) .. ' ' .. (string.match(info, 'connected_slaves:(%d+)') or '0')
end

-- 0 to 2047: what an epoch carries of the primary that told it. verbs/epoch.ts has the other half.
local function number_of(id)
  return math.floor((tonumber(string.sub(id, 1, 3), 16) or 0) / 2)
end
