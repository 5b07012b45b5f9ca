-- Lines of the log: what is told at which level, in which form, and to whom.
local H = require 'spec.helper'
local tl = require 'tidelock'

local FORM = '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%+00:00 (%l+) (%l+): (.*)$'

-- Collects lines from here on.
local function collect()
	local lines = {}
	tl.log.sink(function(line) lines[#lines + 1] = line end)
	return lines
end

local function find(lines, pattern)
	for _, line in ipairs(lines) do
		if (line.level .. ' ' .. line.part .. ': ' .. line.text):find(pattern) then
			return line
		end
	end
end

local function found(lines, pattern)
	H.wait_for(function() return find(lines, pattern) end)
	return find(lines, pattern)
end

-- Two nodes in memory that know each other; the first has a database that both keep in step.
local function pair(options)
	local nodes = {}
	for index = 1, 2 do
		local given = { backend = tl.memory(), name = 'n' .. index, passphrase = 'hush hush' }
		for name, value in pairs(options) do
			given[name] = value
		end
		nodes[index] = assert(tl.open(given))
		assert(nodes[index]:add_private_key 'me')
		assert(nodes[index]:sync():enable_http_transport())
	end
	assert(nodes[2]:sync():start_server '127.0.0.1:0')
	nodes[2]:sync():configure { accept_databases_from = { nodes[1]:device_key() } }
	return nodes[1], nodes[2]
end

local function share(a, b)
	local address = b:sync():get_server_address()
	local peer = assert(a:sync():connect_to_peer(tl.address.parse(address) or 'http:' .. address))
	local db = assert(a:new_database({ name = 'notes' }, 'me'))
	assert(a:sync():add_tree_sync(peer, db:root_id()))
	assert(a:sync():flush '60s')
	return db
end

describe('the log', function()
	teardown(H.clean)
	after_each(function() tl.log.sink(nil) end)

	it('tells at info what happened, and at debug each exchange', function()
		local lines = collect()
		local a, b = pair { log_level = 'info' }
		local db = share(a, b)
		found(lines, '^info server: serving at http:127.0.0.1:%d+')
		found(lines, '^info peer: ed25519:%S+ is at http:127.0.0.1:%d+')
		found(lines, '^info sync: %d+ entries of ' .. db:root_id() .. ' moved with ed25519:')
		found(lines, '^info sync: %d+ entries of ' .. db:root_id() .. ' received from ed25519:')
		assert.is_nil(find(lines, '^debug'))
		b:close()
		found(lines, '^info server: serves no more at http:127.0.0.1:%d+')
		assert(db:transact(function(tx) tx:doc 'd':set('k', 1) end))
		found(lines, '^info peer: %S+ is not reached: ')
		found(lines, '^info sync: ' .. db:root_id() .. ' with ed25519:%S+ failed: ')
		a:close(0)

		lines = collect()
		a, b = pair { log_level = 'debug' }
		share(a, b)
		found(lines, '^debug exchange: %d+ asks http:127.0.0.1:%d+ for /%S+, %d+ bytes')
		found(lines, '^debug exchange: %d+ is answered with status 200')
		found(lines, '^debug exchange: 127.0.0.1:%d+ asks us for /%S+')
		a:close()
		b:close()
		for _, line in ipairs(lines) do
			assert.is_nil(line.text:find('hush', 1, true))
		end
	end)

	it('tells at info of contacts on both sides', function()
		local lines = collect()
		local a, b = pair { log_level = 'info' }
		local to = 'http:' .. b:sync():get_server_address():gsub('^http:', '')
		local key = assert(b:device_key())
		local a_key, b_key = a:device_key():gsub('%W', '%%%0'), key:gsub('%W', '%%%0')
		local function count(pattern)
			local times = 0
			for _, line in ipairs(lines) do
				times = times + (line.text:find(pattern) and 1 or 0)
			end
			return times
		end
		assert.is_nil(a:sync():connect_to_peer 'http:127.0.0.1:1')
		found(lines, '^info contact: no contact with http:127.0.0.1:1: cannot reach')
		assert(a:sync():connect_to_peer(to))
		found(lines, '^info peer: ' .. b_key .. ' is at http:127.0.0.1:%d+')
		found(lines, '^info peer: ' .. a_key .. ', no peer yet, came from http:127.0.0.1:%d+$')
		assert(b:sync():register_peer(a:device_key(), 'a'))
		for n = 1, 3 do
			local db = assert(a:new_database({ name = 'n' .. n }, 'me'))
			assert(a:sync():add_tree_sync(key, db:root_id()))
			assert(a:sync():flush '60s')
		end
		found(lines, '^info peer: ' .. a_key .. ' came from http:127.0.0.1:%d+$')
		assert.are.same({ 1, 1 }, { count ', no peer yet, came from', count(a_key .. ' came from') })
		a:close(0)
		b:close(0)
	end)

	it('tells of a relation that gets no further', function()
		local lines = collect()
		local a, b = pair { max_attempts = 1, retry_max = '10ms' }
		local db = share(a, b)
		b:close()
		assert(db:transact(function(tx) tx:doc 'd':set('k', 1) end))
		found(lines, '^warning sync: ' .. db:root_id() .. ' with ed25519:%S+ gets no further: ')
		a:close(0)
	end)

	it('gives lines of nodes and scripts one form', function()
		local lines = collect()
		tl.log.warning 'a\nb'
		local line = found(lines, 'warning script')
		local level, part, text = tostring(line):match(FORM)
		assert.are.same({ 'warning', 'script', [[a\nb]] }, { level, part, text })
		assert.is_true(math.abs(line.time_ms / 1000 - os.time()) < 60)
	end)

	it('tells all values that a line is made of', function()
		local lines = collect()
		local object = setmetatable({}, { __tostring = function() return 'an object' end })
		tl.log.info('took', 3, nil, 1.5, true, object)
		assert.are.equal('took 3 nil 1.5 true an object', found(lines, 'took').text)
		tl.log.error(nil)
		assert.are.equal('nil', found(lines, '^error script: nil').text)
		for _, level in ipairs { 'debug', 'info', 'warning', 'error' } do
			assert.error_matches(tl.log[level], "'" .. level .. "'.*a line has something to say")
		end
	end)

	it('keeps a bounded number of lines for a sink, and counts the rest', function()
		local lines = collect()
		for n = 1, 1500 do
			tl.log.info('line ' .. n)
		end
		found(lines, '^warning log: 500 lines are lost')
		assert.are.equal(1001, #lines)
		assert.are.equal('line 1000', lines[1000].text)
		tl.log.info 'more'
		assert.are.equal('more', found(lines, 'more').text)
	end)

	it('goes on with a sink that raises or logs', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local seen = 0
			tl.log.sink(function(line)
				seen = seen + 1
				if seen < 4 then tl.log.info 'again' end
				if seen == 2 then error 'no more' end
			end)
			tl.log.info 'first'
			tl.sleep '50ms'
			print(seen)
			tl.log.sink(nil)
			tl.log.info 'to stderr']])
		local status, out, err = H.run('run', script)
		assert.are.equal(1, status)
		assert.are.equal('4\n', out)
		assert.matches('the sink of the log failed: .*no more', err)
		assert.matches('info script: to stderr\n', err)
		assert.is_nil(err:find('again', 1, true))
	end)

	it('loses no line at the end of a script', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			tl.log.level 'info'
			tl.log.sink(function(line) print(line.level, line.text) end)
			local node = assert(tl.open { path = arg[1] })
			assert(node:sync():enable_http_transport())
			assert(node:sync():start_server '127.0.0.1:0')
			tl.log.debug 'not told'
			tl.log.info 'told'
			if arg[2] ~= "" then os.exit(tonumber(arg[2])) end
			node:sync():stop_server()]])
		for code, word in pairs { [0] = "", [3] = "3" } do
			local status, out, err = H.run('run', script, H.folder() .. '/d', word)
			assert.are.equal(code, status)
			assert.are.equal('', err)
			assert.matches('info\ttold\n', out)
			assert.matches('info\tserving at', out)
			assert.matches('info\tserves no more', out)
			assert.is_nil(out:find('not told', 1, true))
		end
	end)

	it('refuses levels and sinks that are none', function()
		assert.has_error(function() tl.log.level 'loud' end)
		assert.has_error(function() tl.log.sink 'file' end)
	end)
end)
