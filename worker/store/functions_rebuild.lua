-- Part of the library that functions.lua begins: a branch is emptied from a moment on, and its
-- gateways, whose positions go back to 0, bring again what their spools hold.

-- Whatever begins then or later: open ones, and those of the days from `day` on.
local function begun_since(b, day, days, from)
  local ids, seen = {}, {}
  local function consider(list)
    for _, id in ipairs(list) do
      local e = encounter_of(b, id)
      check(e, 'encounter ', id, ' is missing')
      if begin_of(e) >= from and not seen[id] then ids[#ids + 1], seen[id] = id, true end
    end
  end
  for _, counter in ipairs(b.r.counters) do
    consider(redis.call('ZRANGEBYSCORE', b.prefix .. 'open:' .. counter, decimal(from), '+inf'))
  end
  for _, name in ipairs(days) do
    if name >= day then consider(redis.call('SMEMBERS', b.prefix .. 'day:' .. name)) end
  end
  return ids
end

-- The cells without what these contributed, and the day of each.
local function cells_without(b, ids)
  local cells, day_of = {}, {}
  for _, id in ipairs(ids) do
    local old = redis.call('HMGET', b.prefix .. 'e:' .. id, 'contribution', 'cells')
    if old[2] then
      local where = where_unpack(old[2])
      add_to_cells(b, cells, where, old[1], -1)
      day_of[id] = where.day
      need(b, 'day:' .. where.day, 'set')
    end
  end
  return cells, day_of
end

local function remove_encounters(b, ids, day_of)
  local days = {}
  for _, id in ipairs(ids) do
    local home = b.encounters[id].home
    redis.call('UNLINK', b.prefix .. 'e:' .. id)
    redis.call('ZREM', b.prefix .. 'open:' .. home, id)
    redis.call('ZREM', b.prefix .. 'wait:' .. home, id)
    redis.call('ZREM', b.prefix .. 'due', id)
    redis.call('SREM', b.prefix .. 'undecided', id)
    if day_of[id] then
      redis.call('SREM', b.prefix .. 'day:' .. day_of[id], id)
      days[day_of[id]] = true
    end
  end
  for day in pairs(days) do
    if redis.call('EXISTS', b.prefix .. 'day:' .. day) == 0 then
      redis.call('SREM', b.prefix .. 'days', day)
    end
  end
end

local function remove_minutes(b, place, from)
  local c, name = b.counters[place], b.r.counters[place]
  local index, first = b.prefix .. 'mi:' .. name, math.floor(from / MINUTE)
  for _, minute in ipairs(redis.call('ZRANGEBYSCORE', index, decimal(first), '+inf')) do
    local key = b.prefix .. 'm:' .. name .. ':' .. minute
    local size = redis.pcall('STRLEN', key)
    if type(size) == 'number' then b.bytes = math.max(0, b.bytes - size) end
    redis.call('UNLINK', key)
  end
  redis.call('ZREMRANGEBYSCORE', index, decimal(first), '+inf')
  if c.minute_first >= first then c.minute_first = NEVER end
  c.mark = math.min(c.mark, from)
  b.reread.open[place], b.reread.wait[place] = true, true
  counter_changed(b, place)
end

-- What came before `from` will be too late once more; what is gone from a spool is a gap again.
local function rewind(b, from)
  for place, g in ipairs(b.gateways) do
    g.watermark = math.min(g.watermark, from)
    begin_anew(b, place)
  end
end

-- rebuild: never behind a sealed day, whose sums are all that is known of it ----------------------

local function rebuild(keys, args)
  local configuration, day, from, at = struct.unpack('<c8Bc0i8', args[1])
  check_end(args[1], at)
  check(string.match(day, '^%d%d%d%d%-%d%d%-%d%d$') and from >= 0, 'bad day')
  -- Within a minute, one that ended before would be judged without its last readings.
  check(from % MINUTE == 0, 'a day begins with a minute')
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  for _, sealed in ipairs(redis.call('SMEMBERS', b.prefix .. 'sealed')) do
    if sealed >= day then return head(b, STALE) .. struct.pack('<I4', 0) end
  end
  local ids = begun_since(b, day, redis.call('SMEMBERS', b.prefix .. 'days'), from)
  local cells, day_of = cells_without(b, ids)
  for _, counter in ipairs(b.r.counters) do
    for _, set in ipairs({ 'open:', 'wait:', 'mi:' }) do need(b, set .. counter, 'zset') end
  end
  need(b, 'due', 'zset')
  need(b, 'undecided', 'set')
  count(b, 'rebuilt', #ids)
  alone.forget_all(b)

  write_cells(cells)
  remove_encounters(b, ids, day_of)
  for place = 1, #b.counters do remove_minutes(b, place, from) end
  rewind(b, from)
  b.reread.due, b.encounters, b.loaded = true, {}, {}
  branch_write(b)
  return head(b, OK) .. struct.pack('<I4', #ids)
end

redis.register_function('tresen_v1_rebuild', rebuild)

-- revision: which text this is; also asked of a replica, or where memory is out ---------------------

redis.register_function({ function_name = 'tresen_v1_revision', flags = { 'no-writes' },
                          callback = function() return REVISION end })
