#!lua name=tresen_v1
-- The store's side of Tresen: every change to a branch is one of these calls. KEYS.md beside this
-- file gives keys, arguments and replies byte by byte.
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

local COUNTER_FORMAT, COUNTER_SIZE = '<i8i8i8i8i8', 40
local GATEWAY_FORMAT, GATEWAY_SIZE = '<I8I8c8c16i8I8I8I8I8BxI4', 86
local STATE_HEAD = 16
local POLICY = { 'grace', 'settle_after', 'settle_pause', 'lease', 'encounter_max', 'bytes_max',
                 'tries_max', 'dead_max', 'gaps_max' }
local POLICY_FORMAT, POLICY_SIZE = '<I8I8I8I8I8I8I4I4I4', 60

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

local function new_gateway()
  return { epoch = 0, number = 0, tag = NO_LEASE, spool = NO_SPOOL, watermark = NONE,
           heard = 0, applied = 0, dead = 0, lost = 0, departed = 0, clock_error = 0 }
end

local function parse_state(text, r)
  check(#text == STATE_HEAD + #r.counters * COUNTER_SIZE + #r.gateways * GATEWAY_SIZE,
        'the state is damaged')
  local s = { counters = {}, gateways = {} }
  local at
  s.configuration, s.bytes, at = struct.unpack('<c8I8', text)
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
  local parts = { struct.pack('<c8I8', configuration, s.bytes) }
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
                     counters = b.counters, gateways = b.gateways }
  kept_count = kept_count + 1
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

-- Event time that every gateway which counts for this counter has passed. NEVER: none holds back.
-- Asked for only after watermarks have moved.
local function slowest(b, place)
  if b.passed[place] then return b.passed[place] end
  local least = NEVER
  if place > b.r.counter_count then return least end
  for i = 1, b.r.gateway_count do
    local g = b.gateways[i]
    if g.departed == 0 and serves(b, i, place) and g.watermark < least then least = g.watermark end
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

-- configure: the registry of a branch; positions and marks of known names are kept ---------------

-- Names as they come, then those known before that are not named any more; with their records.
local function carry_over(names, before, records, make)
  local was, all, kept = {}, {}, {}
  for i, name in ipairs(before) do was[name] = records[i] end
  for _, name in ipairs(names) do
    all[#all + 1], kept[#kept + 1] = name, was[name] or make()
    was[name] = nil
  end
  for _, name in ipairs(before) do
    if was[name] then all[#all + 1], kept[#kept + 1] = name, was[name] end
  end
  return all, kept
end

local function read_names(text, at, total)
  local names, seen = {}, {}
  for i = 1, total do
    names[i], at = struct.unpack('<Bc0', text, at)
    check(string.match(names[i], '^[a-z0-9-]+$') and not seen[names[i]], 'bad name ' .. names[i])
    seen[names[i]] = true
  end
  return names, at
end

local function read_configuration(text)
  local c, total, at = { serves = {} }, nil, nil
  c.id, at = struct.unpack('<c8', text)
  c.policy, at = struct.unpack('c' .. POLICY_SIZE, text, at)
  total, at = struct.unpack('<I2', text, at)
  check(total > 0, 'a branch has counters')
  c.counters, at = read_names(text, at, total)
  total, at = struct.unpack('<B', text, at)
  c.gateways, at = read_names(text, at, total)
  for i = 1, #c.gateways do
    c.serves[i], at = struct.unpack('c' .. #c.counters, text, at)
    check(string.match(c.serves[i], '^[01]*$'), 'bad counters of ' .. c.gateways[i])
  end
  check_end(text, at)
  return c
end

local function pack_registry(c, counters, gateways)
  local parts = { struct.pack('<Bc8', 1, c.id), c.policy,
                  struct.pack('<I2I2', #c.counters, #counters) }
  for _, name in ipairs(counters) do parts[#parts + 1] = struct.pack('<Bc0', #name, name) end
  parts[#parts + 1] = struct.pack('<BB', #c.gateways, #gateways)
  for _, name in ipairs(gateways) do parts[#parts + 1] = struct.pack('<Bc0', #name, name) end
  for _, text in ipairs(c.serves) do parts[#parts + 1] = text end
  return table.concat(parts)
end

local function configure(keys, args)
  local prefix, c = prefix_of(keys), read_configuration(args[1])
  local registry, state = redis.call('GET', prefix .. 'registry'), redis.call('GET', keys[1])
  local r, s = { counters = {}, gateways = {} }, { counters = {}, gateways = {}, bytes = 0 }
  if registry and state then
    r = parse_registry(registry)
    s = parse_state(state, r)
    if r.configuration == c.id and s.configuration == c.id then return head(nil, OK) end
  end
  local n, counters, gateways = { bytes = s.bytes }, nil, nil
  counters, n.counters = carry_over(c.counters, r.counters, s.counters, new_counter)
  gateways, n.gateways = carry_over(c.gateways, r.gateways, s.gateways, new_gateway)
  check(#counters <= 4096 and #gateways <= 255, 'too many former counters or gateways')
  registry, state = pack_registry(c, counters, gateways), pack_state(c.id, n)

  redis.call('SET', prefix .. 'registry', registry)
  redis.call('SET', keys[1], state)
  return head(nil, OK)
end

-- ask: where a spool stands; grants its epoch ---------------------------------------------------

local function ask(keys, args)
  local configuration, place, spool, epoch, at = struct.unpack('<c8Bc16I8', args[1])
  check_end(args[1], at)
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  check(place < b.r.gateway_count, 'no such gateway')
  local g, status, granted = b.gateways[place + 1], OK, nil
  if epoch == 0 then
    -- A spool that asks again because the first answer was lost gets the same epoch.
    if g.epoch == 0 or g.spool ~= spool then granted = g.epoch + 1 end
  elseif epoch > g.epoch then
    granted = epoch
  elseif epoch < g.epoch or g.spool ~= spool then
    status = FENCED
  end
  if granted then
    check(granted < NEVER, 'the epoch is too large')
    g.epoch, g.number, g.tag, g.spool = granted, 0, NO_LEASE, spool
    local text = pack_state(configuration, b)

    redis.call('SET', b.key, text)
  end
  return head(b, status) .. struct.pack('<I8I8c8', g.epoch, g.number, g.tag)
end

-- ingest: a fold of batches, whole or not at all ------------------------------------------------

local function read_gateways(b, text, at)
  local total, list, seen = nil, {}, {}
  total, at = struct.unpack('<B', text, at)
  for i = 1, total do
    local f = {}
    f.place, f.presence, f.clock_error, f.epoch, f.first, f.last, f.tag, f.watermark, f.applied,
      f.dead, f.lost, at = struct.unpack('<BBI4I8I8I8c8i8I4I4I8', text, at)
    check(f.place < b.r.gateway_count and not seen[f.place], 'bad gateway in the fold')
    check(f.first >= 1 and f.last >= f.first and f.last < NEVER and f.epoch < NEVER
          and f.watermark < NEVER and f.lost < NEVER and f.presence <= HERE,
          'bad numbers in the fold')
    seen[f.place] = true
    f.gateway = b.gateways[f.place + 1]
    list[i] = f
  end
  return list, at
end

local function read_chunks(b, text, at)
  local total, list, bytes = nil, {}, 0
  total, at = struct.unpack('<I4', text, at)
  for i = 1, total do
    local c = {}
    local from, to
    c.place, c.minute, from, to, c.observations, c.data, at =
      struct.unpack('<I2I4I2I2I4I4c0', text, at)
    c.place = c.place + 1
    check(c.place <= b.r.counter_count and from <= to, 'bad chunk in the fold')
    c.from, c.to = c.minute * MINUTE + from, c.minute * MINUTE + to
    bytes = bytes + #c.data
    list[i] = c
  end
  return list, bytes, at
end

local function read_facts(b, text, at)
  local total, list = nil, {}
  total, at = struct.unpack('<I2', text, at)
  for i = 1, total do
    local f = {}
    local place, gateway
    f.withdrawn, gateway, place, f.id, f.issued, f.called, f.started, f.ended, f.outcome,
      f.offering, f.employee, f.language, at =
      struct.unpack('<BBi2Bc0i8i8i8i8BBc0Bc0Bc0', text, at)
    check(gateway < b.r.gateway_count and place < b.r.counter_count and f.outcome <= TIMEOUT
          and f.withdrawn <= 1 and #f.id > 0, 'bad fact in the fold')
    f.gateway = b.r.gateways[gateway + 1]
    f.counter = place >= 0 and b.r.counters[place + 1] or ''
    list[i] = f
  end
  return list, at
end

local function read_gaps(b, text, at)
  local total, list = nil, {}
  total, at = struct.unpack('<I2', text, at)
  for i = 1, total do
    local kind, gateway, place, from, to, reason
    kind, gateway, place, from, to, reason, at = struct.unpack('<BBi2I8I8Bc0', text, at)
    check(kind <= 1 and gateway < b.r.gateway_count and place < b.r.counter_count,
          'bad gap in the fold')
    local name, counter = b.r.gateways[gateway + 1], place >= 0 and b.r.counters[place + 1] or ''
    list[i] = struct.pack('<BI8I8I8Bc0Bc0Bc0', kind, b.now, from, to, #name, name, #counter,
                          counter, #reason, reason)
  end
  return list, at
end

local function read_dead(b, text, at)
  local total, list = nil, {}
  total, at = struct.unpack('<I2', text, at)
  for i = 1, total do
    local place, number, tag, reason, body
    place, number, tag, reason, body, at = struct.unpack('<BI8c8Bc0I4c0', text, at)
    check(place < b.r.gateway_count, 'bad dead letter in the fold')
    local field = string.format('%s:%.0f:%.0f', b.r.gateways[place + 1],
                                b.gateways[place + 1].epoch, number)
    list[i] = { field = field,
                value = struct.pack('<I8c8Bc0I4c0', b.now, tag, #reason, reason, #body, body) }
  end
  return list, at
end

-- What was left out while folding, in the order of enum fold_count.
local LEFT_OUT = { 'future', 'undeclared', 'out_of_range', 'bad_fact' }

local function read_left_out(text, at)
  local counts = {}
  for i = 1, #LEFT_OUT do counts[i], at = struct.unpack('<I4', text, at) end
  return counts, at
end

-- Positions of the fold's gateways; flag(gateway of the fold) says which stand in the way.
local function positions(fold, flag)
  local parts = { struct.pack('<B', #fold) }
  for i, f in ipairs(fold) do
    local g = f.gateway
    parts[i + 1] = struct.pack('<BBI8I8c8', f.place, flag and flag(f) or 0, g.epoch, g.number,
                               g.tag)
  end
  return table.concat(parts)
end

local function any(fold, flag)
  for _, f in ipairs(fold) do if flag(f) ~= 0 then return true end end
  return false
end

local function unfit(f)
  return (f.epoch ~= f.gateway.epoch or f.first ~= f.gateway.number + 1) and 1 or 0
end

-- Over the branch's bytes only its slowest gateway may go on; at twice as many, none.
local function ahead_of_slowest(b, bytes)
  local least = NEVER
  for i = 1, b.r.gateway_count do
    local g = b.gateways[i]
    if g.departed == 0 and g.watermark < least then least = g.watermark end
  end
  local full = b.bytes + bytes > 2 * b.r.bytes_max
  return function(f) return (full or f.gateway.watermark > least) and 2 or 0 end
end

local TIMES = { 'issued', 'called', 'started', 'ended' }
local NAMES = { 'counter', 'offering', 'employee', 'language' }

-- The encounter as it is with this fact; nil: the fact says nothing new.
local function merge(e, f)
  local n, new = {}, false
  for k, v in pairs(e) do n[k] = v end
  for _, k in ipairs(TIMES) do
    if f[k] ~= NONE and f[k] ~= n[k] then n[k], new = f[k], true end
  end
  for _, k in ipairs(NAMES) do
    if f[k] ~= '' and f[k] ~= n[k] then n[k], new = f[k], true end
  end
  if f.outcome ~= 0 and f.outcome ~= n.outcome then n.outcome, new = f.outcome, true end
  if new and n.gateway ~= f.gateway then n.several = 1 end
  return new and n or nil
end

local function new_encounter(f)
  return { id = f.id, state = OPEN, withdrawn = 0, several = 0, tries = 0, lease = NO_LEASE,
           issued = NONE, called = NONE, started = NONE, ended = NONE, outcome = 0, counter = '',
           gateway = f.gateway, offering = '', employee = '', language = '' }
end

local function withdraw(b, e)
  touch(b, e)
  change(b, e)
  e.withdrawn = 1
  if e.state == OPEN then e.state = ENDED end
  if not e.due then e.due, e.due_kept = b.now, false end
  count(b, 'withdrawn', 1)
end

local function apply_change(b, e, f, tally)
  local n = merge(e, f)
  if not n then return end
  bound_length(b, n)
  if begin_of(n) < b.counters[b.r.places[n.counter]].mark then
    tally.facts = tally.facts + 1
    return
  end
  if b.encounters[n.id] then
    n.place = b.r.places[n.counter]
    b.encounters[n.id] = n
  else
    remember(b, n)
  end
  n.changed = nil -- so that the keys of a new counter are checked, too
  change(b, n)
  touch(b, n)
  if n.ended ~= NONE and n.state == OPEN then
    n.state, n.due, n.due_kept = ENDED, b.now + b.r.settle_after, false
    if n.outcome == 0 then n.outcome = NORMAL end
  end
end

local function apply_fact(b, f, tally)
  local e = encounter_of(b, f.id)
  if not e and (f.withdrawn == 1 or f.counter == '' or begin_of(f) == NONE) then
    tally.orphans = tally.orphans + 1
  elseif e and e.state == FINAL then
    tally.facts = tally.facts + 1
  elseif e and e.withdrawn == 1 then
    return
  elseif f.withdrawn == 1 then
    withdraw(b, e)
  else
    apply_change(b, e or new_encounter(f), f, tally)
  end
end

local function apply_chunk(b, c, tally)
  local counter, name = b.counters[c.place], b.r.counters[c.place]
  if (c.minute + 1) * MINUTE <= counter.mark then
    tally.observations = tally.observations + c.observations
    c.data = nil
    return
  end
  c.key, c.index = b.prefix .. 'm:' .. name .. ':' .. c.minute, b.prefix .. 'mi:' .. name
  c.new = redis.call('STRLEN', c.key) == 0
  if c.new then need(b, 'mi:' .. name, 'zset') end
  if counter.judged_last < c.from then return end
  local ids = redis.call('ZRANGEBYSCORE', b.prefix .. 'judged:' .. name, c.from,
                         c.to + b.r.encounter_max)
  for _, id in ipairs(ids) do
    local e = encounter_of(b, id)
    check(e, 'encounter ' .. id .. ' is missing')
    if begin_of(e) <= c.to and end_of(e) >= c.from then touch(b, e) end
  end
end

local function move_positions(b, fold)
  for _, f in ipairs(fold) do
    local g = f.gateway
    g.number, g.tag, g.heard, g.clock_error = f.last, f.tag, b.now, f.clock_error
    g.watermark = math.max(g.watermark, f.watermark)
    g.applied, g.dead, g.lost = g.applied + f.applied, g.dead + f.dead, g.lost + f.lost
    if f.presence == DEPARTED then g.departed = 1 elseif f.presence == HERE then g.departed = 0 end
    count(b, 'dead', f.dead)
    count(b, 'lost', f.lost)
  end
end

-- How many dead letters there is room for.
local function check_letters(b, dead, gaps)
  local room = 0
  if #dead > 0 then
    need(b, 'dead', 'hash')
    room = math.max(0, b.r.dead_max - redis.call('HLEN', b.prefix .. 'dead'))
    count(b, 'dead_dropped', math.max(0, #dead - room))
  end
  if #gaps > 0 then need(b, 'gaps', 'list') end
  count(b, 'gaps', #gaps)
  return room
end

local function write_chunks(b, chunks)
  for _, c in ipairs(chunks) do
    if c.data then
      redis.call('APPEND', c.key, c.data)
      if c.new then redis.call('ZADD', c.index, c.minute, c.minute) end
      b.bytes = b.bytes + #c.data
    end
  end
end

local function write_letters(b, dead, room, gaps)
  for i = 1, math.min(#dead, room) do
    redis.call('HSET', b.prefix .. 'dead', dead[i].field, dead[i].value)
  end
  for _, gap in ipairs(gaps) do redis.call('RPUSH', b.prefix .. 'gaps', gap) end
  if #gaps > 0 then redis.call('LTRIM', b.prefix .. 'gaps', -b.r.gaps_max, -1) end
end

local function tallied(tally)
  return struct.pack('<I4I4I4', tally.observations, tally.facts, tally.orphans)
end

local function ingest(keys, args)
  local text = args[1]
  local configuration, at = struct.unpack('<c8', text)
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  local tally = { observations = 0, facts = 0, orphans = 0 }
  local fold, chunks, bytes, facts, gaps, dead, left_out
  fold, at = read_gateways(b, text, at)
  chunks, bytes, at = read_chunks(b, text, at)
  facts, at = read_facts(b, text, at)
  gaps, at = read_gaps(b, text, at)
  dead, at = read_dead(b, text, at)
  left_out, at = read_left_out(text, at)
  check_end(text, at)
  if any(fold, unfit) then return head(b, UNFIT) .. tallied(tally) .. positions(fold, unfit) end
  if bytes > 0 and b.bytes + bytes > b.r.bytes_max then
    local ahead = ahead_of_slowest(b, bytes)
    if any(fold, ahead) then return head(b, LATER) .. tallied(tally) .. positions(fold, ahead) end
  end

  move_positions(b, fold)
  for _, f in ipairs(facts) do apply_fact(b, f, tally) end
  for _, c in ipairs(chunks) do apply_chunk(b, c, tally) end
  for _, id in ipairs(b.loaded) do
    local e = b.encounters[id]
    if e.changed then move_on(b, e) end
  end
  advance(b)
  local room = check_letters(b, dead, gaps)
  count(b, 'too_late_observations', tally.observations)
  count(b, 'too_late_facts', tally.facts)
  count(b, 'orphan_facts', tally.orphans)
  for i, name in ipairs(LEFT_OUT) do count(b, name, left_out[i]) end

  write_chunks(b, chunks)
  write_letters(b, dead, room, gaps)
  branch_write(b)
  return head(b, OK) .. tallied(tally) .. positions(fold)
end

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
