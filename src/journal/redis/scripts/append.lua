-- Appends events, each once by its id, and begins a generation where the engine's history is another than before.
--
-- KEYS: meta, stream, ids, generations
-- ARGV: the epoch of a generation that may begin, the time in ms, the epoch that the caller has compared with what it
-- knows, then of each event: id, hash of its content, text
-- Answers the present epoch, then for the events, in their order: '+place:count' for so many that were kept, '=place' for
-- one that was there, or '!' for one whose id stands for another event; nothing after that one was tried. Where the present
-- epoch is not the one that the caller has compared, the only other answer is '?', and no event is tried: what was lost is
-- put back first.
--
-- An entry of the stream has the events of one call, since each command costs: its id is the place of the last of them,
-- 'e' their epoch, 't' the time, 'i' their ids of 16 bytes each, 'c' the hashes of their contents, 'd' their texts, and
-- 'l' the lengths of these.

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

-- Of a call that is long, some at a time: the engine's Lua takes no more arguments at once.
local AT_ONCE = 1000
-- The most events and bytes of an entry of the stream: what is trimmed goes by whole entries.
local ENTRY_EVENTS, ENTRY_BYTES = 100, 131072

local count = (#ARGV - 3) / 3
local known = {}
for from = 1, count, AT_ONCE do
  local ids = {}
  for n = from, math.min(from + AT_ONCE - 1, count) do ids[#ids + 1] = ARGV[3 * n + 1] end
  local found = redis.call('HMGET', KEYS[3], unpack(ids))
  for n = 1, #found do known[from + n - 1] = found[n] end
end

local here, ids, contents, lengths, texts, places, size, kept = {}, {}, {}, {}, {}, {}, 0, 0
local function keep()
  if #ids == 0 then return end
  redis.call('XADD', KEYS[2], string.format('%d-0', seq), 'e', epoch, 't', ARGV[2], 'i', table.concat(ids),
    'c', table.concat(contents, ' '), 'l', table.concat(lengths, ' '), 'd', table.concat(texts))
  redis.call('HSET', KEYS[3], unpack(places))
  bytes = bytes + size
  out[#out + 1] = string.format('+%d:%d', seq - #ids + 1, #ids)
  kept = kept + #ids
  ids, contents, lengths, texts, places, size = {}, {}, {}, {}, {}, 0
end

for n = 1, count do
  local id, content, text = ARGV[3 * n + 1], ARGV[3 * n + 2], ARGV[3 * n + 3]
  local there = known[n] or here[id]
  if there then
    keep()
    local place, of = string.match(there, '^(%d+) (%d+)$')
    if of ~= content then
      out[#out + 1] = '!'
      break
    end
    out[#out + 1] = '=' .. place
  else
    seq = seq + 1
    there = string.format('%d %s', seq, content)
    here[id] = there
    local at = #ids + 1
    ids[at], contents[at], lengths[at], texts[at] = id, content, #text, text
    places[2 * at - 1], places[2 * at] = id, there
    -- A field of the ids, and what the stream has of it, cost about so much beside the text.
    size = size + #text + 200
    if at == ENTRY_EVENTS or size > ENTRY_BYTES then keep() end
  end
end
keep()
if kept > 0 then
  redis.call('HSET', KEYS[1], 'seq', string.format('%d', seq), 'bytes', string.format('%d', bytes))
end
return out
