-- wrk: a GET with one of many headers, in random order, over connections that stay open.
-- Arguments: a file with a header line for each request ("name: value"), and the seed of the order.
local requests = {}

function init(args)
  math.randomseed(tonumber(args[2]))
  for line in io.lines(args[1]) do
    local name, value = line:match("^(%S+): (.*)$")
    requests[#requests + 1] = wrk.format("GET", "/", { Host = "127.0.0.1", [name] = value })
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
