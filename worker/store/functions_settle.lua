-- Part of the library that functions.lua begins: what is judged; and the names of all functions.

-- take: leases due encounters and hands out their minutes ----------------------------------------

local function due_now(b, most)
  local ids, seen = {}, {}
  local due = redis.call('ZRANGEBYSCORE', b.prefix .. 'due', '-inf', b.now, 'LIMIT', 0, most)
  for _, id in ipairs(due) do
    check(encounter_of(b, id), 'encounter ' .. id .. ' is missing')
    ids[#ids + 1], seen[id] = id, true
  end
  for _, id in ipairs(b.loaded) do -- become due by this call
    local e = b.encounters[id]
    if #ids < most and not seen[id] and e.due and e.due <= b.now then ids[#ids + 1] = id end
  end
  return ids
end

local function pack_minutes(b, e)
  local minutes = redis.call('ZRANGEBYSCORE', b.prefix .. 'mi:' .. e.counter,
    math.floor(begin_of(e) / MINUTE), math.floor(end_of(e) / MINUTE))
  local parts = { struct.pack('<I4', #minutes) }
  for _, minute in ipairs(minutes) do
    local log = redis.call('GET', b.prefix .. 'm:' .. e.counter .. ':' .. minute) or ''
    parts[#parts + 1] = struct.pack('<I4I4', minute, #log)
    parts[#parts + 1] = log
  end
  return table.concat(parts)
end

local function clock_error_of(b, name)
  for i, other in ipairs(b.r.gateways) do
    if other == name then return b.gateways[i].clock_error end
  end
  return 0
end

local function pack_taken(b, e, crashed)
  return struct.pack('<BBBI4Bi8i8i8i8', e.withdrawn, e.several, crashed and 1 or 0,
      clock_error_of(b, e.gateway), e.outcome, e.issued, e.called, e.started, e.ended)
    .. struct.pack('<Bc0Bc0Bc0Bc0Bc0Bc0', #e.id, e.id, #e.counter, e.counter, #e.gateway,
      e.gateway, #e.offering, e.offering, #e.employee, e.employee, #e.language, e.language)
    .. pack_minutes(b, e)
end

local function take(keys, args)
  local configuration, lease, most, bytes_max, at = struct.unpack('<c8c8BI4', args[1])
  check_end(args[1], at)
  check(lease ~= NO_LEASE, 'a lease is random')
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  advance(b)
  local parts, bytes = {}, 0
  for _, id in ipairs(due_now(b, most)) do
    if bytes > bytes_max then break end
    local e = b.encounters[id]
    check(e.state == ENDED or e.state == SETTLED, 'encounter ' .. id .. ' cannot be due')
    local crashed = e.tries >= b.r.tries_max
    parts[#parts + 1] = pack_taken(b, e, crashed)
    bytes = bytes + #parts[#parts]
    change(b, e)
    if e.tries == b.r.tries_max then count(b, 'crashed', 1) end
    e.lease, e.tries = lease, math.min(255, e.tries + 1)
    e.due, e.due_kept = b.now + b.r.lease, false
  end

  branch_write(b)
  return head(b, OK) .. struct.pack('<B', #parts) .. table.concat(parts)
end

-- settle: replaces an encounter's contribution ---------------------------------------------------

local SCORES, OUTCOMES, VERDICTS, MILLION = 7, 5, 8, 1000000
local SUM_HEAD, SUM_HEAD_SIZE = 'BBi4i4i4i4i4i4i4', 30
local SUM_STANDARD, SUM_STANDARD_SIZE = 'Bi4i4', 9
local CELL_HEAD, CELL_HEAD_SIZE, CELL_HEAD_COUNT =
  'I4I4' .. 'I4I4I4I4I4' .. 'I4I8I4I8I4I8I4I8I4I8I4I8I4I8', 112, 21
local CELL_STANDARD, CELL_STANDARD_SIZE, CELL_STANDARD_COUNT =
  'I4I4I4I4I4I4I4I4' .. 'I4I4I8I8', 56, 12

-- A contribution as what it adds to a cell: places in it and values. nil: nothing.
local function amounts(text)
  if text == '' then return nil end
  local total = (#text - SUM_HEAD_SIZE) / SUM_STANDARD_SIZE
  check(total >= 0 and total == math.floor(total) and total <= 256, 'bad contribution')
  local c = { struct.unpack('<' .. SUM_HEAD .. string.rep(SUM_STANDARD, total), text) }
  check(c[1] >= 1 and c[1] <= OUTCOMES and c[2] <= 1, 'bad contribution')
  local places, values = { 1, 2, 2 + c[1] }, { 1, c[2], 1 }
  local function add(count_at, sum_at, value)
    check(value >= NONE and value <= MILLION, 'bad contribution')
    if value == NONE then return end
    local n = #places
    places[n + 1], values[n + 1] = count_at, 1
    places[n + 2], values[n + 2] = sum_at, value
  end
  for i = 1, SCORES do add(6 + 2 * i, 7 + 2 * i, c[2 + i]) end
  for i = 0, total - 1 do
    local from, to = 2 + SCORES + 3 * i, CELL_HEAD_COUNT + CELL_STANDARD_COUNT * i
    check(c[from + 1] < VERDICTS, 'bad contribution')
    local n = #places + 1
    places[n], values[n] = to + 1 + c[from + 1], 1
    add(to + 9, to + 11, c[from + 2])
    add(to + 10, to + 12, c[from + 3])
  end
  return { length = CELL_HEAD_COUNT + total * CELL_STANDARD_COUNT, places = places,
           values = values }
end

local function cell_of(b, cells, name, length)
  if cells[name] then return cells[name] end
  local total = (length - CELL_HEAD_COUNT) / CELL_STANDARD_COUNT
  local cell = { length = length, values = {},
                 format = '<' .. CELL_HEAD .. string.rep(CELL_STANDARD, total) }
  local text = redis.call('GET', b.prefix .. name)
  if text then
    check(#text == CELL_HEAD_SIZE + total * CELL_STANDARD_SIZE, name .. ' is of another length')
    cell.values = { struct.unpack(cell.format, text) }
    cell.values[length + 1] = nil -- the position behind it
  else
    for i = 1, length do cell.values[i] = 0 end
  end
  cells[name] = cell
  return cell
end

local function add_to_cells(b, cells, where, text, sign)
  local amount = amounts(text)
  if not amount then return end
  local names = { 'h:' .. where.counter .. ':' .. where.hour .. ':' .. where.set,
                  'd:' .. where.day .. ':' .. where.set }
  for _, name in ipairs(names) do
    local cell = cell_of(b, cells, name, amount.length)
    check(cell.length == amount.length, name .. ' is of another length')
    local values = cell.values
    for i, place in ipairs(amount.places) do
      local value = values[place] + sign * amount.values[i]
      check(value >= 0 and value < NEVER, name .. ' is not the sum of its contributions')
      values[place] = value
    end
  end
end

local function where_unpack(text)
  local w = {}
  w.counter, w.day, w.hour, w.set = struct.unpack('<Bc0Bc0Bc0Bc0', text)
  return w
end

local function where_pack(w)
  return struct.pack('<Bc0Bc0Bc0Bc0', #w.counter, w.counter, #w.day, w.day, #w.hour, w.hour,
                     #w.set, w.set)
end

-- The old contribution out, the new one in: the cells as they will be, and where the old one was.
local function replace(b, e, where, contribution)
  local old = redis.call('HMGET', b.prefix .. 'e:' .. e.id, 'contribution', 'cells')
  local cells, old_where = {}, old[2] and where_unpack(old[2]) or nil
  if old[1] and old_where then add_to_cells(b, cells, old_where, old[1], -1) end
  add_to_cells(b, cells, where, contribution, 1)
  need(b, 'days', 'set')
  need(b, 'day:' .. where.day, 'set')
  if old_where then need(b, 'day:' .. old_where.day, 'set') end
  return cells, old_where
end

local function write_cells(b, cells)
  for name, cell in pairs(cells) do
    if cell.values[1] == 0 then
      redis.call('DEL', b.prefix .. name)
    else
      redis.call('SET', b.prefix .. name, struct.pack(cell.format, unpack(cell.values)))
    end
  end
end

local function write_day(b, e, day, old_day)
  if old_day and old_day ~= day then
    redis.call('SREM', b.prefix .. 'day:' .. old_day, e.id)
    if redis.call('EXISTS', b.prefix .. 'day:' .. old_day) == 0 then
      redis.call('SREM', b.prefix .. 'days', old_day)
    end
  end
  redis.call('SADD', b.prefix .. 'day:' .. day, e.id)
  redis.call('SADD', b.prefix .. 'days', day)
end

local function read_settle(text)
  local c, where, at = {}, {}, nil
  c.configuration, c.lease, c.id, where.set, where.day, where.hour, c.contribution, c.verdicts, at =
    struct.unpack('<c8c8Bc0Bc0Bc0Bc0I4c0I4c0', text)
  check_end(text, at)
  check(string.match(where.day, '^%d%d%d%d%-%d%d%-%d%d$')
        and string.match(where.hour, '^%d%d%d%d%-%d%d%-%d%dT%d%d$')
        and string.match(where.set, '^[%w_.:-]+$'), 'bad place of the contribution')
  c.where = where
  return c
end

local function settle(keys, args)
  local c = read_settle(args[1])
  local b = branch_open(keys, c.configuration)
  if not b then return head(nil, UNCONFIGURED) end
  local where, e = c.where, encounter_of(b, c.id)
  need(b, 'set:' .. where.set, 'string')
  if not e or c.lease == NO_LEASE or e.lease ~= c.lease or e.state == FINAL then
    return head(b, STALE) .. struct.pack('<BB', 0, 0)
  end
  check((e.withdrawn == 1) == (c.contribution == ''), 'only a withdrawn one contributes nothing')
  local final = e.withdrawn == 1 or e.ended + b.r.grace <= slowest(b, e.place)
  if c.contribution ~= '' then -- its second byte: provisional
    c.contribution = string.sub(c.contribution, 1, 1) .. string.char(final and 0 or 1)
      .. string.sub(c.contribution, 3)
  end
  where.counter = e.counter
  local cells, old_where = replace(b, e, where, c.contribution)
  change(b, e)
  need(b, 'mi:' .. e.counter, 'zset')
  advance(b)
  e.state, e.lease, e.tries, e.due = final and FINAL or SETTLED, NO_LEASE, 0, false
  e.wait = not final and e.ended + b.r.grace
  local set_missing = redis.call('EXISTS', b.prefix .. 'set:' .. where.set) == 0

  write_cells(b, cells)
  redis.call('HSET', b.prefix .. 'e:' .. e.id, 'contribution', c.contribution, 'cells',
             where_pack(where), 'verdicts', c.verdicts)
  write_day(b, e, where.day, old_where and old_where.day)
  branch_write(b)
  return head(b, OK) .. struct.pack('<BB', final and 1 or 0, set_missing and 1 or 0)
end

-- publish: the text of a set of standards, for readers -------------------------------------------

local function publish(keys, args)
  local prefix = prefix_of(keys)
  local set, json, at = struct.unpack('<Bc0I4c0', args[1])
  check_end(args[1], at)
  check(string.match(set, '^[%w_.:-]+$'), 'bad name of the set')
  local kind = redis.call('TYPE', prefix .. 'sets').ok
  check(kind == 'none' or kind == 'set', 'sets is a ' .. kind .. ', not a set')
  redis.call('SET', prefix .. 'set:' .. set, json, 'NX')
  redis.call('SADD', prefix .. 'sets', set)
  return head(nil, OK)
end

redis.register_function('tresen_v1_configure', configure)
redis.register_function('tresen_v1_ask', ask)
redis.register_function('tresen_v1_ingest', ingest)
redis.register_function('tresen_v1_take', take)
redis.register_function('tresen_v1_settle', settle)
redis.register_function('tresen_v1_publish', publish)
