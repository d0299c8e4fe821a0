-- One gateway's report on one window of one budget (metrics/shared/share.hpp holds the rules).
--
-- KEYS: 1 the store's own hash, 2 the window's hash
-- ARGV: 1 gateway, 2 token, 3 number, 4 first, 5 run id of the server, 6 known, 7 spent, 8 held, 9 have, 10 wish, 11 need,
--       12 limit, 13 ttl ms, 14 stale ms, 15 grace ms, 16 gateways_min, 17 remembered lines
-- Answer: status, epoch, number, granted, others' granted, spent, held, gateways, scarce, others' lines
--
-- Lua's numbers are doubles: above 2^53 picodollars ($9,007) they are not exact. So an amount is a pair of whole dollars and
-- picodollars below one dollar, and each is far below 2^53.

local function num(text)
  local n = #text
  if n <= 12 then return {0, tonumber(text)} end
  return {tonumber(string.sub(text, 1, n - 12)), tonumber(string.sub(text, n - 11))}
end
local function str(a)
  if a[1] == 0 then return string.format('%d', a[2]) end
  return string.format('%d%012d', a[1], a[2])
end
local function add(a, b)
  local low = a[2] + b[2]
  if low >= 1e12 then return {a[1] + b[1] + 1, low - 1e12} end
  return {a[1] + b[1], low}
end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function minus(a, b) -- nothing below 0
  if less(a, b) then return {0, 0} end
  local low = a[2] - b[2]
  if low < 0 then return {a[1] - b[1] - 1, low + 1e12} end
  return {a[1] - b[1], low}
end
local function least(a, b) if less(a, b) then return a end return b end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local store, window = KEYS[1], KEYS[2]
local gateway, token, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
local grace, stale = tonumber(ARGV[15]), tonumber(ARGV[14])

-- The store's life: a new one, or another server than before (a restart, a failover), may have lost what was noted last.
local epoch = redis.call('HGET', store, 'epoch')
if not epoch then
  epoch = token .. '-' .. ARGV[3]
  redis.call('HSET', store, 'epoch', epoch, 'grace', string.format('%d', now + grace), 'run:' .. ARGV[5], '1')
elseif redis.call('HSETNX', store, 'run:' .. ARGV[5], '1') == 1 then
  redis.call('HSET', store, 'grace', string.format('%d', now + grace))
end

-- Who bears the name.
local bearer = redis.call('HGET', store, 'token:' .. gateway)
if bearer and bearer ~= token and ARGV[4] ~= '1' then
  return {'fenced', epoch, '0', '0', '0', '0', '0', '0', '0', ''}
end
redis.call('HSET', store, 'token:' .. gateway, token, 'seen:' .. gateway, string.format('%d', now))

local exists = redis.call('EXISTS', window) == 1
if not exists and ARGV[6] == '1' then
  redis.call('HSET', window, 'grace', string.format('%d', now + grace))
end

-- A line: token number granted spent held seen
local function parse(line)
  local t, n, g, s, h, at = string.match(line, '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {token = t, number = tonumber(n), granted = num(g), spent = num(s), held = num(h), seen = tonumber(at)}
end
local function write(name, l)
  redis.call('HSET', window, 'g:' .. name, table.concat({l.token, string.format('%d', l.number), str(l.granted), str(l.spent),
    str(l.held), string.format('%d', l.seen)}, ' '))
end

-- What others remember of lines that are missing here or older. Only ever raises what counts.
for name, line in string.gmatch(ARGV[17], '(%S+)=([^;]+);') do
  if name ~= gateway then
    local there = redis.call('HGET', window, 'g:' .. name)
    local told = parse(line)
    if not there then
      write(name, told)
    else
      local mine = parse(there)
      if mine.token == told.token and mine.number < told.number then write(name, told) end
    end
  end
end

local spent, held, have, wish = num(ARGV[7]), num(ARGV[8]), num(ARGV[9]), num(ARGV[10])
local mine = redis.call('HGET', window, 'g:' .. gateway)
if mine then
  mine = parse(mine)
  if mine.token == token then
    if number <= mine.number then
      return {'stale', epoch, string.format('%d', mine.number), '0', '0', '0', '0', '0', '0', ''}
    end
  elseif stale == 0 and less(spent, mine.spent) then
    -- A predecessor had spent more than the ledger gave back to its successor: that stays spent.
    local lost = minus(mine.spent, spent)
    write(gateway .. '~' .. string.sub(mine.token, 1, 8), {token = mine.token, number = mine.number, granted = lost, spent = lost,
      held = {0, 0}, seen = now})
  end
end

local others, others_spent, others_held, count, lines = {0, 0}, {0, 0}, {0, 0}, 1, {}
local all = redis.call('HGETALL', window)
for i = 1, #all, 2 do
  local name = string.match(all[i], '^g:(.+)$')
  if name and name ~= gateway then
    local l = parse(all[i + 1])
    if stale > 0 and now - l.seen > stale then
      redis.call('HDEL', window, all[i])
    else
      others, others_spent, others_held = add(others, l.granted), add(others_spent, l.spent), add(others_held, l.held)
      count = count + 1
      lines[#lines + 1] = name .. '=' .. all[i + 1] .. ';'
    end
  end
end

local waits = now < tonumber(redis.call('HGET', store, 'grace')) or now < tonumber(redis.call('HGET', window, 'grace') or '0')
if not waits and tonumber(ARGV[16]) > 1 then
  local known = 0
  for _, field in ipairs(redis.call('HKEYS', store)) do
    if string.sub(field, 1, 5) == 'seen:' then known = known + 1 end
  end
  waits = known < tonumber(ARGV[16])
end

local granted, need = have, num(ARGV[11])
if not waits and less(have, wish) then
  local left = minus(num(ARGV[12]), add(others, have))
  granted = add(have, least(minus(wish, have), left))
  -- A part of what is needed would lie idle, here and perhaps with another that needs as much: all of it or nothing.
  if less(granted, add(add(spent, held), need)) then
    granted = have
    redis.call('HSET', window, 'scarce', string.format('%d', now))
  end
end
write(gateway, {token = token, number = number, granted = granted, spent = spent, held = held, seen = now})
redis.call('PEXPIRE', window, ARGV[13])

local scarce = now - tonumber(redis.call('HGET', window, 'scarce') or '0') < 1000
return {waits and 'grace' or 'ok', epoch, ARGV[3], str(granted), str(others), str(others_spent), str(others_held), string.format('%d', count),
  scarce and '1' or '0', table.concat(lines)}
