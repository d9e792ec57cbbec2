-- Takes a session over from the node that holds it.
--
-- KEYS: sessions
-- ARGV: node, the time in ms, name
-- Answers its text; nothing where there is none, or where this node holds it already.

local kept = redis.call('HGET', KEYS[1], ARGV[3])
if not kept then return false end
local holder, text = string.match(kept, '^([^\n]*)\n[^\n]*\n(.*)$')
if not holder or holder == ARGV[1] then return false end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[1] .. '\n' .. ARGV[2] .. '\n' .. text)
return text
