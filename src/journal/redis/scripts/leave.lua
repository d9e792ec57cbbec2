-- Gives the lease up, if it is still the caller's.
--
-- KEYS: lease
-- ARGV: holder

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
