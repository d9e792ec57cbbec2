-- Takes or renews the lease of the deployment's chores: trimming, checkpoints, the emitter bus.
--
-- KEYS: lease
-- ARGV: holder, ms
-- Answers 1 to its holder.

local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  -- A full engine allows this, and no SET.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if holder == false then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
return 0
