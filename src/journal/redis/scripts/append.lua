-- Appends events, each once by its id, and begins a generation where the engine's history is another than before.
--
-- KEYS: meta, stream, ids, generations
-- ARGV: the epoch of a generation that may begin, the time in ms, the epoch that the caller has compared with what it
-- knows, then of each event: id, hash of its content, text
-- Answers the present epoch, then for each event '+place' (kept), '=place' (was there), or '!' where its id stands for
-- another event; nothing after that one was tried. Where the present epoch is not the one that the caller has compared,
-- the only other answer is '?', and no event is tried: what was lost is put back first.

local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local meta = redis.call('HMGET', KEYS[1], 'seq', 'replid', 'epoch', 'bytes', 'decided')
local seq, epoch, bytes = tonumber(meta[1] or '0'), meta[3], tonumber(meta[4] or '0')

-- A restart, a promotion, a backup that was put back, the first use. Replication is asynchronous, so the engine that
-- answers now may lack the newest events; from here on other events get their places, and another epoch tells them apart.
-- With it stands the number of times that an admin's decisions were kept by then: it may lack the newest of these, too.
if meta[2] ~= replid then
  epoch = ARGV[1]
  redis.call('RPUSH', KEYS[4], string.format('%s:%d:%s', epoch, seq, meta[5] or '0'))
  redis.call('LTRIM', KEYS[4], -10000, -1)
  redis.call('HSET', KEYS[1], 'replid', replid, 'epoch', epoch, 'seq', string.format('%d', seq))
end

local out = { epoch }
if #ARGV > 3 and ARGV[3] ~= epoch then
  out[2] = '?'
  return out
end
local kept = 0
for n = 4, #ARGV, 3 do
  local id, content, text = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local known = redis.call('HGET', KEYS[3], id)
  if known then
    local place, of = string.match(known, '^(%d+) (.*)$')
    if of ~= content then
      out[#out + 1] = '!'
      break
    end
    out[#out + 1] = '=' .. place
  else
    seq = seq + 1
    kept = kept + 1
    local place = string.format('%d', seq)
    redis.call('XADD', KEYS[2], place .. '-0', 'e', epoch, 'i', id, 'c', content, 't', ARGV[2], 'd', text)
    redis.call('HSET', KEYS[3], id, place .. ' ' .. content)
    -- A field of a stream and of the ids costs about so much beside the text.
    bytes = bytes + #text + 200
    out[#out + 1] = '+' .. place
  end
end
if kept > 0 then
  redis.call('HSET', KEYS[1], 'seq', string.format('%d', seq), 'bytes', string.format('%d', bytes))
end
return out
