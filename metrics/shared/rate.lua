-- One gateway's report on one bucket of a rate limit, or on the places of a limit of requests at once.
--
-- KEYS: 1 the store's own hash, 2 the bucket's hash
-- ARGV: 1 gateway, 2 token, 3 number, 4 first, 5 used, 6 have, 7 wish, 8 need, 9 per minute or places, 10 lease ms, 11 places
-- Answer: status, granted, free, level, gateways
--
-- `used` counts what the gateway has taken out since it started; the bucket's level falls by what it rose since the last report,
-- and rises with time. What is leased is still in the bucket, so that the lease makes no room for more: the law of one bucket,
-- at most a minute's worth at once and the rate thereafter, is that of all gateways together. A gateway that says nothing for the
-- time of a lease has given its lease up, and its places are free. Levels are in 1/60000 of a thing,
-- at most 1e9 things: exact in a double.
local unit = 60000
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local store, bucket = KEYS[1], KEYS[2]
local gateway, token, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
local used, have, wish, need = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local rate, lease = tonumber(ARGV[9]), tonumber(ARGV[10])

local bearer = redis.call('HGET', store, 'token:' .. gateway)
if bearer and bearer ~= token and ARGV[4] ~= '1' then return {'fenced', '0', '0', '0', '0'} end
redis.call('HSET', store, 'token:' .. gateway, token, 'seen:' .. gateway, string.format('%d', now))

local full = rate * unit
local level, filled = full, now
local kept = redis.call('HMGET', bucket, 'level', 'filled')
if kept[1] then
  level, filled = tonumber(kept[1]), tonumber(kept[2])
  local passed = math.max(now - filled, 0)
  -- From far below nothing it fills for longer than a minute; the product stays below 2^53 all the same.
  while passed > 0 and level < full do
    local step = math.min(passed, 60000)
    level = math.min(full, level + step * rate)
    passed = passed - step
  end
end

-- A line: token number used have seen
local outstanding, count, taken = 0, 1, 0
local all = redis.call('HGETALL', bucket)
local before = nil
for i = 1, #all, 2 do
  local name = string.match(all[i], '^g:(.+)$')
  if name then
    local t, n, u, h, at = string.match(all[i + 1], '^(%S+) (%d+) (%-?%d+) (%-?%d+) (%d+)$')
    if name == gateway then
      if t == token then
        if number <= tonumber(n) then return {'stale', '0', '0', '0', '0'} end
        before = tonumber(u)
      end
    elseif now - tonumber(at) > lease then
      redis.call('HDEL', bucket, all[i]) -- its gateway has given the lease up as well
    else
      outstanding = outstanding + math.max(tonumber(h) - tonumber(u), 0)
      taken = taken + tonumber(u)
      count = count + 1
    end
  end
end
if ARGV[11] == '1' then
  level = full - (taken + used) * unit -- places do not come back with time, but when a request ends
else
  level = math.min(full, level - (used - (before or 0)) * unit)
end

local left = math.floor(level / unit) - outstanding
local granted = have
local free = left - math.max(have - used, 0)
if wish > have and free > 0 then
  granted = have + math.min(wish - have, free)
  if granted < used + need then granted = have end
end
redis.call('HSET', bucket, 'level', string.format('%.0f', level), 'filled', string.format('%d', now), 'g:' .. gateway,
  table.concat({token, ARGV[3], ARGV[5], string.format('%.0f', granted), string.format('%d', now)}, ' '))
redis.call('PEXPIRE', bucket, 600000)
return {'ok', string.format('%.0f', granted), string.format('%.0f', math.max(left - math.max(granted - used, 0), 0)),
  string.format('%.0f', math.floor(level / unit)), string.format('%d', count)}
