-- Lets go of the oldest events that are over a bound, and of their ids: one step, which reads no more than it must. Those
-- of one entry go together, when the last of them is over the bound.
--
-- KEYS: meta, stream, ids, checkpoint, lease
-- ARGV: most events, the oldest time in ms, most bytes, the lease's holder, events of a step, bytes of a step
-- Answers the first place that is kept, the bytes, and how many went by count, by age and by bytes.

-- The most entries of one reading: each may have a megabyte, and their texts come along.
local AT_ONCE = 16

local meta = redis.call('HMGET', KEYS[1], 'seq', 'bytes', 'first')
local seq, bytes, first = tonumber(meta[1] or '0'), tonumber(meta[2] or '0'), tonumber(meta[3] or '1')
local count, age, size = 0, 0, 0

local function answer()
  return { string.format('%d', first), string.format('%d', bytes), count, age, size }
end

-- A node that was paused may think that it still has the lease.
if redis.call('GET', KEYS[5]) ~= ARGV[4] then return answer() end

-- The state is rebuilt from the newest checkpoint: nothing newer may go.
local ceiling = tonumber(string.match(redis.call('GET', KEYS[4]) or '', '^(%d+)') or '0')
local max_events, oldest, max_bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local step, step_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local ids, from, at_once, read, ended = {}, '-', 1, 0, false
first = seq + 1
while not ended and #ids < step and read < step_bytes do
  local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', at_once)
  if #entries == 0 then
    first = seq + 1
    break
  end
  for n = 1, #entries do
    local place = tonumber(string.match(entries[n][1], '^(%d+)'))
    local field = {}
    for f = 1, #entries[n][2], 2 do
      field[entries[n][2][f]] = entries[n][2][f + 1]
    end
    local of = field.i or ''
    local events = #of / 16
    local held = #(field.d or '') + 200 * events
    read = read + held
    first = place - events + 1
    if place > ceiling then ended = true
    elseif seq - place + 1 > max_events then count = count + events
    elseif tonumber(field.t or '0') < oldest then age = age + events
    elseif bytes > max_bytes then size = size + events
    else ended = true end
    if ended then break end
    bytes = bytes - held
    for at = 1, #of, 16 do ids[#ids + 1] = string.sub(of, at, at + 15) end
    first = place + 1
    from = '(' .. entries[n][1]
  end
  at_once = math.min(at_once * 2, AT_ONCE)
end
if #ids > 0 then
  redis.call('HDEL', KEYS[3], unpack(ids))
  redis.call('XTRIM', KEYS[2], 'MINID', string.format('%d-0', first))
  redis.call('HSET', KEYS[1], 'first', string.format('%d', first), 'bytes', string.format('%d', math.max(bytes, 0)))
end
return answer()
