-- Takes a session over from the node that holds it.
--
-- KEYS: sessions
-- ARGV: node, the time in ms, name
-- Answers its text; nothing where there is none, or where this node has held it since another time: one with the same time
-- was taken by this very call, whose first answer was lost.

local kept = redis.call('HGET', KEYS[1], ARGV[3])
if not kept then return false end
local holder, since, text = string.match(kept, '^([^\n]*)\n([^\n]*)\n(.*)$')
if not holder then return false end
if holder == ARGV[1] then return since == ARGV[2] and text end
redis.call('HSET', KEYS[1], ARGV[3], ARGV[1] .. '\n' .. ARGV[2] .. '\n' .. text)
return text
