-- What a gateway that does not run any more had leased of one window comes free; what it had spent stays.
-- KEYS: 1 the window's hash. ARGV: 1 gateway. Answer: granted, spent as they were; nothing if it has no line.
local line = redis.call('HGET', KEYS[1], 'g:' .. ARGV[1])
if not line then return nil end
local t, n, g, s, h, at = string.match(line, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
redis.call('HSET', KEYS[1], 'g:' .. ARGV[1], table.concat({t, n, s, s, '0', at}, ' '))
return {g, s}
