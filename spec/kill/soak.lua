-- soak.lua PROGRAM SECONDS SEED: what `spec/soak` runs.
local tl = require 'tidelock'
local uv = tl.loop

local program, seconds, seed = arg[1], tonumber(arg[2]), math.tointeger(arg[3])
local here = arg[0]:match '^(.*)/'
local work = assert(uv.fs_mkdtemp((os.getenv 'TMPDIR' or '/tmp') .. '/tidelock-soak-XXXXXX'))
local sanitized = program:find '/san%-' ~= nil
local passed, failed = 0, 0
math.randomseed(seed)

local NODES, SERVERS = 8, 4
local LIMIT = 60        -- seconds for any one step
local EQUAL_LIMIT = 180 -- until all are equal, afterwards
local GROWTH = 1.2      -- of memory, since the first tenth
local FILL, FILL_BYTES = 600, 40000 -- commits before the clock starts: caches of the store are full
local LASTING = { [1] = true, [NODES] = true } -- one that serves and one that dials are never killed

local function now()
	return uv.hrtime() / 1e9
end

local function wait_for(what, done, limit)
	local deadline = now() + (limit or LIMIT)
	while not done() do
		if now() > deadline then
			error('waited in vain for ' .. what, 0)
		end
		tl.sleep '2ms'
	end
end

-- --- processes ---------------------------------------------------------------------------------

-- Addresses of their own, so that nobody takes the port of one that is dead for a while.
local function listen_at(index)
	local net = ('127.%d.%d'):format(uv.os_getpid() % 200 + 20, seed & 255)
	return index <= SERVERS and ('%s.%d:0'):format(net, index) or '-'
end

local nodes = {}
for index = 1, NODES do
	nodes[index] = {
		name = 'node ' .. index, data = work .. '/' .. index, listen = listen_at(index), memory = {},
	}
end

local function take_line(node, line)
	if not node.ready then
		node.ready = assert(line:match '^ready (.*)', line)
		return
	end
	local number, how, text = line:match '^(%d+) (%S+) (.*)$'
	local call = node.calls[math.tointeger(number)]
	call.done, call.ok, call.text = true, how == 'ok', text
end

local function start(node)
	local input, out, rest = uv.new_pipe(), uv.new_pipe(), ''
	node.input, node.calls, node.ready, node.began = input, {}, nil, now()
	node.handle, node.pid = assert(uv.spawn(program, {
		args = { 'run', here .. '/node.lua', node.data, node.listen }, stdio = { input, out, 2 },
	}, function()
		node.handle:close()
		node.pid = nil
		input:close()
		for _, call in pairs(node.calls) do
			call.done = true
		end
	end))
	out:read_start(function(_, piece)
		if not piece then
			out:close()
			return
		end
		rest = (rest .. piece):gsub('([^\n]*)\n', function(line)
			take_line(node, line)
			return ''
		end)
	end)
	wait_for(node.name .. ' to start', function() return node.ready or not node.pid end)
	assert(node.ready, node.name .. ' ended before it was ready')
	if node.listen ~= '-' then
		node.listen = node.ready:gsub('^http:', '')
	end
end

-- A command under way; `done` later, with what it said if it came to its end.
local function tell(node, ...)
	local call = {}
	node.calls[#node.calls + 1] = call
	node.input:write(('%d %s\n'):format(#node.calls, table.concat({ ... }, ' ')))
	return call
end

local function ask(node, ...)
	local call = tell(node, ...)
	wait_for(('%s: %s'):format(node.name, (...)), function() return call.done end)
	assert(call.ok, ('%s: %s: %s'):format(node.name, (...), call.text or 'it ended'))
	return call.text
end

local function kill(node)
	if node.pid then
		uv.kill(node.pid, 'sigkill')
		wait_for('the end of ' .. node.name, function() return not node.pid end)
	end
end

-- --- what happens ------------------------------------------------------------------------------

local database
local waiting, acknowledged = {}, {}
local kills, starts, sent = 0, 0, 0

local function commit(node, key, size)
	sent = sent + 1
	waiting[#waiting + 1] = tell(node, 'commit', key, tostring(size))
end

-- What was acknowledged is noted.
local function collect()
	local left = {}
	for _, call in ipairs(waiting) do
		if not call.done then
			left[#left + 1] = call
		elseif call.text then
			assert(call.ok, call.text)
			acknowledged[#acknowledged + 1] = call.text
		end
	end
	waiting = left
end

-- The servers in a ring, each related to both beside it; who only dials is related to two of them.
local function meet()
	for _, node in ipairs(nodes) do start(node) end
	database = ask(nodes[1], 'create')
	for number = 1, FILL do commit(nodes[1], 'fill' .. number % 50, FILL_BYTES) end
	wait_for('the first commits', function()
		collect()
		return #waiting == 0
	end)
	for index = 2, NODES do
		ask(nodes[index], 'join', nodes[(index - 2) % SERVERS + 1].ready, database)
	end
	for index = 1, NODES do
		ask(nodes[index], 'join', nodes[index % SERVERS + 1].ready, database)
	end
end

local function revive(node)
	starts = starts + 1
	start(node)
	ask(node, 'open', database)
end

local function trouble()
	local index = math.random(NODES)
	local node = nodes[index]
	if not node.pid then
		revive(node)
	elseif not LASTING[index] and math.random(20) == 1 then
		kills = kills + 1
		kill(node)
	else
		for _ = 1, math.random(3) do commit(node, 'key' .. math.random(200), math.random(400)) end
	end
end

-- Resident memory of a process that runs for a while, in KiB.
local function memory_of(node)
	if not node.pid or now() - node.began < 1 then
		return 0
	end
	local file = io.open(('/proc/%d/status'):format(node.pid))
	local text = file and file:read 'a' or ''
	if file then file:close() end
	return math.tointeger(text:match 'VmRSS:%s*(%d+)') or 0
end

-- The most that it had in each twentieth of the time.
local function note_memory(share)
	local slot = math.min(20, math.floor(share * 20) + 1)
	for _, node in ipairs(nodes) do
		node.memory[slot] = math.max(node.memory[slot] or 0, memory_of(node))
	end
end

local function soak()
	local began, looked = now(), 0
	while now() - began < seconds do
		trouble()
		collect()
		if now() - looked > 0.25 then
			looked = now()
			note_memory((now() - began) / seconds)
		end
		tl.sleep(math.random(20, 80) / 1000)
	end
end

-- --- how it ends -------------------------------------------------------------------------------

local function looks()
	local seen = {}
	for index, node in ipairs(nodes) do
		local entries, tips, restless = ask(node, 'look'):match '^(%d+) (%S*) (.*)$'
		seen[index] = { entries = math.tointeger(entries), tips = tips, restless = restless }
	end
	return seen
end

local function are_equal(seen)
	for _, look in ipairs(seen) do
		if look.tips ~= seen[1].tips or look.entries ~= seen[1].entries then
			return false
		end
	end
	return true
end

local function are_at_rest(seen)
	for _, look in ipairs(seen) do
		if look.restless ~= '' then
			return false
		end
	end
	return true
end

local function describe(seen)
	local lines = {}
	for index, look in ipairs(seen) do
		lines[index] = ('\n  node %d: %d entries, tips %.60s, %s'):format(
			index, look.entries, look.tips, look.restless)
	end
	return table.concat(lines)
end

local function wait_until(what, good)
	local deadline = now() + EQUAL_LIMIT
	while true do
		local seen = looks()
		if good(seen) then
			return seen
		elseif now() > deadline then
			error(('not %s after %d s:%s'):format(what, EQUAL_LIMIT, describe(seen)), 0)
		end
		tl.sleep '100ms'
	end
end

local function check_commits()
	for _, node in ipairs(nodes) do
		for first = 1, #acknowledged, 100 do
			local some = table.concat(acknowledged, ',', first, math.min(first + 99, #acknowledged))
			local lacking = ask(node, 'lack', some)
			assert(lacking == '0', ('%s lacks %s acknowledged commits'):format(node.name, lacking))
		end
		local finding = ask(node, 'verify')
		assert(finding == 'good', ('%s: %s'):format(node.name, finding))
	end
end

local function check_memory()
	local most, grown = 0, {}
	for _, node in ipairs(nodes) do
		most = math.max(most, node.memory[2] or 0)
	end
	for index, node in ipairs(nodes) do
		local first, last = node.memory[2] or 0, node.memory[20] or 0
		print(('%s: %d KiB after the first tenth, %d KiB in the end%s'):format(
			node.name, first, last, LASTING[index] and ', one process' or ''))
		if last > (LASTING[index] and first or most) * GROWTH then
			grown[#grown + 1] = node.name
		end
	end
	if sanitized then
		print 'not looked at: growth; sanitizers keep what was freed'
		return
	end
	assert(#grown == 0, 'it has grown: ' .. table.concat(grown, ', '))
end

local function case(name, fn)
	local ok, err = pcall(fn)
	passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
	if not ok then
		print(('FAILED %s, SEED=%d: %s'):format(name, seed, tostring(err)))
	end
	return ok
end

print(('SEED=%d repeats this'):format(seed))
local entries, until_equal = 0, 0

local function all_become_equal()
	local began = now()
	for _, node in ipairs(nodes) do
		if not node.pid then revive(node) end
	end
	entries = wait_until('all equal', are_equal)[1].entries
	until_equal = now() - began
end

if case('the nodes meet', meet) and case('all goes on while some are killed', soak) then
	case('all become equal', all_become_equal)
	case('nothing is due', function() wait_until('at rest', are_at_rest) end)
	case('every commit that was acknowledged is everywhere', function()
		collect()
		check_commits()
	end)
	case('memory stays', check_memory)
end
for _, node in ipairs(nodes) do
	pcall(kill, node)
end
os.execute(('rm -rf %q'):format(work))
print(('%d commits, %d acknowledged, %d kills, %d starts again, %d entries, equal after %.1f s'):format(
	sent, #acknowledged, kills, starts, entries, until_equal))
print(('%d passed, %d failed'):format(passed, failed))
os.exit(failed == 0 and passed > 0)
