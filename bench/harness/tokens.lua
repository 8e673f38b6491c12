-- wrk: a GET of its URL with one of many headers, in random order, over connections that stay open. Waits for a line before it begins.
-- Arguments: a file with a header line for each request ("name: value"), and the seed of the order.
local requests = {}

function init(args)
  math.randomseed(tonumber(args[2]))
  for line in io.lines(args[1]) do
    local name, value = line:match("^(%S+): (.*)$")
    requests[#requests + 1] = wrk.format("GET", nil, { Host = "127.0.0.1", [name] = value })
  end
  io.write("ready\n")
  io.flush()
  io.read()
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"refused":%d,"broken":%d}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
