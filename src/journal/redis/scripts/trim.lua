-- Lets go of the oldest events that are over a bound, and of their ids: one step.
--
-- KEYS: meta, stream, ids
-- ARGV: most events, the oldest time in ms, most bytes, the last place that may go, events of a step
-- Answers the first place that is kept, the bytes, and how many went by count, by age and by bytes.

local meta = redis.call('HMGET', KEYS[1], 'seq', 'bytes')
local seq, bytes = tonumber(meta[1] or '0'), tonumber(meta[2] or '0')
local count, age, size = 0, 0, 0
local first = seq + 1
local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[5])
local ids = {}
for n = 1, #entries do
  local place = tonumber(string.match(entries[n][1], '^(%d+)'))
  local field = {}
  for f = 1, #entries[n][2], 2 do
    field[entries[n][2][f]] = entries[n][2][f + 1]
  end
  first = place
  if place > tonumber(ARGV[4]) then break end
  if seq - place + 1 > tonumber(ARGV[1]) then count = count + 1
  elseif tonumber(field.t or '0') < tonumber(ARGV[2]) then age = age + 1
  elseif bytes > tonumber(ARGV[3]) then size = size + 1
  else break end
  bytes = bytes - #(field.d or '') - 200
  if field.i then ids[#ids + 1] = field.i end
  first = place + 1
end
if #ids > 0 then redis.call('HDEL', KEYS[3], unpack(ids)) end
if count + age + size > 0 then
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-0', first))
  redis.call('HSET', KEYS[1], 'first', string.format('%d', first), 'bytes', string.format('%d', math.max(bytes, 0)))
end
return { string.format('%d', first), string.format('%d', bytes), count, age, size }
