-- Part of the library that functions.lua begins: what gateways bring.

-- configure: the registry of a branch; positions and marks of known names are kept ---------------

local configure
do -- a function may have 200 locals: what only this one needs is not for all
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
      check(string.match(names[i], '^[a-z0-9-]+$') and not seen[names[i]], 'bad name ', names[i])
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
      check(string.match(c.serves[i], '^[01]*$'), 'bad counters of ', c.gateways[i])
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

  function configure(keys, args)
    local prefix, c = prefix_of(keys), read_configuration(args[1])
    local registry, state = redis.call('GET', prefix .. 'registry'), redis.call('GET', keys[1])
    local r = { counters = {}, gateways = {}, gateway_count = 0 }
    local s = new_state()
    s.seen = now_ms()
    if registry and state then
      r = parse_registry(registry)
      s = parse_state(state, r)
      if r.configuration == c.id and s.configuration == c.id then return head(nil, OK) end
    end
    local n, counters, gateways = new_state(), nil, nil
    n.configuration, n.bytes, n.active, n.seen = c.id, s.bytes, s.active, s.seen
    n.due_first = s.due_first
    -- One that is new in the registry, or was not in the last one, counts as heard now.
    for i = r.gateway_count + 1, #r.gateways do s.gateways[i].heard = s.active end
    counters, n.counters = carry_over(c.counters, r.counters, s.counters, new_counter)
    gateways, n.gateways = carry_over(c.gateways, r.gateways, s.gateways,
      function() return new_gateway(s.active) end)
    check(#counters <= 4096 and #gateways <= 255, 'too many former counters or gateways')
    registry, state = pack_registry(c, counters, gateways), pack_state(n)

    redis.call('SET', prefix .. 'registry', registry)
    redis.call('SET', keys[1], state)
    return head(nil, OK)
  end
end

-- As a reply says it: epoch, number, tag.
local function position(b, place) return string.sub(gateway_text(b, place), 1, POSITION_SIZE) end

-- It will tell all that its spool holds once more, also what it has corrected since: nothing that is
-- not final yet may become so before. It holds back until it has spoken, and what it has promised
-- reaches no further than the marks, behind which all is final.
local function begin_anew(b, place)
  local g = b.gateways[place]
  g.number, g.tag = 0, start_tag(g.spool)
  g.applied, g.dead, g.lost = 0, 0, 0 -- what a spool wrote balances with what was done of it
  g.departed, g.heard = 0, b.active
  for _, at in ipairs(b.r.serves[place] or {}) do
    g.watermark = math.min(g.watermark, b.counters[at].mark)
  end
  if place <= b.r.gateway_count then gateway_moved(b, place) else gateway_changed(b, place) end
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
    g.epoch, g.spool = granted, spool
    begin_anew(b, place + 1)
    local text = pack_state(b)

    redis.call('SET', b.key, text)
    keep(b, text)
  end
  return head(b, status) .. position(b, place + 1)
end

-- ingest: a fold of batches, whole or not at all ------------------------------------------------

-- A gateway of the fold is an array; behind its record stands the branch's own gateway.
local FOLD_FORMAT = '<BBI4I8I8I8c4c8i8I4I4I8'
local PLACE, PRESENCE, CLOCK_ERROR, EPOCH, FIRST, LAST, BEHIND, TAG, WATERMARK, APPLIED, DEAD, LOST,
  GATEWAY = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13

local function read_gateways(b, text, at)
  local total, list, seen = nil, {}, {}
  total, at = struct.unpack('<B', text, at)
  for i = 1, total do
    local f = { struct.unpack(FOLD_FORMAT, text, at) }
    local place = f[PLACE] + 1
    at = f[GATEWAY] -- where the record ends
    check(place <= b.r.gateway_count and not seen[place], 'bad gateway in the fold')
    check(f[FIRST] >= 1 and f[LAST] >= f[FIRST] and f[LAST] < NEVER and f[EPOCH] < NEVER
          and f[WATERMARK] < NEVER and f[LOST] < NEVER and f[PRESENCE] <= HERE,
          'bad numbers in the fold')
    seen[place] = true
    f[GATEWAY] = b.gateways[place]
    list[i] = f
  end
  return list, at
end

local function read_chunks(b, text, at)
  local total, list, bytes = nil, {}, 0
  total, at = struct.unpack('<I4', text, at)
  for i = 1, total do
    local place, minute, from, to, observations, data
    place, minute, from, to, observations, data, at = struct.unpack('<I2I4I2I2I4I4c0', text, at)
    check(place < b.r.counter_count and from <= to, 'bad chunk in the fold')
    bytes = bytes + #data
    list[i] = { place = place + 1, minute = minute, from = minute * MINUTE + from,
                to = minute * MINUTE + to, observations = observations, data = data,
                key = '', new = false }
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

-- Lost numbers are told with the event times between which all of it lies: what the gateway had
-- promised before, and what it promises with the fold that goes on behind them. -1: not known.
local function read_gaps(b, text, at, fold)
  local total, list, promised = nil, {}, {}
  total, at = struct.unpack('<I2', text, at)
  for i = 1, total > 0 and #fold or 0 do promised[fold[i][PLACE]] = fold[i][WATERMARK] end
  for i = 1, total do
    local kind, gateway, place, from, to, reason
    kind, gateway, place, from, to, reason, at = struct.unpack('<BBi2I8I8Bc0', text, at)
    check(kind <= 1 and gateway < b.r.gateway_count and place < b.r.counter_count,
          'bad gap in the fold')
    local name, counter = b.r.gateways[gateway + 1], place >= 0 and b.r.counters[place + 1] or ''
    local from_ms, until_ms = from, to
    if kind == 0 then
      from_ms, until_ms = b.gateways[gateway + 1].watermark, promised[gateway] or NONE
      if from_ms > until_ms then from_ms = NONE end -- a spool that is sent once more
    end
    list[i] = struct.pack('<BI8I8I8Bc0Bc0Bc0i8i8', kind, b.now, from, to, #name, name, #counter,
                          counter, #reason, reason, from_ms, until_ms)
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

-- What was left out of a gateway's batches, in the order of enum fold_count.
local LEFT_OUT = { 'future', 'undeclared', 'out_of_range', 'bad_fact' }

local function read_notes(b, text, at)
  local total, list = nil, {}
  total, at = struct.unpack('<B', text, at)
  for i = 1, total do
    local n = { left_out = {} }
    local place
    place, at = struct.unpack('<B', text, at)
    check(place < b.r.gateway_count, 'bad note in the fold')
    n.gateway = b.r.gateways[place + 1]
    for k = 1, #LEFT_OUT do n.left_out[k], at = struct.unpack('<I4', text, at) end
    n.born, n.measures, at = struct.unpack('<BI4c0', text, at)
    list[i] = n
  end
  return list, at
end

-- Positions of the fold's gateways; flag(gateway of the fold) says which stand in the way.
local function positions(b, fold, flag)
  local parts = { string.char(#fold) }
  for i = 1, #fold do
    local f = fold[i]
    parts[2 * i] = string.char(f[PLACE], flag and flag(f) or 0)
    parts[2 * i + 1] = position(b, f[PLACE] + 1)
  end
  return table.concat(parts)
end

local function any(fold, flag)
  for i = 1, #fold do if flag(fold[i]) ~= 0 then return true end end
  return false
end

-- What is behind another batch of the position's number is of a copy of the spool, or of what the
-- spool held before it was put back; or of another spool, if a failover lost the grant of an epoch.
local function unfit(f)
  local g = f[GATEWAY]
  local fits = f[EPOCH] == g.epoch and f[FIRST] == g.number + 1
    and f[BEHIND] == string.sub(g.tag, MARK_SIZE + 1)
  return fits and 0 or 1
end

-- Over the branch's bytes only its slowest gateway may go on: what it promises makes room. At twice
-- as many it waits as well, as long as minutes will go without it. Else nothing would ever go, and it
-- goes on without its own: they are counted, and a gap says of what time they were.
local must_wait -- nil: nobody must; else who
do
  local function slowest_watermark(b)
    local least = NEVER
    for i = 1, b.r.gateway_count do
      local g = b.gateways[i]
      local watches = #b.r.serves[i] > 0 -- the office promises nothing
      if watches and holds_back(b, g) and g.watermark < least then least = g.watermark end
    end
    return least
  end

  -- What holds a counter's minutes is being judged, or they only need to be swept.
  local function room_comes(b)
    for place, c in ipairs(b.counters) do
      if c.minute_first < NEVER then
        if c.mark >= (c.minute_first + 1) * MINUTE then return true end
        local name = b.r.counters[place]
        local first = redis.call('ZRANGE', b.prefix .. 'open:' .. name, '0', '0')[1]
        if first and not redis.call('ZSCORE', b.prefix .. 'wait:' .. name, first) then return true end
      end
    end
    return false
  end

  local REASON, TIME = 'no-room', 1 -- kind of gap

  local function leave_out(b, fold, f)
    local observations, from, to = 0, NEVER, 0
    for _, c in ipairs(f.chunks) do
      observations, from, to = observations + c.observations, math.min(from, c.from), math.max(to, c.to)
    end
    count(b, 'no_room', observations)
    f.chunks = {}
    f.more = f.more or { facts = {}, gaps = {}, dead = {}, notes = {}, decisions = {} }
    for _, g in ipairs(fold) do
      local name = b.r.gateways[g[PLACE] + 1]
      count(b, name .. ':no_room', observations) -- of several slowest ones each may have had them
      table.insert(f.more.gaps, struct.pack('<BI8I8I8Bc0Bc0Bc0i8i8', TIME, b.now, from, to, #name,
                                            name, 0, '', #REASON, REASON, from, to))
    end
  end

  function must_wait(b, fold, f)
    if f.bytes == 0 or b.bytes + f.bytes <= b.r.bytes_max then return nil end
    local full, least = b.bytes + f.bytes > 2 * b.r.bytes_max, slowest_watermark(b)
    local all = full and room_comes(b)
    local function ahead(g) return (all or g[GATEWAY].watermark > least) and 2 or 0 end
    if any(fold, ahead) then return ahead end
    if full then leave_out(b, fold, f) end
    return nil
  end
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

-- Those that began before encounter_max are over by now.
local function touch_judged(b, name, from, to)
  local ids = redis.call('ZRANGEBYSCORE', b.prefix .. 'open:' .. name,
                         decimal(from - b.r.encounter_max), decimal(to))
  for _, id in ipairs(ids) do
    local e = encounter_of(b, id)
    check(e, 'encounter ', id, ' is missing')
    if is_judged(e) and begin_of(e) <= to and end_of(e) >= from then touch(b, e) end
  end
end

local function apply_chunk(b, c, tally)
  local counter, name = b.counters[c.place], b.r.counters[c.place]
  if (c.minute + 1) * MINUTE <= counter.mark then
    tally.observations = tally.observations + c.observations
    c.data = nil
    return
  end
  c.minute = decimal(c.minute)
  c.key = b.prefix .. 'm:' .. name .. ':' .. c.minute
  c.new = redis.call('STRLEN', c.key) == 0
  if c.new then need(b, 'mi:' .. name, 'zset') end
  if counter.judged_last >= c.from then touch_judged(b, name, c.from, c.to) end
end

local function move_positions(b, fold)
  for i = 1, #fold do
    local f = fold[i]
    local g = f[GATEWAY]
    g.number, g.tag, g.heard, g.clock_error = f[LAST], f[TAG], b.active, f[CLOCK_ERROR]
    if f[WATERMARK] > g.watermark then g.watermark = f[WATERMARK] end
    g.applied, g.dead, g.lost = g.applied + f[APPLIED], g.dead + f[DEAD], g.lost + f[LOST]
    if f[PRESENCE] == DEPARTED then g.departed = 1 elseif f[PRESENCE] == HERE then g.departed = 0 end
    gateway_moved(b, f[PLACE] + 1)
    if f[DEAD] > 0 then count(b, 'dead', f[DEAD]) end
    if f[LOST] > 0 then count(b, 'lost', f[LOST]) end
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
  for i = 1, #chunks do
    local c = chunks[i]
    if c.data then
      redis.call('APPEND', c.key, c.data)
      if c.new then
        local counter = b.counters[c.place]
        redis.call('ZADD', b.prefix .. 'mi:' .. b.r.counters[c.place], c.minute, c.minute)
        counter.minute_first = math.min(counter.minute_first, tonumber(c.minute))
        counter_changed(b, c.place)
      end
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

-- What is left out counts for the branch and for the gateway; of a birth the last one is kept.
local function check_notes(b, notes)
  for _, n in ipairs(notes) do
    for k, name in ipairs(LEFT_OUT) do
      count(b, name, n.left_out[k])
      count(b, n.gateway .. ':' .. name, n.left_out[k])
    end
    if n.born == 1 then
      need(b, 'births', 'hash')
      count(b, n.gateway .. ':births', 1)
      n.birth = struct.pack('<I8', b.now) .. n.measures
    end
  end
end

local function write_births(b, notes)
  for _, n in ipairs(notes) do
    if n.birth then redis.call('HSET', b.prefix .. 'births', n.gateway, n.birth) end
  end
end

local function tallied(tally)
  return struct.pack('<I4I4I4', tally.observations, tally.facts, tally.orphans)
end

-- Behind its minutes most folds have nothing: no facts, gaps, dead letters, notes, decisions.
local NOTHING_ELSE = '\0\0\0\0\0\0\0\0\0'
local NOTHING_LATE = '\0\0\0\0\0\0\0\0\0\0\0\0' -- tallied

-- All of a fold that is not of its gateways' positions.
local function read_rest(b, text, at, fold)
  local chunks, bytes, facts, gaps, dead, notes, said
  chunks, bytes, at = read_chunks(b, text, at)
  if string.sub(text, at) == NOTHING_ELSE then return { chunks = chunks, bytes = bytes } end
  facts, at = read_facts(b, text, at)
  gaps, at = read_gaps(b, text, at, fold)
  dead, at = read_dead(b, text, at)
  notes, at = read_notes(b, text, at)
  said, at = decisions.read(b, text, at)
  check_end(text, at)
  return { chunks = chunks, bytes = bytes, room = 0,
           more = { facts = facts, gaps = gaps, dead = dead, notes = notes, decisions = said } }
end

-- What becomes of it, in memory; says what came too late.
local function apply_rest(b, f)
  local tally, more = { observations = 0, facts = 0, orphans = 0 }, f.more
  if more then
    for i = 1, #more.facts do apply_fact(b, more.facts[i], tally) end
  end
  for i = 1, #f.chunks do apply_chunk(b, f.chunks[i], tally) end
  if more then decisions.apply(b, more.decisions) end
  for _, id in ipairs(b.loaded) do
    local e = b.encounters[id]
    if e.changed then move_on(b, e) end
  end
  advance(b)
  count(b, 'too_late_observations', tally.observations)
  if not more then return tally.observations == 0 and NOTHING_LATE or tallied(tally) end
  f.room = check_letters(b, more.dead, more.gaps)
  count(b, 'too_late_facts', tally.facts)
  count(b, 'orphan_facts', tally.orphans)
  check_notes(b, more.notes)
  return tallied(tally)
end

local function write_rest(b, f)
  write_chunks(b, f.chunks)
  if f.more then
    write_letters(b, f.more.dead, f.room, f.more.gaps)
    write_births(b, f.more.notes)
    decisions.write(b)
  end
  branch_write(b)
end

local function ingest(keys, args)
  local text, fold = args[1], nil
  local configuration, at = struct.unpack('<c8', text)
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  fold, at = read_gateways(b, text, at)
  local f = read_rest(b, text, at, fold)
  if any(fold, unfit) then return head(b, UNFIT) .. NOTHING_LATE .. positions(b, fold, unfit) end
  local ahead = must_wait(b, fold, f)
  if ahead then return head(b, LATER) .. NOTHING_LATE .. positions(b, fold, ahead) end
  move_positions(b, fold)
  local late = apply_rest(b, f)

  write_rest(b, f)
  return head(b, OK) .. late .. positions(b, fold)
end

-- replay, drop: what a person decides about a dead letter ----------------------------------------

-- Its gateway's position has moved over it long ago and stays.
local function replay(keys, args)
  local configuration, entry, at = struct.unpack('<c8Bc0', args[1])
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  local f = read_rest(b, args[1], at, {})
  check(not f.more or #f.more.dead == 0, 'a dead letter brings no others')
  if redis.call('HEXISTS', b.prefix .. 'dead', entry) == 0 then
    return head(b, STALE) .. NOTHING_LATE
  end
  if f.bytes > 0 and b.bytes + f.bytes > b.r.bytes_max then return head(b, LATER) .. NOTHING_LATE end
  local late = apply_rest(b, f)
  count(b, 'dead_replayed', 1)

  redis.call('HDEL', b.prefix .. 'dead', entry)
  write_rest(b, f)
  return head(b, OK) .. late
end

local function drop(keys, args)
  local configuration, entry, at = struct.unpack('<c8Bc0', args[1])
  check_end(args[1], at)
  local b = branch_open(keys, configuration)
  if not b then return head(nil, UNCONFIGURED) end
  if redis.call('HEXISTS', b.prefix .. 'dead', entry) == 0 then return head(b, STALE) end
  count(b, 'dead_discarded', 1)

  redis.call('HDEL', b.prefix .. 'dead', entry)
  branch_write(b)
  return head(b, OK)
end
