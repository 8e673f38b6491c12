--[[ list-sessions-1 - @readonly live sessions by creation time and id; steps/list.ts is the reference.
  KEYS[1] index of the subject
  ARGV[1] now, epoch ms   ARGV[2] cursor to start after, or empty   ARGV[3] most sessions   ARGV[4] floor, epoch ms
  Returns {cursor for the next page or empty, then id and record of each session}
]]
--- @include "includes/subject"
--- @include "includes/whole-slot"
--- @include "includes/index-read"
local now, after, limit, floor = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local places = {}
for _, member in ipairs(read_members()) do
  if member.deadline and member.deadline > now and member.created_at > floor then
    local place = string.format('%015.0f', member.created_at) .. '.' .. tag .. member.tail
    if less(after, place) then
      places[#places + 1] = { place = place, tail = member.tail }
    end
  end
end
table.sort(places, function(a, b)
  return less(a.place, b.place)
end)

local answer, last = { '' }, ''
for _, at in ipairs(places) do
  -- Loads no more than a page; an entry whose record has gone is no session.
  local bytes = redis.call('GET', session_key(at.tail))
  if bytes then
    if #answer > 2 * limit then
      answer[1] = last
      break
    end
    answer[#answer + 1] = tag .. at.tail
    answer[#answer + 1] = bytes
    last = at.place
  end
end
return answer
