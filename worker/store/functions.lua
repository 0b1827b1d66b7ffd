#!lua name=tresen_v1
-- The store's side of Tresen: every change to a branch is one of these calls. KEYS.md beside this
-- file gives keys, arguments and replies byte by byte. The build puts functions_decisions.lua,
-- functions_ingest.lua, functions_settle.lua and functions_rebuild.lua behind this file: one library,
-- in which each part uses those before it.
--
-- A worker that brings a higher revision replaces the library, under load, and for all workers: so
-- whatever changes here keeps to what older callers of tresen_v1 send and read, and to what stands in
-- Redis. New functions are fine, and new keys; another form of an argument, a reply or a value is a
-- tresen_v2. Each change, be it of a comment, is a revision more and a line in `revisions`, which a
-- test keeps.
local REVISION = 2

-- An error does not roll back. So each function has two halves: it reads and checks everything
-- (arguments to their last byte, the type of every key that it will write), then it writes, and
-- nothing in that half can fail. Numbers stay below 2^53; tags, leases and spool ids are strings.

local NONE = -1 -- a time that did not happen
local NEVER = 2 ^ 53 -- a time that does not come
local MINUTE = 60000
local NO_LEASE = '\0\0\0\0\0\0\0\0'
local NO_SPOOL = NO_LEASE .. NO_LEASE
local OK, UNCONFIGURED, UNFIT, LATER, FENCED, STALE = 0, 1, 2, 3, 4, 5
local OPEN, ENDED, SETTLED, FINAL = 0, 1, 2, 3 -- states of an encounter
local NORMAL, TIMEOUT = 1, 5 -- outcomes
local DEPARTED, HERE = 1, 2 -- presence of a gateway
local SLICE = 256 -- encounters of a counter that one call moves on; the next call goes on
local SWEEP = 64 -- minutes of a counter that one call deletes; the next call goes on
local KEPT_MAX = 256 -- branches whose state and registry are kept parsed
local TICK, TICK_MAX = 1000, 60000 -- least and most ms by which a call moves the active time

local COUNTER_FORMAT, COUNTER_SIZE = '<i8i8i8i8i8', 40
local GATEWAY_FORMAT, GATEWAY_SIZE = '<I8I8c8c16i8I8I8I8I8BxI4', 86
local STATE_HEAD, STATE_HEAD_SIZE = '<c8I8I8I8I8', 40
local MARK_SIZE = 4 -- half of a tag
local POSITION_SIZE = 24 -- a gateway begins with epoch, number, tag, as replies say them
local POLICY = { 'grace', 'settle_after', 'settle_pause', 'lease', 'encounter_max', 'horizon',
                 'bytes_max', 'tries_max', 'dead_max', 'gaps_max' }
local POLICY_FORMAT, POLICY_SIZE = '<I8I8I8I8I8I8I8I4I4I4', 68

-- As an argument of Redis, which prints a number with its fraction and five times as slowly.
local function decimal(number) return string.format('%d', number) end

local function fail(...) error('tresen: ' .. table.concat({ ... }), 0) end
-- The parts of the text become one only if it is needed.
local function check(condition, ...) if not condition then fail(...) end end
local function check_end(text, at) check(at == #text + 1, 'the argument is of another length') end

-- A branch in memory -------------------------------------------------------------------------

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function prefix_of(keys)
  check(#keys == 1, 'one key, please')
  local prefix = string.match(keys[1], '^(t:{[a-z0-9-]+}:)state$')
  check(prefix, 'the key is t:{BRANCH}:state')
  return prefix
end

local function parse_registry(text)
  local r = { counters = {}, places = {}, gateways = {}, serves = {},
              watchers = {}, everybody = {} } -- gateways of a counter, of the branch
  local version, known, at
  version, r.configuration, at = struct.unpack('<Bc8', text)
  check(version == 1, 'the registry is of another version')
  local policy = { struct.unpack(POLICY_FORMAT, text, at) }
  for i, name in ipairs(POLICY) do r[name] = policy[i] end
  r.counter_count, known, at = struct.unpack('<I2I2', text, at + POLICY_SIZE)
  for i = 1, known do
    r.counters[i], at = struct.unpack('<Bc0', text, at)
    r.places[r.counters[i]] = i
  end
  r.gateway_count, known, at = struct.unpack('<BB', text, at)
  for i = 1, known do r.gateways[i], at = struct.unpack('<Bc0', text, at) end
  for i = 1, r.gateway_count do
    local flags
    flags, at = struct.unpack('c' .. r.counter_count, text, at)
    r.serves[i] = {} -- places of counters
    for place = 1, r.counter_count do
      if string.byte(flags, place) == 49 then table.insert(r.serves[i], place) end
    end
  end
  check(at == #text + 1, 'the registry is damaged')
  for place = 1, r.counter_count do r.watchers[place] = {} end
  for i = 1, r.gateway_count do
    r.everybody[i] = i
    for _, place in ipairs(r.serves[i]) do table.insert(r.watchers[place], i) end
  end
  return r
end

-- The registry seldom changes: it is parsed once for each text.
local parsed, parsed_count = {}, 0

local function registry_of(text)
  local r = parsed[text]
  if not r then
    r = parse_registry(text)
    if parsed_count == KEPT_MAX then parsed, parsed_count = {}, 0 end
    parsed[text], parsed_count = r, parsed_count + 1
  end
  return r
end

local function new_counter()
  return { mark = 0, minute_first = NEVER, open_first = NEVER, wait_first = NEVER, judged_last = NONE }
end

local function new_gateway(active)
  return { epoch = 0, number = 0, tag = NO_LEASE, spool = NO_SPOOL, watermark = NONE,
           heard = active, applied = 0, dead = 0, lost = 0, departed = 0, clock_error = 0 }
end

-- What the first batch of a spool follows: its mark is the beginning of the spool's id.
local function start_tag(spool) return string.rep('\0', MARK_SIZE) .. string.sub(spool, 1, MARK_SIZE) end

local function new_state()
  return { bytes = 0, active = 0, due_first = NEVER, counters = {}, gateways = {},
           parts = {}, -- the packed state: head, counters, gateways; nil: changed since
           passed = {}, silent_from = NEVER } -- see slowest
end

local function parse_state(text, r)
  check(#text == STATE_HEAD_SIZE + #r.counters * COUNTER_SIZE + #r.gateways * GATEWAY_SIZE,
        'the state is damaged')
  local s = new_state()
  local at
  s.configuration, s.bytes, s.active, s.seen, s.due_first, at = struct.unpack(STATE_HEAD, text)
  for i = 1, #r.counters do
    local c = {}
    c.mark, c.minute_first, c.open_first, c.wait_first, c.judged_last, at =
      struct.unpack(COUNTER_FORMAT, text, at)
    s.counters[i] = c
  end
  for i = 1, #r.gateways do
    local g = {}
    g.epoch, g.number, g.tag, g.spool, g.watermark, g.heard, g.applied, g.dead, g.lost,
      g.departed, g.clock_error, at = struct.unpack(GATEWAY_FORMAT, text, at)
    s.gateways[i] = g
  end
  return s
end

local function gateway_text(s, place)
  local at = 1 + #s.counters + place
  local text, g = s.parts[at], s.gateways[place]
  if not text then
    text = struct.pack(GATEWAY_FORMAT, g.epoch, g.number, g.tag, g.spool, g.watermark, g.heard,
                       g.applied, g.dead, g.lost, g.departed, g.clock_error)
    s.parts[at] = text
  end
  return text
end

local function gateway_changed(s, place) s.parts[1 + #s.counters + place] = false end
local function counter_changed(s, place) s.parts[1 + place] = false end

local function pack_state(s)
  local parts, counters = s.parts, s.counters
  parts[1] = struct.pack(STATE_HEAD, s.configuration, s.bytes, s.active, s.seen, s.due_first)
  for i = 1, #counters do
    if not parts[1 + i] then
      local c = counters[i]
      parts[1 + i] = struct.pack(COUNTER_FORMAT, c.mark, c.minute_first, c.open_first,
                                 c.wait_first, c.judged_last)
    end
  end
  for i = 1, #s.gateways do gateway_text(s, i) end
  return table.concat(parts)
end

-- The state as the last call on the branch left it, by its key; taken out while a call is at work,
-- so that one that fails does not leave it half changed.
local kept, kept_count = {}, 0

local function keep(b, text)
  if kept_count == KEPT_MAX then kept, kept_count = {}, 0 end
  b.text, kept[b.key], kept_count = text, b, kept_count + 1
end

-- nil: the branch is not configured. Nobody else writes: while the state is what the last call
-- left, so is the registry.
local function state_of(keys)
  local text, b = redis.call('GET', keys[1]), kept[keys[1]]
  if b then kept[keys[1]], kept_count = nil, kept_count - 1 end
  if b and b.text == text then return b end
  local prefix = prefix_of(keys)
  local registry = redis.call('GET', prefix .. 'registry')
  if not registry or not text then return nil end
  local r = registry_of(registry)
  if r.configuration ~= string.sub(text, 1, 8) then return nil end
  b = parse_state(text, r)
  b.key, b.prefix, b.r, b.text = keys[1], prefix, r, text
  return b
end

-- Active time goes on with the calls: it stands still while the whole system is down, and a jump of
-- the store's clock adds little.
local function tick(b)
  local since = b.now - b.seen
  if since >= 0 and since < TICK then return end
  b.active, b.seen = b.active + math.max(0, math.min(since, TICK_MAX)), b.now
end

-- nil: not configured, or otherwise than the caller believes.
local function branch_open(keys, configuration)
  local b = state_of(keys)
  if not b or b.configuration ~= configuration then return nil end
  b.now = now_ms()
  tick(b)
  b.encounters, b.loaded = {}, {} -- by id (false: not there); ids of those that are there
  b.types, b.adds, b.alone = {}, {}, nil -- keys checked; counters and leases to write
  b.dirty = {} -- places with changed encounters
  b.reread = { open = {}, wait = {}, due = false } -- sets that may have lost their first
  return b
end

-- Before the first write: whatever will be written is of its type or not there.
local function need(b, name, kind)
  if b.types[name] then return end
  local is = redis.call('TYPE', b.prefix .. name).ok
  check(is == 'none' or is == kind, name, ' is a ', is, ', not a ', kind)
  b.types[name] = true
end

-- Counters for people: read and added to here, written by branch_write.
local function count(b, name, by)
  if by == 0 then return end
  if not b.adds[name] then
    need(b, 'counters', 'hash')
    local was = tonumber(redis.call('HGET', b.prefix .. 'counters', name) or 0)
    check(was, 'counters: ', name, ' is not a number')
    b.adds[name] = was
  end
  b.adds[name] = b.adds[name] + by
end

-- Neither departed nor silent (or never heard of) for the horizon.
local function holds_back(b, g)
  return g.departed == 0 and b.active - g.heard < b.r.horizon
end

-- What a gateway has promised or whether it is there has changed.
local function gateway_moved(b, i)
  gateway_changed(b, i)
  local serves, passed = b.r.serves[i], b.passed
  for k = 1, #serves do passed[serves[k]] = nil end
end

-- Event time that every gateway which counts for this counter has passed. NEVER: none holds back.
-- It is remembered until one of them moves, or may have become silent.
local function slowest(b, place)
  if b.active >= b.silent_from then b.passed, b.silent_from = {}, NEVER end
  local least = b.passed[place]
  if least then return least end
  least = NEVER
  local watchers, earliest = b.r.watchers[place] or {}, NEVER -- a former counter has none
  for k = 1, #watchers do
    local g = b.gateways[watchers[k]]
    if holds_back(b, g) then
      if g.watermark < least then least = g.watermark end
      if g.heard < earliest then earliest = g.heard end
    end
  end
  b.silent_from = math.min(b.silent_from, earliest + b.r.horizon)
  b.passed[place] = least
  return least
end

-- How far the counter's mark could move: where none holds back, to the latest promise.
local function mark_limit(b, place)
  local most = slowest(b, place)
  if most ~= NEVER then return most end
  most = NONE
  for _, i in ipairs(b.r.watchers[place] or b.r.everybody) do
    most = math.max(most, b.gateways[i].watermark)
  end
  return most
end

-- Encounters ---------------------------------------------------------------------------------

local ENCOUNTER_FORMAT = '<BBBBc8i8i8i8i8BBc0Bc0Bc0Bc0Bc0'

local function encounter_unpack(id, text)
  local e = { id = id }
  local at
  e.state, e.withdrawn, e.several, e.tries, e.lease, e.issued, e.called, e.started, e.ended,
    e.outcome, e.counter, e.gateway, e.offering, e.employee, e.language, at =
    struct.unpack(ENCOUNTER_FORMAT, text)
  check(at == #text + 1, 'encounter ', id, ' is damaged')
  return e
end

local function encounter_pack(e)
  return struct.pack(ENCOUNTER_FORMAT, e.state, e.withdrawn, e.several, e.tries, e.lease, e.issued,
    e.called, e.started, e.ended, e.outcome, #e.counter, e.counter, #e.gateway, e.gateway,
    #e.offering, e.offering, #e.employee, e.employee, #e.language, e.language)
end

local function begin_of(e)
  if e.issued ~= NONE then return e.issued end
  if e.called ~= NONE then return e.called end
  if e.started ~= NONE then return e.started end
  return e.ended
end

local function end_of(e) return e.ended ~= NONE and e.ended or begin_of(e) end
-- When it has waited for the slowest gateway.
local function wait_of(b, e)
  return e.state == OPEN and begin_of(e) + b.r.encounter_max or e.ended + b.r.grace
end

local function is_judged(e) return e.state == SETTLED or e.lease ~= NO_LEASE end

local function remember(b, e)
  e.place = b.r.places[e.counter]
  check(e.place, 'encounter ', e.id, ' is of an unknown counter')
  e.home = e.home or e.counter -- in whose sets it is
  b.encounters[e.id] = e
  b.loaded[#b.loaded + 1] = e.id
end

local function encounter_read(b, id, record)
  if not record then
    b.encounters[id] = false
    return false
  end
  local e = encounter_unpack(id, record)
  e.was_final, e.was_begin, e.was_wait = e.state == FINAL, begin_of(e), wait_of(b, e)
  remember(b, e)
  return e
end

local function encounter_of(b, id)
  local e = b.encounters[id]
  if e ~= nil then return e end
  return encounter_read(b, id, redis.call('HGET', b.prefix .. 'e:' .. id, 'record'))
end

local function change_at(b, counter)
  local place = b.r.places[counter]
  if b.dirty[place] then return end
  need(b, 'open:' .. counter, 'zset')
  need(b, 'wait:' .. counter, 'zset')
  b.dirty[place] = true
end

local function change(b, e)
  if e.changed then return end
  e.changed = true
  need(b, 'due', 'zset')
  change_at(b, e.counter)
  if e.home ~= e.counter then change_at(b, e.home) end
end

-- Who was taken alone, by its lease: so that a lease whose judgement nobody died of is known when it
-- does not stand any more. Of what is here for an encounter each is one of its tries but the first.
local alone = {}

do
  local MOST = 64 -- with more of them all are forgotten, and count

  local function write_later(b)
    need(b, 'alone', 'hash')
    b.alone = b.alone or { gone = {} }
    return b.alone
  end

  function alone.add(b, e, lease)
    local later = write_later(b)
    later.full = redis.call('HLEN', b.prefix .. 'alone') >= MOST
    later.lease, later.id = lease, e.id
  end

  local function remove(b, lease)
    local gone = write_later(b).gone
    gone[#gone + 1] = lease
  end

  -- The encounter has one try less, if it has this lease. There is none of it for a first try.
  function alone.void(b, e)
    if e.tries > 1 then remove(b, e.lease) end
    e.lease, e.tries = NO_LEASE, math.max(0, e.tries - 1)
  end

  -- The encounter has no tries any more.
  function alone.forget(b, e)
    if e.tries > 1 then
      need(b, 'alone', 'hash')
      local all = redis.call('HGETALL', b.prefix .. 'alone')
      for i = 1, #all, 2 do
        if all[i + 1] == e.id then remove(b, all[i]) end
      end
    end
    e.tries = 0
  end

  function alone.forget_all(b) write_later(b).full = true end

  -- Nobody died of judging under this lease: its try counts no more, and if it still stands, the
  -- encounter is due. false: it is not known, or was of another encounter.
  function alone.give_back(b, lease, wanted)
    need(b, 'alone', 'hash')
    local id = redis.call('HGET', b.prefix .. 'alone', lease)
    if not id or wanted and wanted ~= id then return false end
    remove(b, lease)
    local e = encounter_of(b, id)
    if not e then return true end
    change(b, e)
    if e.tries > 1 then e.tries = e.tries - 1 end
    if e.lease == lease then e.lease, e.due, e.due_kept = NO_LEASE, b.now, false end
    return true
  end

  function alone.write(b)
    local later, key = b.alone, b.prefix .. 'alone'
    if not later then return end
    if later.full then redis.call('DEL', key) end
    for _, lease in ipairs(later.gone) do redis.call('HDEL', key, lease) end
    if later.lease then redis.call('HSET', key, later.lease, later.id) end
  end
end

-- Something that a judgement rests on has changed: no lease stands, it is judged anew.
local function touch(b, e)
  if e.lease ~= NO_LEASE then
    change(b, e)
    alone.void(b, e)
    e.due, e.due_kept, e.paused = b.now + b.r.settle_pause, false, true
  elseif e.state >= SETTLED and not e.due then
    change(b, e)
    if e.state == FINAL then alone.forget(b, e) end
    e.due, e.due_kept, e.paused = b.now + b.r.settle_pause, true, true
  end
end

-- However late its end is told, an encounter is no longer than encounter_max: the result must not
-- depend on who was faster, the watermarks or the fact.
local function bound_length(b, e)
  local latest = begin_of(e) + b.r.encounter_max
  if e.ended == NONE or e.ended < latest then return end
  e.ended, e.outcome = latest, TIMEOUT
  if e.called > latest then e.called = NONE end
  if e.started > latest then e.started = NONE end
end

-- Where a non-final encounter stands against its slowest gateway.
local function move_on(b, e)
  if e.state == FINAL then return end
  change(b, e)
  local passed, latest = slowest(b, e.place), begin_of(e) + b.r.encounter_max
  if e.withdrawn == 1 then
    e.wait = false
    return
  end
  if e.state == OPEN and latest <= passed then
    e.state, e.ended = ENDED, latest
    bound_length(b, e)
    count(b, 'timeouts', 1)
  end
  if e.state == OPEN then
    e.wait = latest
  elseif e.ended + b.r.grace <= passed then
    e.wait = false
    if e.lease == NO_LEASE and not e.paused then e.due, e.due_kept = b.now, false end
  else
    e.wait = e.ended + b.r.grace
  end
end

-- Whatever the watermarks have passed: open ones are closed, ended ones are due.
local function advance(b)
  for place = 1, #b.counters do
    local c, passed = b.counters[place], slowest(b, place)
    if c.wait_first <= passed and c.wait_first ~= NEVER then
      local ids = redis.call('ZRANGEBYSCORE', b.prefix .. 'wait:' .. b.r.counters[place], '-inf',
                             decimal(passed), 'LIMIT', '0', SLICE)
      for _, id in ipairs(ids) do
        local e = encounter_of(b, id)
        check(e, 'encounter ', id, ' is missing')
        move_on(b, e)
      end
      b.reread.wait[place] = true
    end
    local limit = mark_limit(b, place)
    if not b.dirty[place] then limit = math.min(limit, c.open_first) end
    if math.max(c.mark, limit) >= (c.minute_first + 1) * MINUTE then
      need(b, 'mi:' .. b.r.counters[place], 'zset')
    end
  end
end

-- Writing ------------------------------------------------------------------------------------

local function first_of(b, name)
  return tonumber(redis.call('ZRANGE', b.prefix .. name, '0', '0', 'WITHSCORES')[2] or NEVER)
end

-- Its place in a set of the counter: nil as it was, false gone; and the first place of the set.
local function write_place(b, e, set, was, is)
  local first, home = set .. '_first', b.r.places[e.home]
  local leaves = was and (not is or home ~= e.place)
  if leaves then redis.call('ZREM', b.prefix .. set .. ':' .. e.home, e.id) end
  if (leaves or is ~= was) and was and was <= b.counters[home][first] then
    b.reread[set][home] = true
  end
  if is then
    redis.call('ZADD', b.prefix .. set .. ':' .. e.counter, decimal(is), e.id)
    local c = b.counters[e.place]
    c[first] = math.min(c[first], is)
  end
end

-- Only what differs from what the sets had when the encounter was read.
local function write_places(b, e)
  if e.was_final then return end
  local moved, final, begin = e.home ~= e.counter, e.state == FINAL, begin_of(e)
  if moved or final or begin ~= e.was_begin then
    write_place(b, e, 'open', e.was_begin, not final and begin)
  end
  if moved or final or e.wait ~= nil then
    write_place(b, e, 'wait', e.was_begin and e.was_wait, not final and e.wait)
  end
  if not final and is_judged(e) then
    local c = b.counters[e.place]
    c.judged_last = math.max(c.judged_last, end_of(e))
  end
end

local function write_encounter(b, e)
  local key = b.prefix .. 'e:' .. e.id
  if e.settled then
    redis.call('HSET', key, 'record', encounter_pack(e), 'contribution', e.settled.contribution,
               'cells', e.settled.cells, 'verdicts', e.settled.verdicts)
  else
    redis.call('HSET', key, 'record', encounter_pack(e))
  end
  write_places(b, e)
  if e.due == nil then return end
  b.reread.due = true
  if e.due == false then
    redis.call('ZREM', b.prefix .. 'due', e.id)
  elseif e.due_kept then
    redis.call('ZADD', b.prefix .. 'due', 'NX', decimal(e.due), e.id)
  else
    redis.call('ZADD', b.prefix .. 'due', decimal(e.due), e.id)
  end
end

-- Move the final mark and delete the minutes that lie wholly behind it.
local function sweep(b, place)
  local c, name = b.counters[place], b.r.counters[place]
  local mark = math.min(mark_limit(b, place), c.open_first)
  if mark > c.mark then
    c.mark = mark
    counter_changed(b, place)
  end
  if c.mark < (c.minute_first + 1) * MINUTE then return end
  local index, behind, keys = b.prefix .. 'mi:' .. name, {}, {}
  c.minute_first = NEVER
  for _, m in ipairs(redis.call('ZRANGE', index, '0', decimal(SWEEP))) do
    if #keys == SWEEP or (m + 1) * MINUTE > c.mark then
      c.minute_first = tonumber(m)
      break
    end
    local key = b.prefix .. 'm:' .. name .. ':' .. m
    local size = redis.pcall('STRLEN', key)
    if type(size) == 'number' then b.bytes = math.max(0, b.bytes - size) end
    behind[#behind + 1], keys[#keys + 1] = m, key
  end
  if #keys > 0 then
    redis.call('UNLINK', unpack(keys))
    redis.call('ZREM', index, unpack(behind))
  end
  counter_changed(b, place)
end

-- The first of each set that may have lost its first.
local function read_firsts(b)
  if b.reread.due then b.due_first = first_of(b, 'due') end
  for place in pairs(b.reread.open) do
    b.counters[place].open_first = first_of(b, 'open:' .. b.r.counters[place])
    counter_changed(b, place)
  end
  for place in pairs(b.reread.wait) do
    b.counters[place].wait_first = first_of(b, 'wait:' .. b.r.counters[place])
    counter_changed(b, place)
  end
  for place in pairs(b.dirty) do counter_changed(b, place) end
end

local function branch_write(b)
  for _, id in ipairs(b.loaded) do
    local e = b.encounters[id]
    if e.changed then write_encounter(b, e) end
  end
  read_firsts(b)
  for place = 1, #b.counters do sweep(b, place) end
  for name, value in pairs(b.adds) do
    redis.call('HSET', b.prefix .. 'counters', name, decimal(value))
  end
  alone.write(b)
  local text = pack_state(b)
  if text ~= b.text then redis.call('SET', b.key, text) end
  keep(b, text)
end

-- What every reply begins with.
local function head(b, status)
  local due = NONE
  if b and b.due_first < NEVER then due = math.max(0, b.due_first - b.now) end
  return struct.pack('<Bi8', status, due)
end
