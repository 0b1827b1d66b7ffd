-- Part of the library that functions.lua begins: what people decide.
--
-- The decisions of an encounter stand in its hash, also before it is known itself: then `early` of
-- its counter names it, until the counter's mark has passed its begin and it cannot come any more.

-- Lua counts the locals of a file: this part has one, with what the others call.
local decisions = {}

do
  local DECISION_FORMAT = '<Bc0BI8Bc0Bc0' -- standard, kind, time, by, reason
  local DECISIONS_MAX = 256 -- of one encounter
  local WITHDRAW = 3 -- the greatest kind

  function decisions.read(b, text, at)
    local total, list = nil, {}
    total, at = struct.unpack('<I2', text, at)
    for i = 1, total do
      local d, from = {}, nil
      local standard, kind, _
      d.place, d.id, d.began, from = struct.unpack('<I2Bc0i8', text, at)
      standard, kind, d.decided, _, _, at = struct.unpack(DECISION_FORMAT, text, from)
      d.place = d.place + 1
      check(d.place <= b.r.counter_count and #d.id > 0 and kind <= WITHDRAW and d.decided < NEVER,
            'bad decision in the fold')
      d.text, d.key = string.sub(text, from, at - 1), standard .. '\0' .. kind
      list[i] = d
    end
    return list, at
  end

  -- By standard and kind, and in that order.
  local function decisions_unpack(text)
    local list, at = {}, 1
    while at <= #text do
      local d, from = {}, at
      local standard, kind, _
      standard, kind, d.decided, _, _, at = struct.unpack(DECISION_FORMAT, text, at)
      d.text, d.key = string.sub(text, from, at - 1), standard .. '\0' .. kind
      list[#list + 1] = d
    end
    return list
  end

  -- The later one holds; of equal time the greater text, so that their order does not matter.
  local function is_later(a, b)
    if a.decided ~= b.decided then return a.decided > b.decided end
    return a.text > b.text
  end

  -- nil: it says nothing new.
  local function with_decision(list, d)
    local place = 1
    while list[place] and list[place].key < d.key do place = place + 1 end
    local same = list[place] and list[place].key == d.key
    if same and not is_later(d, list[place]) then return nil end
    if same then list[place] = d else table.insert(list, place, d) end
    if #list > DECISIONS_MAX then -- the same ones stay, in whatever order they came
      local last = table.remove(list)
      if last == d then return nil end
    end
    return list
  end

  local function decisions_text(list)
    local parts = {}
    for i = 1, #list do parts[i] = list[i].text end
    return table.concat(parts)
  end

  local function decisions_of(b, id)
    local list = b.decisions[id]
    if not list then
      local text = redis.call('HGET', b.prefix .. 'e:' .. id, 'decisions') or ''
      list = decisions_unpack(text)
      b.decisions[id] = list
    end
    return list
  end

  -- Counts as touching the encounter, unless it is withdrawn: then there is nothing to judge.
  local function apply_decision(b, d)
    local e = encounter_of(b, d.id)
    if not e and d.began < b.counters[d.place].mark then
      count(b, 'too_late_decisions', 1)
      return
    end
    if not with_decision(decisions_of(b, d.id), d) then return end
    need(b, 'e:' .. d.id, 'hash')
    b.decided[d.id] = true
    count(b, 'decisions', 1)
    if e then
      if e.withdrawn == 0 then touch(b, e) end
      return
    end
    need(b, 'early:' .. b.r.counters[d.place], 'zset')
    b.early[d.id] = d
  end

  -- Those of a counter whose encounter never came and cannot come any more.
  function decisions.tidy(b, place)
    local name = b.r.counters[place]
    local ids = redis.call('ZRANGEBYSCORE', b.prefix .. 'early:' .. name, '-inf',
                           '(' .. decimal(b.counters[place].mark), 'LIMIT', '0', SLICE)
    for _, id in ipairs(ids) do
      local never = redis.call('HEXISTS', b.prefix .. 'e:' .. id, 'record') == 0
      if never and not b.encounters[id] then count(b, 'too_late_decisions', 1) end
      b.gone[#b.gone + 1] = { set = 'early:' .. name, id = id,
                              key = never and not b.encounters[id] and b.prefix .. 'e:' .. id }
    end
  end

  -- What becomes of them, in memory. Each call about decisions also tidies up.
  function decisions.apply(b, list)
    b.decisions, b.decided, b.early, b.gone = {}, {}, {}, {}
    if not list[1] then return end
    for place = 1, b.r.counter_count do decisions.tidy(b, place) end
    for i = 1, #list do apply_decision(b, list[i]) end
  end

  function decisions.write(b)
    for i = 1, #b.gone do
      local gone = b.gone[i]
      redis.call('ZREM', b.prefix .. gone.set, gone.id)
      if gone.key then redis.call('UNLINK', gone.key) end
    end
    for id, d in pairs(b.early) do
      redis.call('ZADD', b.prefix .. 'early:' .. b.r.counters[d.place], decimal(d.began), id)
    end
    for id in pairs(b.decided) do
      redis.call('HSET', b.prefix .. 'e:' .. id, 'decisions', decisions_text(b.decisions[id]))
    end
  end
end
