-- Scripts that go wrong, run by the program as a process of its own.
local H = require 'spec.helper'
local uv = require 'luv'

-- Runs a script with a fresh folder as its argument: status, output, errors, the folder.
local function run(text)
	local folder = H.folder()
	local file = H.write(folder .. '/script.lua', text)
	local status, out, err = H.run('run', file, folder)
	return status, out, err, folder
end

describe('an error in a callback of the loop', function()
	teardown(H.clean)

	it('is told, and nodes are flushed and closed', function()
		local status, out, err, folder = run [[
			local tl = require 'tidelock'
			local function open(name, accept)
				local node = assert(tl.open { path = arg[1] .. '/' .. name, on_commit = false,
					periodic = 0, accept_databases_from = { accept } })
				assert(node:sync():enable_http_transport())
				assert(node:sync():start_server '127.0.0.1:0')
				return node
			end
			local ann = open 'ann'
			local bob = open('bob', ann:device_key())
			local peer = assert(ann:sync():connect_to_peer(bob:sync():get_server_address()))
			local db = assert(ann:new_database({ name = 'n' }, '_device_key'))
			assert(ann:sync():add_tree_sync(peer, db:root_id()))
			assert(ann:sync():flush())
			assert(db:transact(function(tx) tx:doc 'd':set('a', 'last words') end))
			local _ <close> = setmetatable({}, { __close = function() print 'chunk closed' end })
			tl.loop.new_timer():start(1, 0, function()
				local nothing
				return nothing.x
			end)
			tl.sleep '1h'
			print 'not reached'
		]]
		assert.are.equal(1, status)
		assert.are.equal('chunk closed\n', out)
		assert.matches("a callback of the loop failed: .-script.lua:%d+: attempt to index a nil value",
			err)
		assert.matches('stack traceback:\n\t[^\n]*script.lua:%d+: in function', err)
		assert.are.equal(1, select(2, err:gsub('traceback', '')))
		assert.is_nil(uv.fs_stat(folder .. '/ann/control.sock'))
		local _, words = H.run('db', 'get', 'n', 'd', 'a', '-d', folder .. '/bob')
		assert.are.equal('last words\n', words)
	end)

	it('may be any value, and come from any handle', function()
		for _, case in ipairs {
			{ 'error(setmetatable({}, { __tostring = function() return "an object" end }))',
				'failed: an object\nstack traceback:' },
			{ 'error {}', 'failed: %(an error of type table%)\nstack' },
			{ 'error()', 'failed: %(an error of type nil%)\nstack' },
			{ 'error(7)', 'failed: 7\nstack' },
			{ 'error(setmetatable({}, { __tostring = error }))', 'an error of type table' },
			{ 'local function f() return 1 + f() end f()', 'stack overflow' },
			{ 'tl.sleep(1)', 'would_block: sleep would block here' },
		} do
			local status, out, err = run([[
				local tl = require 'tidelock'
				tl.loop.new_fs_event():start(arg[1], {}, function() ]] .. case[1] .. [[ end)
				tl.loop.new_timer():start(1, 1, function() io.open(arg[1] .. '/new', 'w'):close() end)
				tl.run()
				print 'run ends'
			]])
			assert.are.equal(1, status)
			assert.matches(case[2], err)
			assert.are.equal('run ends\n', out)
		end
	end)
end)

describe('a script', function()
	teardown(H.clean)

	it('may raise any value', function()
		for _, case in ipairs {
			{ 'error {}', 'an error of type table' },
			{ 'error(setmetatable({}, { __tostring = error }))', 'an error of type table' },
			{ 'error()', 'an error of type nil' },
			{ "require 'tidelock'.task(error, {})", 'an error of type table' },
			{ "assert(require 'tidelock'.open { path = '/dev/null/x' })",
				'script.lua: io: .-\nstack traceback:\n[^\n]*assert\'\n[^\n]*script.lua:1: in main chunk\n$' },
		} do
			local status, _, err = run(case[1])
			assert.are.equal(1, status)
			assert.matches(case[2], err)
		end
	end)

	it('may not leave tasks that wait for ever', function()
		for _, case in ipairs {
			{ 'tl.task(function() coroutine.yield() end)', 1 },
			{ [[local a, b
				a = tl.task(function() tl.sleep(0.01) b:wait() end)
				b = tl.task(function() tl.sleep(0.01) a:wait() end)]], 2 },
		} do
			local status, _, err = run("local tl = require 'tidelock' " .. case[1])
			assert.are.equal(1, status)
			assert.are.equal(case[2], select(2, err:gsub('nothing is left that ends its waiting', '')))
			assert.matches('script.lua:%d: in function', err)
		end
		local status, _, err = run [[
			local task
			task = require 'tidelock'.task(function() require 'tidelock'.sleep(0.01) task:wait() end)]]
		assert.are.equal(1, status)
		assert.matches('a task cannot wait for itself', err)
	end)

	it('may meddle with its transaction in a hook', function()
		local status, out, err = run [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] .. '/d' })
			local db = assert(node:new_database({ name = 'n' }, '_device_key'))
			local object = setmetatable({}, { __tostring = function() error 'x' end })
			for _, fn in ipairs {
				function(tx) error(object) end,
				function(tx) return nil, object end,
				function(tx) return nil, tostring(select(2, tx:commit())) end,
				function(tx) tx:rollback() end,
				function(tx) tx:close() end,
				function(tx) tx:close() return nil, 'closed it' end,
				function(tx) return nil, tostring(select(2, tx:set_auth_key 'k')) end,
			} do
				print(db:transact(function(tx)
					assert(tx:add_hook { before_commit = function() return fn(tx) end })
					tx:doc 'd':set('a', 1)
				end))
			end]]
		assert.are.equal('', err)
		assert.are.equal(0, status)
		local lines = {}
		for line in out:gmatch '[^\n]+' do
			if line:find '^nil\t' or line:find '^sha256:' then
				lines[#lines + 1] = line:gsub('sha256:%x+', 'id')
			end
		end
		local refused = 'nil\thook_failed: a before_commit hook refused the commit: '
		assert.matches('an error of type table', lines[1])
		assert.are.equal(refused .. '(of type table)', lines[2])
		assert.are.equal(refused .. 'already_committed: the transaction is being committed; its hooks '
			.. 'may read it, and change others', lines[3])
		assert.are.equal('nil\thook_failed: a before_commit hook rolled the transaction back, which refuses its '
			.. 'commit', lines[4])
		assert.are.equal('id', lines[5])
		assert.are.equal(refused .. 'closed it', lines[6])
		assert.matches('already_committed', lines[7])
	end)

	it('may leave nodes to the collector', function()
		local status, out, err, folder = run [[
			local tl = require 'tidelock'
			local function open_and_forget()
				assert(tl.open { backend = tl.memory(), sync = false })
				assert(tl.open { backend = tl.memory() }):sync():enable_http_transport()
			end
			open_and_forget()
			collectgarbage()
			local server = assert(tl.open { path = arg[1] .. '/d' })
			assert(server:sync():enable_http_transport())
			assert(server:sync():start_server '127.0.0.1:0')
			local turns = 0
			local timer timer = tl.loop.every('2ms', function()
				turns = turns + 1
				open_and_forget()
				if turns % 2 == 0 then collectgarbage() end
				if turns == 10 then timer:stop() server:sync():stop_server() end
			end)
			tl.run()
			print(turns, server:sync():is_server_running())
			open_and_forget()
			collectgarbage()
		]]
		assert.are.equal('', err)
		assert.are.equal('10\tfalse\n', out)
		assert.are.equal(0, status)
		assert.is_nil(uv.fs_stat(folder .. '/d/tidelock.db-wal'))
	end)

	it('tells where a task failed', function()
		local status, _, err = run [[
			local tl = require 'tidelock'
			local function deep() error 'in the depth' end
			tl.task(function()
				tl.sleep '1ms'
				deep()
			end)
		]]
		assert.are.equal(1, status)
		assert.matches("script.lua:2: in [^\n]*deep'\n\t[^\n]*script.lua:5: in function", err)
	end)

	it('closes its nodes with os.exit, wherever that is called', function()
		for _, place in ipairs {
			'os.exit(7)',
			'os.exit(7, true)',
			'tl.task(function() tl.sleep(0.01) os.exit(7) end) tl.run()',
			'tl.loop.new_timer():start(1, 0, function() os.exit(7, true) end) tl.run()',
			'node:add_hook { on_entry_committed = function() os.exit(7) end } '
				.. 'db:transact(function(tx) tx:doc "d":set("a", 1) end)',
			'node:on("entry_committed", function() os.exit(7) end) '
				.. 'db:transact(function(tx) tx:doc "d":set("a", 1) end) tl.run()',
		} do
			local status, out, err, folder = run([[
				local tl = require 'tidelock'
				local node = assert(tl.open { path = arg[1] .. '/d' })
				local db = assert(node:new_database({ name = 'n' }, '_device_key'))
				assert(db:set_default_auth_key '_device_key')
				io.write 'said'
			]] .. place)
			assert.are.equal('', err)
			assert.are.equal(7, status)
			assert.are.equal('said', out)
			assert.is_nil(uv.fs_stat(folder .. '/d/control.sock'))
		end
	end)
end)
