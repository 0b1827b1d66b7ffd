-- Part of the library that functions.lua begins: what is judged; and the names of all functions.

-- take: leases due encounters and hands out their minutes ----------------------------------------

-- Nothing is put off for longer: what is due later was put there by a clock that has gone back.
local function put_off_most(r) return math.max(r.settle_after, r.settle_pause, 2 * r.lease) end

local function due_now(b, most)
  local ids, seen = {}, {}
  local function bring(from, to)
    local due = redis.call('ZRANGEBYSCORE', b.prefix .. 'due', from, to, 'LIMIT', '0', most - #ids)
    for _, id in ipairs(due) do
      check(encounter_of(b, id), 'encounter ', id, ' is missing')
      ids[#ids + 1], seen[id] = id, true
    end
  end
  bring('-inf', decimal(b.now))
  b.reread.due = #ids < most -- so that it is true again, whatever happened to it
  bring('(' .. decimal(b.now + put_off_most(b.r)), '+inf')
  for _, id in ipairs(b.loaded) do -- become due by this call
    local e = b.encounters[id]
    if #ids < most and not seen[id] and e.due and e.due <= b.now then ids[#ids + 1] = id end
  end
  return ids
end

-- A final one has no minutes any more: it is decided anew about the verdicts that were settled.
local function pack_minutes(b, e)
  if e.state == FINAL then return struct.pack('<I4', 0) end
  local minutes = redis.call('ZRANGEBYSCORE', b.prefix .. 'mi:' .. e.counter,
    decimal(math.floor(begin_of(e) / MINUTE)), decimal(math.floor(end_of(e) / MINUTE)))
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
  local kept = redis.call('HMGET', b.prefix .. 'e:' .. e.id, 'decisions', 'verdicts')
  local decided, verdicts = kept[1] or '', e.state == FINAL and kept[2] or ''
  return struct.pack('<BBBBI4Bi8i8i8i8', e.withdrawn, e.several, crashed and 1 or 0,
      e.state == FINAL and 1 or 0,
      clock_error_of(b, e.gateway), e.outcome, e.issued, e.called, e.started, e.ended)
    .. struct.pack('<Bc0Bc0Bc0Bc0Bc0Bc0', #e.id, e.id, #e.counter, e.counter, #e.gateway,
      e.gateway, #e.offering, e.offering, #e.employee, e.employee, #e.language, e.language)
    .. struct.pack('<I4c0I4c0', #decided, decided, #verdicts, verdicts) .. pack_minutes(b, e)
end

-- Up to as much again, by chance: what two branches lost at once is not due at once again and again.
local function spread(lease, ms)
  return math.floor(struct.unpack('<I2', lease) * ms / 65536)
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
    check(e.state ~= OPEN, 'encounter ', id, ' cannot be due')
    local crashed = e.tries >= b.r.tries_max
    -- Whoever took it before may have died of it: it goes alone, so that no other is blamed.
    local again = e.tries > 0
    if crashed and e.state == FINAL then -- what was settled stays, until the next decision
      change(b, e)
      count(b, 'crashed', 1)
      e.lease, e.due = NO_LEASE, false
    elseif not again or #parts == 0 then
      parts[#parts + 1] = pack_taken(b, e, crashed)
      bytes = bytes + #parts[#parts]
      change(b, e)
      if e.tries == b.r.tries_max then count(b, 'crashed', 1) end
      e.due, e.due_kept = b.now + b.r.lease + (again and spread(lease, b.r.lease) or 0), false
      e.lease, e.tries = lease, math.min(255, e.tries + 1)
      if again then
        alone.add(b, e, lease)
        break
      end
    end
  end

  branch_write(b)
  return head(b, OK) .. struct.pack('<B', #parts) .. table.concat(parts)
end

-- give_back: leases under which nobody judges, or nobody died ---------------------------------------

do
  local function give_back(keys, args)
    local configuration, count, at = struct.unpack('<c8B', args[1])
    local leases = {}
    for i = 1, count do leases[i], at = struct.unpack('c8', args[1], at) end
    check_end(args[1], at)
    local b = branch_open(keys, configuration)
    if not b then return head(nil, UNCONFIGURED) end
    for _, lease in ipairs(leases) do alone.give_back(b, lease) end
    advance(b)

    branch_write(b)
    return head(b, OK)
  end

  redis.register_function('tresen_v1_give_back', give_back)
end

-- settle: replaces an encounter's contribution ---------------------------------------------------

local SCORES, OUTCOMES, VERDICTS, MILLION = 7, 5, 8, 1000000
-- The verdict 8 is not_met if a person confirms it: until then it is in no column of a cell.
local SUM_HEAD, SUM_HEAD_SIZE, SUM_HEAD_COUNT = 'BBi4i4i4i4i4i4i4', 30, 9
local SUM_STANDARD, SUM_STANDARD_SIZE, SUM_STANDARD_COUNT = 'Bi4i4', 9, 3
local CELL_HEAD, CELL_HEAD_SIZE, CELL_HEAD_COUNT =
  'I4I4' .. 'I4I4I4I4I4' .. 'I4I8I4I8I4I8I4I8I4I8I4I8I4I8', 112, 21
local CELL_STANDARD, CELL_STANDARD_SIZE, CELL_STANDARD_COUNT =
  'I4I4I4I4I4I4I4I4' .. 'I4I4I8I8', 56, 12

-- How contributions and cells of so many standards are packed.
local formats = {}

local function format_of(total)
  local f = formats[total]
  if not f then
    f = { sum = '<' .. SUM_HEAD .. string.rep(SUM_STANDARD, total),
          cell = '<' .. CELL_HEAD .. string.rep(CELL_STANDARD, total) }
    formats[total] = f
  end
  return f
end

local function is_share(value) return value >= NONE and value <= MILLION end

-- A contribution as an array of its numbers, and of how many standards. nil: nothing.
local function contribution_unpack(text)
  if text == '' then return nil end
  local total = (#text - SUM_HEAD_SIZE) / SUM_STANDARD_SIZE
  check(total >= 0 and total == math.floor(total) and total <= 256, 'bad contribution')
  local c = { struct.unpack(format_of(total).sum, text) }
  local fine = c[1] >= 1 and c[1] <= OUTCOMES and c[2] <= 1
  for i = 3, SUM_HEAD_COUNT do fine = fine and is_share(c[i]) end
  for i = SUM_HEAD_COUNT + 1, #c - 1, SUM_STANDARD_COUNT do
    fine = fine and c[i] <= VERDICTS and is_share(c[i + 1]) and is_share(c[i + 2])
  end
  check(fine, 'bad contribution')
  return c, total
end

local function cell_unpack(name, text, total)
  check(#text == CELL_HEAD_SIZE + total * CELL_STANDARD_SIZE, name, ' is of another length')
  local values = { struct.unpack(format_of(total).cell, text) }
  values[#values] = nil -- the position behind it
  for i = 1, #values do
    if values[i] >= NEVER then fail(name, ' is damaged') end
  end
  return values
end

-- Cells as the last call left them, by key: what a branch adds to is mostly what it just added to.
local cells_kept, cells_kept_count = {}, 0
local CELLS_KEPT_MAX = 256

local function cell_of(b, cells, name, total)
  local cell = cells[name]
  if not cell then
    local key = b.prefix .. name
    local text = redis.call('GET', key)
    cell = cells_kept[key]
    if cell then cells_kept[key], cells_kept_count = nil, cells_kept_count - 1 end
    if not cell or cell.text ~= text then
      cell = { key = key, total = total, values = {} }
      if text then
        cell.values = cell_unpack(name, text, total)
      else
        for i = 1, CELL_HEAD_COUNT + total * CELL_STANDARD_COUNT do cell.values[i] = 0 end
      end
    end
    cells[name] = cell
  end
  check(cell.total == total, name, ' is of another length')
  return cell
end

-- v += sign * c
local function add(v, c, total, sign)
  v[1], v[2] = v[1] + sign, v[2] + sign * c[2]
  v[2 + c[1]] = v[2 + c[1]] + sign
  for i = 1, SCORES do
    local score, at = c[2 + i], 6 + 2 * i
    if score >= 0 then v[at], v[at + 1] = v[at] + sign, v[at + 1] + sign * score end
  end
  local from, to = SUM_HEAD_COUNT, CELL_HEAD_COUNT
  for _ = 1, total do
    local verdict, degree, coverage = c[from + 1], c[from + 2], c[from + 3]
    if verdict < VERDICTS then v[to + 1 + verdict] = v[to + 1 + verdict] + sign end
    if degree >= 0 then v[to + 9], v[to + 11] = v[to + 9] + sign, v[to + 11] + sign * degree end
    if coverage >= 0 then
      v[to + 10], v[to + 12] = v[to + 10] + sign, v[to + 12] + sign * coverage
    end
    from, to = from + SUM_STANDARD_COUNT, to + CELL_STANDARD_COUNT
  end
end

local function add_to_cells(b, cells, where, text, sign)
  local c, total = contribution_unpack(text)
  if not c then return end
  local names = { 'h:' .. where.counter .. ':' .. where.hour .. ':' .. where.set,
                  'd:' .. where.day .. ':' .. where.set }
  for i = 1, #names do
    local values = cell_of(b, cells, names[i], total).values
    add(values, c, total, sign)
    if sign < 0 then
      for k = 1, #values do
        if values[k] < 0 then fail(names[i], ' is not the sum of its contributions') end
      end
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

-- The old contribution out, the new one in: the cells as they will be.
local function replace(b, old, old_where, where, contribution)
  local cells = {}
  if old and old_where then add_to_cells(b, cells, old_where, old, -1) end
  add_to_cells(b, cells, where, contribution, 1)
  return cells
end

local function write_cells(cells)
  for _, cell in pairs(cells) do
    if cell.values[1] == 0 then
      redis.call('DEL', cell.key)
    else
      cell.text = struct.pack(format_of(cell.total).cell, unpack(cell.values))
      redis.call('SET', cell.key, cell.text)
      if cells_kept_count == CELLS_KEPT_MAX then cells_kept, cells_kept_count = {}, 0 end
      cells_kept[cell.key], cells_kept_count = cell, cells_kept_count + 1
    end
  end
end

-- An encounter is of one day; that day is known.
local function check_day(b, day, old_day)
  if old_day == day then return end
  need(b, 'days', 'set')
  need(b, 'day:' .. day, 'set')
  if old_day then need(b, 'day:' .. old_day, 'set') end
end

local function write_day(b, e, day, old_day)
  if old_day == day then return end
  if old_day then
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
  c.configuration, c.lease, c.id, where.set, where.day, where.hour, c.contribution, c.verdicts,
    c.waits, at = struct.unpack('<c8c8Bc0Bc0Bc0Bc0I4c0I4c0B', text)
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
  local old = redis.call('HMGET', b.prefix .. 'e:' .. c.id, 'record', 'contribution', 'cells')
  local where, e = c.where, encounter_read(b, c.id, old[1])
  if not e or c.lease == NO_LEASE or e.lease ~= c.lease then
    if e and alone.give_back(b, c.lease, c.id) then -- too late, but alive
      advance(b)
      branch_write(b)
    end
    return head(b, STALE) .. struct.pack('<BB', 0, 0)
  end
  check((e.withdrawn == 1) == (c.contribution == ''), 'only a withdrawn one contributes nothing')
  if redis.call('EXISTS', b.prefix .. 'set:' .. where.set) == 0 then -- or readers would not know by what
    return head(b, OK) .. struct.pack('<BB', 0, 1)
  end
  local final = e.state == FINAL or e.withdrawn == 1 or e.ended + b.r.grace <= slowest(b, e.place)
  if c.contribution ~= '' then -- its second byte: provisional
    c.contribution = string.sub(c.contribution, 1, 1) .. string.char(final and 0 or 1)
      .. string.sub(c.contribution, 3)
  end
  where.counter = e.counter
  local old_where = old[3] and where_unpack(old[3]) or nil
  local cells = replace(b, old[2], old_where, where, c.contribution)
  check_day(b, where.day, old_where and old_where.day)
  need(b, 'undecided', 'set')
  change(b, e)
  advance(b)
  alone.forget(b, e)
  e.state, e.lease, e.due = final and FINAL or SETTLED, NO_LEASE, false
  e.wait = not final and e.ended + b.r.grace
  e.settled = { contribution = c.contribution, cells = where_pack(where), verdicts = c.verdicts }

  write_cells(cells)
  write_day(b, e, where.day, old_where and old_where.day)
  redis.call(c.waits == 1 and 'SADD' or 'SREM', b.prefix .. 'undecided', c.id)
  branch_write(b)
  return head(b, OK) .. struct.pack('<BB', final and 1 or 0, 0)
end

-- seal: a day's records go, its sums stay --------------------------------------------------------

local UNLINK_MAX = 1000 -- keys in one command

-- Whether something of the day may still come, or be judged.
local function may_change(b, over)
  for place = 1, #b.counters do
    if slowest(b, place) < over or b.counters[place].open_first < over then return true end
  end
  return false
end

-- Every mark moves to the end of the day: what arrives for it later is too late, also a new encounter.
local function pass_day(b, over)
  for place = 1, #b.counters do
    need(b, 'mi:' .. b.r.counters[place], 'zset')
    if b.counters[place].mark < over then
      b.counters[place].mark = over
      counter_changed(b, place)
    end
  end
end

local function seal(keys, args)
  local configuration, day, over, at = struct.unpack('<c8Bc0i8', args[1])
  check_end(args[1], at)
  check(string.match(day, '^%d%d%d%d%-%d%d%-%d%d$') and over >= 0, 'bad day')
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  if may_change(b, over) then return head(b, STALE) .. struct.pack('<I4', 0) end
  pass_day(b, over)
  decisions.apply(b, {})
  for place = 1, b.r.counter_count do decisions.tidy(b, place) end
  local ids, names = redis.call('SMEMBERS', b.prefix .. 'day:' .. day), {}
  for i = 1, #ids do
    local e = encounter_of(b, ids[i])
    check(e, 'encounter ', ids[i], ' is missing')
    check(e.state == FINAL and begin_of(e) < over, 'encounter ', ids[i], ' is not of that day')
    local due = redis.call('ZSCORE', b.prefix .. 'due', ids[i]) -- a decision is on its way
    if due then return head(b, STALE) .. struct.pack('<I4', 0) end
    names[i] = b.prefix .. 'e:' .. ids[i]
  end
  if #ids > 0 then
    need(b, 'sealed', 'set')
    need(b, 'undecided', 'set')
  end
  count(b, 'sealed', #ids)

  if #ids > 0 then redis.call('SADD', b.prefix .. 'sealed', day) end
  for i = 1, #names, UNLINK_MAX do
    local last = math.min(#names, i + UNLINK_MAX - 1)
    redis.call('UNLINK', unpack(names, i, last))
    redis.call('SREM', b.prefix .. 'undecided', unpack(ids, i, last))
  end
  redis.call('UNLINK', b.prefix .. 'day:' .. day)
  decisions.write(b)
  branch_write(b)
  return head(b, OK) .. struct.pack('<I4', #ids)
end

-- publish: the text of a set of standards, for readers -------------------------------------------

do
  local function publish(keys, args)
    local prefix = prefix_of(keys)
    local set, json, at = struct.unpack('<Bc0I4c0', args[1])
    check_end(args[1], at)
    check(string.match(set, '^[%w_.:-]+$'), 'bad name of the set')
    local kind = redis.call('TYPE', prefix .. 'sets').ok
    check(kind == 'none' or kind == 'set', 'sets is a ', kind, ', not a set')
    redis.call('SET', prefix .. 'set:' .. set, json, 'NX')
    redis.call('SADD', prefix .. 'sets', set)
    return head(nil, OK)
  end

  redis.register_function('tresen_v1_publish', publish)
end

-- editions: what is published for all branches ----------------------------------------------------

do
  local function editions_of(keys)
    check(#keys == 1 and keys[1] == 't:{.standards}:editions', 'the key is t:{.standards}:editions')
    local kind = redis.call('TYPE', keys[1]).ok
    check(kind == 'none' or kind == 'hash', 'editions is a ', kind, ', not a hash')
    return keys[1], redis.call('HGET', keys[1], 'hash') or ''
  end

  local function editions(keys, args)
    local key, hash = editions_of(keys)
    local known, at = struct.unpack('<Bc0', args[1])
    check_end(args[1], at)
    local text = hash ~= known and redis.call('HGET', key, 'text') or ''
    return head(nil, OK) .. struct.pack('<Bc0I4c0', #hash, hash, #text, text)
  end

  -- Only by somebody who has seen what is there: two who publish at once cannot undo each other.
  local function replace_editions(keys, args)
    local key, hash = editions_of(keys)
    local known, new, text, at = struct.unpack('<Bc0Bc0I4c0', args[1])
    check_end(args[1], at)
    check(#new > 0 and #text > 0, 'editions without a hash or text')
    if hash ~= known then return head(nil, STALE) end
    redis.call('HSET', key, 'hash', new, 'text', text)
    return head(nil, OK)
  end

  redis.register_function('tresen_v1_editions', editions)
  redis.register_function('tresen_v1_replace_editions', replace_editions)
end

redis.register_function('tresen_v1_configure', configure)
redis.register_function('tresen_v1_ask', ask)
redis.register_function('tresen_v1_ingest', ingest)
redis.register_function('tresen_v1_take', take)
redis.register_function('tresen_v1_settle', settle)
redis.register_function('tresen_v1_seal', seal)
redis.register_function('tresen_v1_replay', replay)
redis.register_function('tresen_v1_drop', drop)
