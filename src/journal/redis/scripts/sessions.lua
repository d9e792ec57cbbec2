-- Keeps sessions and lets go of them, but for those that another node holds by now.
--
-- KEYS: sessions
-- ARGV: node, the time in ms, then of each session: name, text ('' lets go of it)
-- Answers the names of those that another node holds.
--
-- A session is kept as 'node', its time and its text, a line each.

local held = {}
for n = 3, #ARGV, 2 do
  local name, text = ARGV[n], ARGV[n + 1]
  local kept = redis.call('HGET', KEYS[1], name)
  local holder = kept and string.match(kept, '^([^\n]*)\n')
  if holder and holder ~= ARGV[1] then
    held[#held + 1] = name
  elseif text == '' then
    redis.call('HDEL', KEYS[1], name)
  else
    redis.call('HSET', KEYS[1], name, ARGV[1] .. '\n' .. ARGV[2] .. '\n' .. text)
  end
end
return held
