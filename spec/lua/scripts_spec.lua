-- Policies in nodes that run: loaded, watched, reloaded, shown.
local H = require 'spec.helper'
local json = require 'tidelock.json'
local tl = require 'tidelock'

local POLICY = "local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"

local function open(options)
	options = options or {}
	options.backend = options.path == nil and tl.memory() or nil
	local node = assert(tl.open(options))
	assert(node:sync():enable_http_transport())
	assert(node:sync():start_server '127.0.0.1:0')
	return node, node:sync()
end

-- Whether the second node may talk to the first one.
local function may_connect(sync, other)
	local key, err = other:connect_to_peer(assert(sync:get_server_address()))
	return key ~= nil, err
end

local function refusals(sync)
	local list = {}
	for _, refusal in ipairs(assert(sync:status()).refusals) do
		list[#list + 1] = ('%s %s'):format(refusal.where, refusal.reason)
	end
	return table.concat(list, '\n')
end

local function state_is(script, state)
	H.wait_for(function() return script:status().state == state end)
end

-- How often the script threads of this process have gone to sleep.
local function slept()
	local times = 0
	for task in tl.loop.fs_scandir_next, assert(tl.loop.fs_scandir '/proc/self/task') do
		local folder = '/proc/self/task/' .. task
		local name <close> = assert(io.open(folder .. '/comm'))
		if name:read() == 'tl-script' then
			local status <close> = assert(io.open(folder .. '/status'))
			times = times + tonumber(status:read('a'):match 'voluntary_ctxt_switches:%s*(%d+)')
		end
	end
	return times
end

local function descriptors()
	local count = 0
	for _ in tl.loop.fs_scandir_next, assert(tl.loop.fs_scandir '/proc/self/fd') do
		count = count + 1
	end
	return count
end

describe('a policy in a node', function()
	local folder, file, a, sync, b, other

	before_each(function()
		folder = H.folder()
		file = H.write(folder .. '/policy.lua', "return require 'tidelock.policy'.deny 'not today'\n")
		a, sync = open { name = 'a' }
		b, other = open { name = 'b' }
	end)
	after_each(function()
		a:close(0)
		b:close(0)
	end)
	teardown(H.clean)

	it('decides, and changes with its file', function()
		assert.is_true((may_connect(sync, other)))
		local script = assert(sync:load_policy(file))
		assert.are.equal('running', script:status().state)
		assert.is_false((may_connect(sync, other)))
		assert.is_truthy(refusals(sync):find('policy.lua not today', 1, true), refusals(sync))
		H.write(file, "return require 'tidelock.policy'.usual()\n")
		H.wait_for(function() return (may_connect(sync, other)) end)
		assert.is_true(script:status().calls > 0)
		assert(script:unload())
		assert.are.equal('unloaded', script:status().state)
		assert.are.equal('closed', select(2, script:reload()).code)
		assert.are.equal('closed', select(2, script:unload()).code)
		H.write(file, "return require 'tidelock.policy'.deny 'no'\n")
		tl.sleep '200ms'
		assert.is_true((may_connect(sync, other)))
		assert(sync:load_policy(file))
		assert.is_false((may_connect(sync, other)))
	end)

	it('stays as it was when its file does not load, and says where', function()
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		local script = assert(sync:load_policy(file))
		local before = script:status()
		for text, said in pairs { ['return {\n\n'] = 'policy.lua:3: ', ['return 1'] = 'a policy is a preset',
			['while true do end'] = 'policy.lua:1: ', ['\27Lua'] = 'compiled', ['return "\xFF"'] = 'UTF-8',
			[''] = 'returns nothing', ['\n\nreturn require "gone"'] = 'policy.lua:3: ',
			[('-'):rep(1 << 21)] = 'too long' } do
			H.write(file, text)
			local none, err = script:reload()
			assert.is_nil(none)
			assert.is_truthy(err.message:find(said, 1, true), err.message)
			assert.are.equal(text:find '^%-%-' and 'io' or 'bad_script', err.code)
			local now = script:status()
			assert.are.same({ 'stale', before.hash, before.loaded }, { now.state, now.hash, now.loaded })
			assert.is_truthy(now.problem:find(said, 1, true))
			assert.is_false((may_connect(sync, other)))
		end
		os.remove(file)
		assert.are.equal('io', select(2, script:reload()).code)
		assert.is_false((may_connect(sync, other)))
		H.write(file, "return require 'tidelock.policy'.usual()\n")
		state_is(script, 'running')
		assert.is_nil(script:status().problem)
		assert.is_true((may_connect(sync, other)))
		H.wait_for(function() return #lines > 8 end)
		tl.log.sink(nil)
		assert.is_truthy(table.concat(lines, '\n'):find('what was loaded before stays', 1, true))
	end)

	it('does nothing when the bytes are the same', function()
		local script = assert(sync:load_policy(file))
		local before = script:status()
		assert(script:reload())
		H.write(file, "return require 'tidelock.policy'.deny 'not today'\n")
		tl.sleep '200ms'
		local now = script:status()
		assert.are.same({ before.loaded, before.hash }, { now.loaded, now.hash })
	end)

	it('follows what it requires, and its keyrings', function()
		H.write(folder .. '/names.lua', 'return { "deny" }')
		H.write(folder .. '/fleet.keys', '# nobody\n' .. a:device_key() .. ' a friends\n')
		H.write(file, POLICY .. "local fleet, names = keyring 'fleet.keys', require 'names'\n"
			.. 'return policy.first { policy.usual { peer = fleet.friends }, policy[names[1]] {} }\n')
		local script = assert(sync:load_policy(file))
		assert.is_false((may_connect(sync, other)))
		H.write(folder .. '/fleet.keys', a:device_key() .. ' a friends\n' .. b:device_key() .. ' b friends\n')
		H.wait_for(function() return (may_connect(sync, other)) end)
		H.write(folder .. '/fleet.keys', a:device_key() .. ' a friends\n' .. b:device_key() .. ' b\n')
		H.wait_for(function() return not may_connect(sync, other) end)
		H.write(folder .. '/names.lua', 'return { "usual" }')
		H.wait_for(function() return (may_connect(sync, other)) end)
		-- As editors write: a new file takes the old one's name.
		H.write(folder .. '/new', 'return { "deny" }')
		assert(os.rename(folder .. '/new', folder .. '/names.lua'))
		H.wait_for(function() return not may_connect(sync, other) end)
		os.remove(folder .. '/fleet.keys')
		state_is(script, 'stale')
		assert.is_truthy(script:status().problem:find('policy.lua:2', 1, true), script:status().problem)
		H.write(folder .. '/fleet.keys', b:device_key() .. ' b friends\n')
		H.wait_for(function() return (may_connect(sync, other)) end)
	end)

	it('sleeps while others write in its folder', function()
		local busy = H.folder()
		local node <close> = assert(tl.open { path = busy })
		local path = H.write(busy .. '/policy.lua', 'return function() end\n')
		local script = assert(node:sync():load_policy(path))
		assert(node:add_private_key 'me')
		local db = assert(node:new_database({ name = 'notes' }, 'me'))
		tl.sleep '100ms'
		local before = slept()
		for i = 1, 50 do
			assert(db:transact(function(tx) tx:doc 'data':set('at', i) end))
		end
		tl.sleep '100ms'
		assert.is_true(slept() - before < 5, slept() - before .. ' times awake')
		local hash = script:status().hash
		H.write(path, 'return function() return nil end\n')
		H.wait_for(function() return script:status().hash ~= hash end)
	end)

	it('is loaded anew when a link to its folder is put elsewhere', function()
		for name, answer in pairs { first = 'usual()', second = "deny 'not now'" } do
			assert(tl.loop.fs_mkdir(folder .. '/' .. name, 448))
			H.write(('%s/%s/policy.lua'):format(folder, name), POLICY .. 'return policy.' .. answer .. '\n')
		end
		assert(tl.loop.fs_symlink('first', folder .. '/current'))
		assert(sync:load_policy(folder .. '/current/policy.lua'))
		assert.is_true((may_connect(sync, other)))
		assert(tl.loop.fs_symlink('second', folder .. '/next'))
		assert(os.rename(folder .. '/next', folder .. '/current'))
		H.wait_for(function() return not may_connect(sync, other) end)
	end)

	it('waits for quiet where its file changed while it was loaded', function()
		local path = folder .. '/written.lua'
		local long = ('-- %s\n'):format(('long'):rep(250)):rep(700)
		H.write(path, '--        0\nreturn function() return nil end\n' .. long)
		local script, loaded = assert(sync:load_policy(path)), 0
		local loop = "i=0; while [ -e '%s' ]; do i=$((i + 1)); printf '%%s%%9d' -- $i 1<>'%s'; done"
		local writer = assert(io.popen(loop:format(file, path)))
		tl.log.sink(function(line) loaded = loaded + (line.text:find('loaded anew', 1, true) and 1 or 0) end)
		local most = 0
		for _ = 1, 10 do
			local began = tl.loop.hrtime()
			assert(script:reload())
			tl.sleep '30ms'
			most = most + 1 + (tl.loop.hrtime() - began) // 50000000
		end
		tl.log.sink(nil)
		os.remove(file)
		writer:close()
		assert.is_true(loaded <= most, loaded .. ' times loaded, at most ' .. most)
		assert.is_true(loaded > 0)
	end)

	it('holds no descriptors once it is unloaded', function()
		local kept, before = {}, nil
		for i = 1, 20 do
			kept[i] = assert(sync:load_policy(file))
			assert(kept[i]:unload())
			before = before or descriptors()
		end
		H.wait_for(function() return descriptors() <= before end)
	end)

	it('denies what it fails at, and keeps the failures', function()
		H.write(file, 'return function(req)\n\tif req.kind == "connect" then error("at " .. req.kind) end\nend\n')
		local script = assert(sync:load_policy(file))
		assert.is_false((may_connect(sync, other)))
		local failures = assert(script:failures())
		assert.are.same({ 'policy.lua:2', 'error', 'at connect' },
			{ failures[1].where, failures[1].kind, failures[1].text })
		assert.is_truthy(failures[1].input:find('connect peer=' .. b:device_key(), 1, true))
		assert.is_true(script:status().failures >= 1)
		H.write(file, 'return function(req) while true do end end\n')
		assert(script:reload())
		assert.is_false((may_connect(sync, other)))
		failures = assert(script:failures())
		assert.is_truthy(failures[1].kind == 'units' or failures[1].kind == 'cpu')
	end)

	it('knows who this node is, and says lines', function()
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		H.write(file, 'print(me.key) return function() print "asked" end\n')
		local script = assert(sync:load_policy(file))
		assert.is_true((may_connect(sync, other)))
		H.wait_for(function() return #lines >= 2 end)
		tl.log.sink(nil)
		assert.are.equal('policy.lua:1: ' .. a:device_key(), lines[1])
		assert.are.equal('policy.lua:1: asked', lines[2])
		assert(script:unload())
	end)

	it('may have a shadow, which decides nothing', function()
		local shade = H.write(folder .. '/shade.lua', "return require 'tidelock.policy'.usual()\n")
		local shadow = assert(sync:load_policy(shade, { shadow = true }))
		assert.are.equal('shadow', shadow:status().state)
		local script = assert(sync:load_policy(file))
		assert.is_false((may_connect(sync, other)))
		local status = shadow:status()
		assert.is_true(status.differed >= 1)
		assert.is_truthy(status.first:find('connect peer=' .. b:device_key(), 1, true), status.first)
		assert.is_truthy(status.first:find('usual, and not deny', 1, true), status.first)
		assert.are.equal('already_exists', select(2, sync:load_policy(shade, { shadow = true })).code)
		assert(script:unload())
		assert.is_true((may_connect(sync, other)))
		assert(shadow:unload())
	end)

	it('is told from its shadow by kind and peer, and gives way to it', function()
		local shade = H.write(folder .. '/shade.lua', "local policy = require 'tidelock.policy'\n"
			.. "return policy.first { policy.deny { may = 'list' }, policy.usual() }\n")
		local script = assert(sync:load_policy(file))
		local shadow = assert(sync:load_policy(shade, { shadow = true }))
		assert.are.same({}, shadow:differences())
		for _ = 1, 3 do
			assert.is_false((may_connect(sync, other)))
		end
		local c <close>, third = open { name = 'c' }
		assert.is_false((may_connect(sync, third)))
		local list = assert(shadow:differences())
		assert.are.same({ 2, 'connect', b:device_key(), 'connect', c:device_key(), 1 },
			{ #list, list[1].kind, list[1].peer, list[2].kind, list[2].peer, list[2].count })
		assert.is_true(list[1].count >= 3)
		assert.is_truthy(list[1].first:find('usual, and not deny (shade.lua:2)', 1, true), list[1].first)
		assert.are.equal('bad_state', select(2, script:promote()).code)
		assert(shadow:promote())
		assert.are.same({ 'unloaded', 'running' }, { script:status().state, shadow:status().state })
		assert.is_true((may_connect(sync, other)))
		assert.are.equal('closed', select(2, script:promote()).code)
		assert.are.equal('already_exists', select(2, sync:load_policy(file)).code)
		-- From now on it is the policy: another shadow may come, and its file is watched.
		assert(sync:load_policy(file, { shadow = true }))
		H.write(shade, "return require 'tidelock.policy'.deny 'no'\n")
		H.wait_for(function() return not may_connect(sync, other) end)
	end)

	it('is one a node, and leaves with it', function()
		local script = assert(sync:load_policy(file))
		assert.are.equal('already_exists', select(2, sync:load_policy(file)).code)
		local none, err = sync:load_policy(folder .. '/nowhere.lua', { shadow = true })
		assert.is_nil(none)
		assert.are.equal('io', err.code)
		a:close(0)
		assert.are.equal('unloaded', script:status().state)
		assert.are.equal('closed', select(2, script:reload()).code)
		assert.is_false(pcall(sync.load_policy, sync, file))
	end)

	it('stays when its handle is collected', function()
		assert(sync:load_policy(file))
		collectgarbage()
		collectgarbage()
		assert.is_false((may_connect(sync, other)))
		H.write(file, "return require 'tidelock.policy'.usual()\n")
		H.wait_for(function() return (may_connect(sync, other)) end)
	end)

	it('may be given when the node is opened', function()
		local node, s = open { policy = file, name = 'hub' }
		assert.is_false((may_connect(s, other)))
		H.write(file, 'return function(req) return me.name == "hub" and "usual" or "deny" end\n')
		H.wait_for(function() return (may_connect(s, other)) end)
		node:close(0)
		for text, code in pairs { ['return'] = 'bad_script', [false] = 'io' } do
			local path = folder .. '/first.lua'
			if text then H.write(path, text) else os.remove(path) end
			local none, err = tl.open { backend = tl.memory(), policy = path }
			assert.is_nil(none)
			assert.are.equal(code, err.code)
		end
	end)
end)

describe('tidelock script', function()
	teardown(H.clean)

	it('shows and reloads the scripts of a node that runs', function()
		local folder = H.folder()
		local policy = H.write(folder .. '/policy.lua', "return function() error 'on purpose' end\n")
		local data = folder .. '/data'
		H.write(folder .. '/main.lua', ([[local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = %q, policy = %q })
			print 'open' io.stdout:flush()
			tl.sleep '10m']]):format(data, policy))
		assert.are.equal(0, (H.run('init', '--data', data)))
		local status, out = H.run('script', 'list', '--data', data)
		assert.are.same({ 0, 'no scripts\n' }, { status, out })
		local host = H.start({}, 'run', folder .. '/main.lua')
		H.wait_for(function() return host.out:find 'open' or host.status end)
		status, out = H.run('script', 'list', '--data', data, '--json')
		local list = json.decode(out)
		assert.are.same({ 0, 'policy.lua', 'running', policy },
			{ status, list[1].name, list[1].state, list[1].file })
		status, out = H.run('script', 'list', '--data', data)
		assert.are.equal(0, status)
		assert.is_truthy(out:find('policy.lua  policy, running\n', 1, true), out)
		status, out = H.run('script', 'log', '--data', data)
		assert.are.same({ 0, 'no failures\n' }, { status, out })
		status, out = H.run('script', 'reload', 'policy.lua', '--data', data)
		assert.are.equal(0, status, out)
		H.write(policy, 'return {\n')
		local _, err
		status, _, err = H.run('script', 'reload', '--data', data)
		assert.are.equal(1, status)
		assert.is_truthy(err:find('bad_script: policy.lua:2: ', 1, true), err)
		status, out = H.run('script', 'list', '--data', data)
		assert.are.equal(0, status)
		assert.is_truthy(out:find('policy, stale', 1, true) and out:find('problem  policy.lua:2: ', 1, true), out)
		status, _, err = H.run('script', 'log', 'other.lua', '--data', data)
		assert.are.equal(1, status)
		assert.is_truthy(err:find('not_found', 1, true), err)
		host:kill 'sigterm'
		host:wait()
	end)

	it('asks another file what the node was asked, and tells where a shadow differs', function()
		local folder = H.folder()
		local policy = H.write(folder .. '/policy.lua', "local policy = require 'tidelock.policy'\n"
			.. "return policy.first { policy.deny 'closed' }\n")
		local other = H.write(folder .. '/other.lua', "local policy = require 'tidelock.policy'\n"
			.. "return policy.first {\nfunction(req) if req.kind == 'list' then error 'no' end end,\n"
			.. "policy.usual() }\n")
		local data = folder .. '/data'
		H.write(folder .. '/main.lua', ([[local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = %q, policy = %q })
			local sync = node:sync()
			assert(sync:load_policy(%q, { shadow = true }))
			assert(sync:enable_http_transport())
			assert(sync:start_server '127.0.0.1:0')
			print('at ' .. tostring(sync:get_server_address())) io.stdout:flush()
			tl.sleep '10m']]):format(data, policy, other))
		assert.are.equal(0, (H.run('init', '--data', data)))
		local status, out = H.run('try', other, '--from-log', '--data', data)
		assert.are.same({ 0, '0 decisions asked again, 0 answered otherwise\n' }, { status, out })
		local host = H.start({}, 'run', folder .. '/main.lua')
		H.wait_for(function() return host.out:find 'at %S+' or host.status end)
		local b <close> = assert(tl.open { backend = tl.memory() })
		assert(b:sync():enable_http_transport())
		assert.is_nil((b:sync():connect_to_peer(host.out:match 'at (%S+)')))
		status, out = H.run('try', other, '--from-log', '--data', data)
		assert.are.equal(0, status, out)
		assert.are.equal(('usual, and not deny  connect peer=%s db=-\n  other.lua:4\n'
			.. '1 decision asked again, 1 answered otherwise\n'):format(b:device_key()), out)
		status, out = H.run('try', policy, '--from-log', '--data', data, '--json')
		local again = json.decode(out)[1]
		assert.are.same({ 0, 'deny', 'deny', 'policy.lua:2', 'closed', false },
			{ status, again.was, again.answer, again.where, again.reason, again.differs })
		status, out = H.run('script', 'diff', '--data', data)
		assert.are.equal(0, status)
		assert.is_truthy(out:find(('connect by %s, 1 times\n'):format(b:device_key()), 1, true), out)
		local _, err
		status, _, err = H.run('try', other, '--data', data)
		assert.are.equal(1, status)
		assert.is_truthy(err:find('--from-log', 1, true), err)
		host:kill 'sigterm'
		host:wait()
	end)
end)
