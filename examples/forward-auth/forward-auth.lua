-- Asks Countersign whether a request may pass, and says to the upstream who it is from: `http-request lua.forward_auth URL`.
-- The only way on is an answer of 200, and then the last thing that is done is to set txn.forward_auth to `passed`: HAProxy
-- skips an action that fails, so its configuration has to look for it.

-- What is asked about. Nothing else is sent, so that no field of the client can stand for one of ours.
local ASKED = {
  "cookie", "authorization", "origin", "referer", "user-agent", "accept", "upgrade",
  "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest",
}
-- What the client is told when the answer is no.
local TOLD = { "content-type", "cache-control", "location", "www-authenticate", "retry-after" }
local TIMEOUT_MS = 5000
local OURS = { ["__Host-access"] = true, ["__Host-refresh"] = true }

-- HAProxy counts the values of a field from 0.
local function values(list)
  local all = {}
  if list then
    local i = list[0] == nil and 1 or 0
    while list[i] ~= nil do
      all[#all + 1] = list[i]
      i = i + 1
    end
  end
  return all
end

-- The cookies of others, or nil when there are none.
local function without_ours(fields)
  local kept = {}
  for part in table.concat(fields, "; "):gmatch("[^;]+") do
    local cookie = part:match("^[ \t]*(.-)[ \t]*$")
    if cookie ~= "" and not OURS[cookie:match("^[^=]*"):match("^(.-)[ \t]*$")] then
      kept[#kept + 1] = cookie
    end
  end
  return #kept > 0 and table.concat(kept, "; ") or nil
end

local function answer(txn, status, headers, body)
  local reply = txn:reply()
  reply:set_status(status)
  for name, list in pairs(headers) do
    for _, value in ipairs(list) do reply:add_header(name, value) end
  end
  reply:set_body(body or "")
  txn:done(reply)
end

core.register_action("forward_auth", { "http-req" }, function(txn, url)
  local http = txn.http
  local sent = http:req_get_headers()
  local asked = {
    ["x-forwarded-for"] = { txn.f:src() },
    ["x-forwarded-method"] = { txn.f:method() },
    ["x-forwarded-uri"] = { txn.f:pathq() },
  }
  for _, name in ipairs(ASKED) do
    local list = values(sent[name])
    if #list > 0 then asked[name] = name == "cookie" and { table.concat(list, "; ") } or list end
  end

  local done = core.httpclient():get({ url = url, headers = asked, timeout = TIMEOUT_MS })
  local status = done and done.status
  if status ~= 200 and status ~= 303 and status ~= 401 and status ~= 403 then
    if status ~= 503 then core.Warning("forward_auth: answered with " .. tostring(status)) end
    return
  end
  if status ~= 200 then
    local told = {}
    for _, name in ipairs(TOLD) do told[name] = values(done.headers[name]) end
    return answer(txn, status, told, done.body)
  end

  -- Every spelling of what only we may say: X_Auth_Subject is the same to many programs.
  for name, _ in pairs(sent) do
    if name:lower():gsub("[^%w]", "-"):find("^x%-auth%-") then http:req_del_header(name) end
  end
  for name, list in pairs(done.headers) do
    if name:find("^x%-auth%-") then http:req_set_header(name, values(list)[1] or "") end
  end
  local cookies = without_ours(values(sent["cookie"]))
  http:req_del_header("cookie")
  if cookies then http:req_set_header("cookie", cookies) end
  -- A bearer token is ours too: the upstream could use it elsewhere.
  if (values(sent["authorization"])[1] or ""):lower():find("^bearer") then http:req_del_header("authorization") end
  -- Whoever names a field there would have it taken away by the next proxy. Only WebSockets may upgrade.
  local upgrades = (values(sent["upgrade"])[1] or ""):lower() == "websocket"
  http:req_del_header("connection")
  http:req_del_header("upgrade")
  if upgrades then
    http:req_set_header("connection", "upgrade")
    http:req_set_header("upgrade", "websocket")
  end
  http:req_set_header("x-forwarded-for", txn.f:src())
  txn:set_var("txn.forward_auth", "passed")
end, 1)
