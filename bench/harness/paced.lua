-- wrk: what tokens.lua does, with a pause before each request of a connection. Third argument: the pause, milliseconds.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "tokens.lua")

local prepare = init
local pause = 0

function init(args)
  prepare(args)
  pause = tonumber(args[3])
end

function delay()
  -- Half to one and a half times the pause, so that the connections do not fall into step.
  return math.floor(pause * (0.5 + math.random()))
end
