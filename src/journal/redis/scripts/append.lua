-- Appends events, each once by its id, and begins a generation where the engine's history is another than before.
--
-- KEYS: meta, stream, ids, generations
-- ARGV: the epoch of a generation that may begin, the time in ms, the epoch that the caller has compared with what it
-- knows, then of each some events, at most a thousand: their ids, of 16 bytes each; the hashes of their contents and the
-- lengths of their texts, with spaces between; their texts, with nothing between
-- Answers the present epoch, then for the events, in their order: '+place:count' for so many that were kept, '=place' for
-- one that was there, or '!' for one whose id stands for another event; nothing after that one was tried. Where the present
-- epoch is not the one that the caller has compared, the only other answer is '?', and no event is tried: what was lost is
-- put back first.
--
-- The new ones of some events share an entry of the stream, since each command costs: its id is the place of the last of
-- them, 'e' their epoch, 't' the time, and 'i', 'c', 'l' and 'd' are as in ARGV.

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

local function words(text)
  local all = {}
  for word in string.gmatch(text, '%d+') do all[#all + 1] = word end
  return all
end

local kept = 0
local function keep(count, ids, contents, lengths, texts, places)
  seq = seq + count
  redis.call('XADD', KEYS[2], string.format('%d-0', seq), 'e', epoch, 't', ARGV[2], 'i', ids, 'c', contents, 'l', lengths,
    'd', texts)
  redis.call('HSET', KEYS[3], unpack(places))
  -- A field of the ids, and what the stream has of it, cost about so much beside the text.
  bytes = bytes + #texts + 200 * count
  kept = kept + count
  out[#out + 1] = string.format('+%d:%d', seq - count + 1, count)
end

-- Keeps the new ones of some events; false at one whose id stands for another event.
local function take(all, hashes, sizes, texts)
  local ids, contents, lengths = {}, words(hashes), nil
  for at = 1, #all, 16 do ids[#ids + 1] = string.sub(all, at, at + 15) end
  local known, here = redis.call('HMGET', KEYS[3], unpack(ids)), {}
  -- New events in a row.
  local from, places = 1, {}
  local function begin(n)
    local at = 1
    for before = 1, n - 1 do at = at + lengths[before] end
    return at
  end
  local function flush(n)
    if from == 1 and n > #ids then
      keep(#ids, all, hashes, sizes, texts, places)
    elseif from < n then
      lengths = lengths or words(sizes)
      keep(n - from, table.concat(ids, '', from, n - 1), table.concat(contents, ' ', from, n - 1),
        table.concat(lengths, ' ', from, n - 1), string.sub(texts, begin(from), begin(n) - 1), places)
    end
    from, places = n + 1, {}
  end
  for n = 1, #ids do
    local id, content = ids[n], contents[n]
    local there = known[n] or here[id]
    if there then
      flush(n)
      local place, of = string.match(there, '^(%d+) (%d+)$')
      if of ~= content then
        out[#out + 1] = '!'
        return false
      end
      out[#out + 1] = '=' .. place
    else
      there = string.format('%d %s', seq + n - from + 1, content)
      here[id] = there
      places[#places + 1] = id
      places[#places + 1] = there
    end
  end
  flush(#ids + 1)
  return true
end

for at = 4, #ARGV, 4 do
  if not take(ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]) then break end
end
if kept > 0 then
  redis.call('HSET', KEYS[1], 'seq', string.format('%d', seq), 'bytes', string.format('%d', bytes))
end
return out
