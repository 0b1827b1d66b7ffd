#!lua name=tresen_v1
-- The store's side of Tresen: every change to a branch is one of these calls. KEYS.md beside this
-- file gives keys, arguments and replies byte by byte. The build puts functions_ingest.lua and
-- functions_settle.lua behind this file: one library, in which each part uses those before it.
--
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
local SWEEP = 1024 -- minutes of a counter that one call deletes
local TICK, TICK_MAX = 1000, 60000 -- least and most ms by which a call moves the active time

local COUNTER_FORMAT, COUNTER_SIZE = '<i8i8i8i8i8', 40
local GATEWAY_FORMAT, GATEWAY_SIZE = '<I8I8c8c16i8I8I8I8I8BxI4', 86
local STATE_HEAD, STATE_HEAD_SIZE = '<c8I8I8I8', 32
local POLICY = { 'grace', 'settle_after', 'settle_pause', 'lease', 'encounter_max', 'horizon',
                 'bytes_max', 'tries_max', 'dead_max', 'gaps_max' }
local POLICY_FORMAT, POLICY_SIZE = '<I8I8I8I8I8I8I8I4I4I4', 68

local function fail(text) error('tresen: ' .. text, 0) end
local function check(condition, text) if not condition then fail(text) end end
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
  local r = { counters = {}, places = {}, gateways = {}, serves = {} }
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
    r.serves[i] = {}
    for place = 1, r.counter_count do r.serves[i][place] = string.byte(flags, place) == 49 end
  end
  check(at == #text + 1, 'the registry is damaged')
  return r
end

-- The registry seldom changes: it is parsed once for each text.
local parsed, parsed_count = {}, 0

local function registry_of(text)
  local r = parsed[text]
  if not r then
    r = parse_registry(text)
    if parsed_count == 64 then parsed, parsed_count = {}, 0 end
    parsed[text], parsed_count = r, parsed_count + 1
  end
  return r
end

local function new_counter()
  return { mark = 0, swept = 0, open_first = NEVER, wait_first = NEVER, judged_last = NONE }
end

local function new_gateway(active)
  return { epoch = 0, number = 0, tag = NO_LEASE, spool = NO_SPOOL, watermark = NONE,
           heard = active, applied = 0, dead = 0, lost = 0, departed = 0, clock_error = 0 }
end

local function parse_state(text, r)
  check(#text == STATE_HEAD_SIZE + #r.counters * COUNTER_SIZE + #r.gateways * GATEWAY_SIZE,
        'the state is damaged')
  local s = { counters = {}, gateways = {} }
  local at
  s.configuration, s.bytes, s.active, s.seen, at = struct.unpack(STATE_HEAD, text)
  for i = 1, #r.counters do
    local c = {}
    c.mark, c.swept, c.open_first, c.wait_first, c.judged_last, at =
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

local function pack_state(configuration, s)
  local parts = { struct.pack(STATE_HEAD, configuration, s.bytes, s.active, s.seen) }
  for _, c in ipairs(s.counters) do
    parts[#parts + 1] = struct.pack(COUNTER_FORMAT, c.mark, c.swept, c.open_first, c.wait_first,
                                    c.judged_last)
  end
  for _, g in ipairs(s.gateways) do
    parts[#parts + 1] = struct.pack(GATEWAY_FORMAT, g.epoch, g.number, g.tag, g.spool, g.watermark,
      g.heard, g.applied, g.dead, g.lost, g.departed, g.clock_error)
  end
  return table.concat(parts)
end

-- The state as the last call on the branch left it in memory, if it still is what Redis has.
local kept, kept_count = {}, 0

local function state_of(prefix, text, r)
  local last = kept[prefix]
  if last then
    kept[prefix], kept_count = nil, kept_count - 1 -- a call that fails must not leave it half changed
    if last.text == text and last.r == r then return last end
  end
  local s = parse_state(text, r)
  s.text, s.r = text, r
  return s
end

local function keep_state(b, text)
  if kept_count == 64 then kept, kept_count = {}, 0 end
  kept[b.prefix] = { text = text, r = b.r, configuration = b.configuration, bytes = b.bytes,
                     active = b.active, seen = b.seen, counters = b.counters, gateways = b.gateways }
  kept_count = kept_count + 1
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
  local prefix = prefix_of(keys)
  local registry, state = redis.call('GET', prefix .. 'registry'), redis.call('GET', keys[1])
  if not registry or not state then return nil end
  local r = registry_of(registry)
  if r.configuration ~= configuration or string.sub(state, 1, 8) ~= configuration then return nil end
  local b = state_of(prefix, state, r)
  b.key, b.prefix, b.now, b.passed = keys[1], prefix, now_ms(), {}
  tick(b)
  b.encounters, b.loaded = {}, {} -- by id (false: not there); ids of those that are there
  b.types, b.adds, b.dirty = {}, {}, {} -- keys checked; counters to write; counters to look at
  b.due_first = redis.call('ZRANGE', prefix .. 'due', 0, 0, 'WITHSCORES')[2] -- checks its type
  return b
end

-- Before the first write: whatever will be written is of its type or not there.
local function need(b, name, kind)
  if b.types[name] then return end
  local is = redis.call('TYPE', b.prefix .. name).ok
  check(is == 'none' or is == kind, name .. ' is a ' .. is .. ', not a ' .. kind)
  b.types[name] = true
end

-- Counters for people: read and added to here, written by branch_write.
local function count(b, name, by)
  if by == 0 then return end
  if not b.adds[name] then
    need(b, 'counters', 'hash')
    local was = tonumber(redis.call('HGET', b.prefix .. 'counters', name) or 0)
    check(was, 'counters: ' .. name .. ' is not a number')
    b.adds[name] = was
  end
  b.adds[name] = b.adds[name] + by
end

local function serves(b, gateway, place)
  return place > b.r.counter_count or b.r.serves[gateway][place]
end

-- Neither departed nor silent (or never heard of) for the horizon.
local function holds_back(b, g)
  return g.departed == 0 and b.active - g.heard < b.r.horizon
end

-- Event time that every gateway which counts for this counter has passed. NEVER: none holds back.
-- Asked for only after watermarks have moved.
local function slowest(b, place)
  if b.passed[place] then return b.passed[place] end
  local least = NEVER
  if place > b.r.counter_count then return least end
  for i = 1, b.r.gateway_count do
    local g = b.gateways[i]
    if holds_back(b, g) and serves(b, i, place) and g.watermark < least then
      least = g.watermark
    end
  end
  b.passed[place] = least
  return least
end

-- How far the counter's mark could move: where none holds back, to the latest promise.
local function mark_limit(b, place)
  local most = slowest(b, place)
  if most ~= NEVER then return most end
  most = NONE
  for i = 1, b.r.gateway_count do
    local g = b.gateways[i]
    if serves(b, i, place) and g.watermark > most then most = g.watermark end
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
  check(at == #text + 1, 'encounter ' .. id .. ' is damaged')
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
local function is_judged(e) return e.state == SETTLED or e.lease ~= NO_LEASE end

local function remember(b, e)
  e.place = b.r.places[e.counter]
  check(e.place, 'encounter ' .. e.id .. ' is of an unknown counter')
  e.home = e.home or e.counter -- in whose sets it is
  b.encounters[e.id] = e
  b.loaded[#b.loaded + 1] = e.id
end

local function encounter_of(b, id)
  local e = b.encounters[id]
  if e ~= nil then return e end
  local text = redis.call('HGET', b.prefix .. 'e:' .. id, 'record')
  if not text then
    b.encounters[id] = false
    return false
  end
  e = encounter_unpack(id, text)
  e.was_begin, e.was_end, e.was_judged = begin_of(e), end_of(e), is_judged(e)
  remember(b, e)
  return e
end

local function change(b, e)
  if e.changed then return end
  e.changed = true
  for _, counter in ipairs({ e.counter, e.home }) do
    need(b, 'open:' .. counter, 'zset')
    need(b, 'wait:' .. counter, 'zset')
    need(b, 'judged:' .. counter, 'zset')
    b.dirty[b.r.places[counter]] = true
  end
end

-- Something that a judgement rests on has changed: no lease stands, it is judged anew.
local function touch(b, e)
  if e.lease ~= NO_LEASE then
    change(b, e)
    e.lease, e.tries = NO_LEASE, math.max(0, e.tries - 1)
    e.due, e.due_kept, e.paused = b.now + b.r.settle_pause, false, true
  elseif e.state == SETTLED and not e.due then
    change(b, e)
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
  for place, c in ipairs(b.counters) do
    local passed = slowest(b, place)
    if c.wait_first <= passed then
      local ids = redis.call('ZRANGEBYSCORE', b.prefix .. 'wait:' .. b.r.counters[place], '-inf',
                             passed, 'LIMIT', 0, SLICE)
      for _, id in ipairs(ids) do
        local e = encounter_of(b, id)
        check(e, 'encounter ' .. id .. ' is missing')
        move_on(b, e)
      end
    end
    if math.floor(math.max(c.mark, mark_limit(b, place)) / MINUTE) > c.swept then
      need(b, 'mi:' .. b.r.counters[place], 'zset')
    end
  end
end

-- Writing ------------------------------------------------------------------------------------

local function score_at(b, name, place, none)
  local found = redis.call('ZRANGE', b.prefix .. name, place, place, 'WITHSCORES')
  return found[2] and tonumber(found[2]) or none
end

-- Only what differs from what the sets had when the encounter was read.
local function write_places(b, e)
  local p = b.prefix
  local moved = e.home ~= e.counter
  if moved or e.state == FINAL then
    redis.call('ZREM', p .. 'open:' .. e.home, e.id)
    redis.call('ZREM', p .. 'wait:' .. e.home, e.id)
    redis.call('ZREM', p .. 'judged:' .. e.home, e.id)
  end
  if e.state == FINAL then return end
  if moved or begin_of(e) ~= e.was_begin then
    redis.call('ZADD', p .. 'open:' .. e.counter, begin_of(e), e.id)
  end
  if e.wait then
    redis.call('ZADD', p .. 'wait:' .. e.counter, e.wait, e.id)
  elseif e.wait == false and e.was_begin then
    redis.call('ZREM', p .. 'wait:' .. e.counter, e.id)
  end
  if is_judged(e) and (moved or not e.was_judged or end_of(e) ~= e.was_end) then
    redis.call('ZADD', p .. 'judged:' .. e.counter, end_of(e), e.id)
  elseif e.was_judged and not is_judged(e) then
    redis.call('ZREM', p .. 'judged:' .. e.counter, e.id)
  end
end

local function write_encounter(b, e)
  redis.call('HSET', b.prefix .. 'e:' .. e.id, 'record', encounter_pack(e))
  write_places(b, e)
  if e.due == false then
    redis.call('ZREM', b.prefix .. 'due', e.id)
  elseif e.due and e.due_kept then
    redis.call('ZADD', b.prefix .. 'due', 'NX', e.due, e.id)
  elseif e.due then
    redis.call('ZADD', b.prefix .. 'due', e.due, e.id)
  end
end

-- Move the final mark and delete the minutes that lie wholly behind it.
local function sweep(b, place)
  local c, name = b.counters[place], b.r.counters[place]
  c.mark = math.max(c.mark, math.min(mark_limit(b, place), c.open_first))
  local minute = math.floor(c.mark / MINUTE)
  if minute <= c.swept then return end
  local minutes = redis.call('ZRANGEBYSCORE', b.prefix .. 'mi:' .. name, '-inf', '(' .. minute,
                             'LIMIT', 0, SWEEP)
  for _, m in ipairs(minutes) do
    local key = b.prefix .. 'm:' .. name .. ':' .. m
    local size = redis.pcall('STRLEN', key)
    if type(size) == 'number' then b.bytes = math.max(0, b.bytes - size) end
    redis.call('UNLINK', key)
    redis.call('ZREM', b.prefix .. 'mi:' .. name, m)
  end
  if #minutes < SWEEP then c.swept = minute end
end

local function branch_write(b)
  for _, id in ipairs(b.loaded) do
    local e = b.encounters[id]
    if e.changed then write_encounter(b, e) end
  end
  for place in pairs(b.dirty) do
    local c, name = b.counters[place], b.r.counters[place]
    c.open_first = score_at(b, 'open:' .. name, 0, NEVER)
    c.wait_first = score_at(b, 'wait:' .. name, 0, NEVER)
    c.judged_last = score_at(b, 'judged:' .. name, -1, NONE)
  end
  for place = 1, #b.counters do sweep(b, place) end
  for name, value in pairs(b.adds) do
    redis.call('HSET', b.prefix .. 'counters', name, value)
  end
  local text = pack_state(b.r.configuration, b)
  if text ~= b.text then redis.call('SET', b.key, text) end
  if next(b.dirty) then
    b.due_first = redis.call('ZRANGE', b.prefix .. 'due', 0, 0, 'WITHSCORES')[2]
  end
  keep_state(b, text)
end

-- What every reply begins with.
local function head(b, status)
  local due = NONE
  if b and b.due_first then due = math.max(0, tonumber(b.due_first) - b.now) end
  return struct.pack('<Bi8', status, due)
end
