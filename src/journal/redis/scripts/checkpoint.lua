-- Keeps the last part of a checkpoint and makes it the newest one, if the caller has the lease, all parts are there, its
-- place is of the present history, and no newer one is kept.
--
-- KEYS: checkpoint, lease, meta, generations, the parts
-- ARGV: the lease's holder, place, epoch of the place, the number of the parts before the last, the last part
-- Answers 'kept', 'newer' (another one is), or the reason why not: 'lease', 'parts', 'history'.

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lease' end
if redis.call('HLEN', KEYS[5]) ~= tonumber(ARGV[4]) then return 'parts' end

local lines = redis.call('LRANGE', KEYS[4], 0, -1)
local seq = tonumber(redis.call('HGET', KEYS[3], 'seq') or '0')

-- The newest place that an epoch names; none for an epoch of another history.
local function newest(epoch)
  local ends = seq
  for n = #lines, 1, -1 do
    local of, began = string.match(lines[n], '^(%d+):(%d+):')
    if of == epoch then return ends end
    ends = math.min(ends, tonumber(began))
  end
  return nil
end

local place, reach = tonumber(ARGV[2]), newest(ARGV[3])
if reach == nil or place > reach then return 'history' end
local at, epoch, _, parts = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+) (.*)$')
if at then
  local known = newest(epoch)
  if known and tonumber(at) <= known and tonumber(at) >= place then
    redis.call('DEL', KEYS[5])
    return 'newer'
  end
end
redis.call('HSET', KEYS[5], ARGV[4], ARGV[5])
redis.call('PERSIST', KEYS[5])
redis.call('SET', KEYS[1], string.format('%s %s %d %s', ARGV[2], ARGV[3], tonumber(ARGV[4]) + 1, KEYS[5]))
if parts and parts ~= KEYS[5] then redis.call('DEL', parts) end
return 'kept'
