-- crash.lua PROGRAM ROUNDS SEED: what `spec/crash` runs.
local tl = require 'tidelock'
local uv = tl.loop

local program, rounds, seed = arg[1], tonumber(arg[2]), tonumber(arg[3])
local here = arg[0]:match '^(.*)/'
local work = assert(uv.fs_mkdtemp((os.getenv 'TMPDIR' or '/tmp') .. '/tidelock-crash-XXXXXX'))
local passed, failed = 0, 0
math.randomseed(seed)

local LIMIT = 90    -- seconds for any one step
local REQUESTS = 20 -- owners killed behind their answer, whatever the rounds

-- --- processes ---------------------------------------------------------------------------------

local children = {}

-- Starts a script; child.lines collects what it prints.
local function start(script, ...)
	local child, out, rest = { lines = {} }, uv.new_pipe(), ''
	child.handle, child.pid = assert(uv.spawn(program, {
		args = { 'run', ('%s/%s.lua'):format(here, script), ... },
		stdio = { nil, out, 2 },
	}, function(code, signal)
		child.code, child.signal = code, signal
		child.handle:close()
	end))
	out:read_start(function(_, piece)
		if not piece then
			child.closed = true
			out:close()
			return
		end
		rest = (rest .. piece):gsub('([^\n]*)\n', function(line)
			child.lines[#child.lines + 1] = line
			return ''
		end)
	end)
	children[child] = true
	return child
end

local function wait_for(what, done)
	local deadline = uv.hrtime() + LIMIT * 1e9
	while not done() do
		if uv.hrtime() > deadline then
			error('waited in vain for ' .. what, 0)
		end
		tl.sleep '5ms'
	end
end

local function ended(child)
	return child.code and child.closed
end

local function kill(child)
	if not child.code then
		uv.kill(child.pid, 'sigkill')
	end
	wait_for('the end of a process', function() return ended(child) end)
	children[child] = nil
end

local function ready(child)
	wait_for('a process to be ready', function()
		return ended(child) or child.lines[1]
	end)
	return assert(child.lines[1], 'a process ended before it was ready'):match '^ready ?(.*)'
end

-- --- checks ------------------------------------------------------------------------------------

-- Everything that replicas must agree on, as one text; fails when verify finds something.
local function picture(path, id)
	local node <close> = assert(tl.open { path = path, sync = false })
	local db <close> = assert(node:load_database(id))
	local findings = assert(db:verify())
	if #findings > 0 then
		error(('%s: %s'):format(path, findings[1].text), 0)
	end
	local store <close> = assert(db:get_store 'data')
	local state = assert(tl.doc.write(assert(store:get_all())))
	return ('%s %d %s'):format(table.concat(assert(db:get_tips()), ' '), db:counts().entries, state)
end

-- Each acknowledged entry is there after a kill.
local function check_commits(path, id, acknowledged)
	local node <close> = assert(tl.open { path = path, sync = false })
	local db <close> = assert(node:load_database(id))
	for _, entry in ipairs(acknowledged) do
		assert(db:has(entry), 'an acknowledged commit is gone: ' .. entry)
	end
	assert(#assert(db:verify()) == 0, 'verify found something')
end

-- --- rounds ------------------------------------------------------------------------------------

local data = work .. '/writer'
local acknowledged, id = {}, nil
local FILL = 3000 -- entries before the first round, so that a bootstrap takes a while

local function fill()
	local child = start('writer', data, tostring(FILL))
	id = ready(child)
	wait_for('the first entries', function() return ended(child) end)
	children[child] = nil
	assert(child.code == 0, 'the first entries were not written')
end

-- Killed while it commits, at times already while it opens.
local function commits()
	local child = start('writer', data)
	if math.random(4) == 1 then
		tl.sleep(math.random(0, 60) / 1000)
	else
		ready(child)
		tl.sleep(math.random(5, 700) / 1000)
	end
	kill(child)
	for _, line in ipairs(child.lines) do
		acknowledged[#acknowledged + 1] = line:match '^committed (.*)'
	end
	check_commits(data, id, acknowledged)
end

-- Either side is killed in the middle of a bootstrap; then it goes on.
local function bootstrap(round, how)
	local copy = ('%s/copy%d%s'):format(work, round, how or '')
	local server = start('server', data, '127.0.0.1:0', how)
	local address = ready(server)
	local client = start('client', copy, address, id, how)
	ready(client)
	tl.sleep(math.random(0, 500) / 1000)
	if math.random(3) == 1 then
		kill(server)
		server = start('server', data, address:match '127.0.0.1:%d+', how)
		assert(ready(server) == address, 'it is served at another address now')
	end
	kill(client)
	client = start('client', copy, address, id, how)
	wait_for('the sync to finish', function() return ended(client) end)
	children[client] = nil
	assert(client.code == 0 and client.lines[#client.lines] == 'synced', 'the sync did not finish')
	kill(server)
	assert(picture(data, id) == picture(copy, id), 'the two sides differ')
	os.execute(('rm -rf %q'):format(copy))
end

-- The owner is killed as soon as it says that the request waits; it must not have forgotten it.
local function request(round)
	local owner_data = work .. '/owner'
	local owner = start('owner', owner_data)
	local address, wanted = ready(owner):match '^(%S+) (%S+)$'
	local guest <close> = assert(tl.open { backend = tl.memory(), name = 'guest ' .. round })
	assert(guest:add_private_key 'me')
	assert(guest:sync():enable_http_transport())
	local asked = assert(guest:sync():request_database_access(address, wanted, 'me', 'write:10'))
	kill(owner)
	assert(asked.status == 'pending', asked.status)
	local node <close> = assert(tl.open { path = owner_data })
	for _, waiting in ipairs(assert(node:sync():pending_bootstrap_requests())) do
		if waiting.request_id == asked.request_id then return end
	end
	error('a request that was answered is gone', 0)
end

local began = uv.hrtime()

local function tell_progress(text, ...)
	print(("%s, %d failed, %d s"):format(text:format(...), failed, (uv.hrtime() - began) // 1000000000))
	io.stdout:flush()
end

local function run(name, round, fn, ...)
	local ok, err = pcall(fn, round, ...)
	for child in pairs(children) do
		pcall(kill, child)
	end
	passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
	if not ok then
		print(('FAILED round %d, %s, SEED=%d: %s'):format(round, name, seed, tostring(err)))
	end
end

local iroh = uv.fs_stat(os.getenv 'TIDELOCK_IROH' or program:match '^(.*/)' .. 'libtidelock_iroh.so') ~= nil
if not iroh then print 'skipped: bootstrap over Iroh (no plugin: make iroh)' end
local v0 = os.getenv 'V0' ~= '0'
if not v0 then print 'skipped: bootstrap in v0' end

run('the first entries', 0, fill)
for round = 1, rounds do
	run('commits', round, commits)
	run('bootstrap', round, bootstrap)
	if v0 then run('bootstrap in v0', round, bootstrap, 'v0') end
	if iroh then run('bootstrap over Iroh', round, bootstrap, 'iroh') end
	tell_progress('round %d of %d: %d acknowledged commits', round, rounds, #acknowledged)
end
for round = 1, REQUESTS do
	run('request', round, request)
end
tell_progress('%d access requests', REQUESTS)
os.execute(('rm -rf %q'):format(work))
print(('%d acknowledged commits'):format(#acknowledged))
print(('%d passed, %d failed'):format(passed, failed))
os.exit(failed == 0 and passed > 0)
