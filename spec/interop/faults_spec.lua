-- What goes wrong between the two, and must not cost anything: kills, silence, refusals, large things.
local C = dofile 'spec/interop/counterpart.lua'
local case = C.cases(it, pending)
local H = require 'spec.helper'
local tl = require 'tidelock'

-- A process with a node at `path` that serves, says where, does `work` and then says `answered`.
local WORK = [[
local tl = require 'tidelock'
local node = assert(tl.open { path = arg[1] })
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server '127.0.0.1:0')
if not node:get_public_key 'k' then assert(node:add_private_key 'k') end
print(sync:get_server_address())
io.stdout:flush()
%s
print 'answered'
io.stdout:flush()
tl.sleep '10m'
]]

describe('between us and 0.2.0', function()
	local other, node, sync, me

	before_each(function()
		if C.there then
			other, node, sync = C.start(), C.open()
			me = other:call 'me'
		end
	end)
	after_each(C.clean)

	local function process(path, work, ...)
		local file = H.write(H.folder() .. '/work.lua', WORK:format(work))
		local run = H.start({}, 'run', file, path, ...)
		H.wait_for(function() return run.out:find '\n' or run.status end)
		assert.is_nil(run.status, run.err)
		return run, run.out:match '^http:(%S+)'
	end

	local function kill(run)
		run:kill 'sigkill'
		run:wait()
	end

	-- Ended by SIGKILL as soon as it has its answer.
	local function killed_when_answered(path, work, ...)
		local run = process(path, work, ...)
		H.wait_for(function() return run.out:find 'answered' or run.status end)
		assert.is_nil(run.status, run.err)
		kill(run)
	end

	local function write(db, value)
		assert(db:transact(function(tx) tx:doc 'data':set('x', value) end))
	end

	case('a peer and a relation that were answered outlive SIGKILL', function()
		local address, path = other:serve(), H.folder() .. '/node'
		local db = other:database('theirs', { public = 'read' })
		killed_when_answered(path, 'assert(sync:sync_with_peer(arg[2], arg[3]))', address, db)
		local _, again = C.open { path = path }
		assert.is_true(again:is_tree_synced_with_peer(me.device, db))
		assert.are.same({ address }, again:get_peer_addresses(me.device))
	end)

	case('a request of ours that was answered outlives SIGKILL', function()
		local address, path = other:serve(), H.folder() .. '/node'
		local db = other:database('private')
		killed_when_answered(path, "assert(sync:request_database_access(arg[2], arg[3], 'k', 'write:10'))",
			address, db)
		other:call('approve', { id = other:call('requests')[1].id })
		local reopened, again = C.open { path = path }
		assert(again:sync_with_peer(address, db)) -- by that key: nobody else may read it
		assert.are.equal(other:call('count', { db = db }), C.entries(reopened, db))
	end)

	case('a request of theirs that was answered outlives SIGKILL', function()
		local path = H.folder() .. '/node'
		local run, address = process(path,
			"print(assert(node:new_database({ name = 'private' }, 'k')):root_id()) io.stdout:flush()")
		H.wait_for(function() return run.out:find 'answered' end)
		local db = run.out:match 'sha256:%x+'
		local _, err = other:try('ask', { address = address, db = db, name = 'guest', permission = 'read' })
		kill(run)
		assert.is_truthy(err)
		local _, again = C.open { path = path }
		local requests = assert(again:pending_bootstrap_requests())
		assert.are.equal(1, #requests)
		assert.are.equal(me.key, requests[1].requesting_pubkey)
	end)

	-- Each question becomes an entry there for ever.
	case('commits in a row are asked about once', function()
		local _, ours = C.invite(other, node, sync)
		local before = other:call 'questions'
		for i = 1, 25 do
			write(ours, i)
			tl.sleep '30ms'
		end
		H.wait_for(function() return C.pair(sync, me.device, ours:root_id()).acknowledged == ours:arrival() end)
		local asked = other:call('questions') - before
		assert.is_true(asked >= 1 and asked <= 3, asked .. ' entries for 25 commits')
		assert.are.same({ x = 25 }, other:state(ours:root_id(), 'data'))
		assert(sync:flush '10s')
	end)

	case('one that has not enabled sync takes every push, which is no failure', function()
		local address = other:serve()
		local ours = C.database(node, 'ours')
		local db = ours:root_id()
		assert(ours:transact(function(tx) assert(tx:settings():add_auth_key(me.key, 'write:10', 'them')) end))
		assert(sync:add_tree_sync(assert(sync:connect_to_peer(address)), db))
		for i = 1, 5 do
			write(ours, i)
			tl.sleep '100ms'
		end
		assert(sync:flush '10s')
		assert.are.same({ x = 5 }, other:state(db, 'data'))
		local pair = C.pair(sync, me.device, db)
		assert.are.equal(0, pair.attempts)
		assert.are.equal('not_available', pair.last_code)
		assert.is_truthy(pair.last_error:find 'enable sync')
		assert.are.equal(C.entries(node, db), pair.sent) -- each once
		for _, exchange in ipairs(assert(sync:state():get_sync_history(me.device))) do
			assert.is_true(exchange.success, exchange.error_message)
		end
		other:call('adopt', { db = db })
		other:call('share', { db = db })
		assert(sync:wait_until_synced(me.device, db, '10s'))
		pair = C.pair(sync, me.device, db)
		assert.is_nil(pair.last_error)
		assert.are.equal(pair.arrivals, pair.acknowledged)
	end)

	case('flush does not say yes over one that is gone', function()
		local _, ours = C.invite(other, node, sync)
		assert(sync:configure { max_attempts = 1 })
		other:kill()
		write(ours, 'unsent')
		H.wait_for(function() return C.pair(sync, me.device, ours:root_id()).state == 'stalled' end)
		local done, err = sync:flush '1s'
		assert.is_nil(done)
		assert.are.equal('timeout', err.code)
	end)

	case('a node of theirs that is killed while it takes pushes is no loss', function()
		local _, ours = C.invite(other, node, sync)
		C.commits(ours, 60)
		other:kill()
		C.commits(ours, 5)
		local second = C.start()
		local key = second:call('me').key
		assert(ours:transact(function(tx) assert(tx:settings():add_auth_key(key, 'write:10', 'second')) end))
		second:serve()
		local peer = assert(sync:connect_to_peer(second.address))
		assert(sync:add_tree_sync(peer, ours:root_id()))
		C.wait_count(node, second, ours:root_id())
		assert.are.same(C.state(node, ours:root_id(), 'data'), second:state(ours:root_id(), 'data'))
	end)

	case('a node of ours that is killed while it takes a database goes on', function()
		local address, path = other:serve(), H.folder() .. '/node'
		local db = other:database('theirs', { public = 'read' })
		other:call('many', { db = db, store = 'data', count = 150, bytes = 4000 })
		for _, moment in ipairs { '20ms', '60ms', '150ms' } do
			local run = process(path, 'sync:sync_with_peer(arg[2], arg[3])', address, db)
			tl.sleep(moment)
			kill(run)
		end
		local reopened, again = C.open { path = path }
		assert(again:sync_with_peer(address, db))
		assert.are.same(other:tips(db), C.tips(reopened, db))
		assert.are.equal(other:call('count', { db = db }), C.entries(reopened, db))
		assert.are.same({}, assert(reopened:verify()))
	end)

	case('5 MiB are pushed in messages that it takes', function()
		local db, ours = C.invite(other, node, sync)
		assert(sync:configure { on_commit = false })
		for i = 1, 60 do
			assert(ours:transact(function(tx) tx:doc 'data':set('k' .. i, ('%02d'):format(i):rep(45000)) end))
		end
		assert(sync:sync_tree_with_peer(me.device, db))
		C.wait_equal(node, other, db, 60)
		assert.are.same(C.state(node, db, 'data'), other:state(db, 'data'))
	end)

	case('an entry that fits no push is left out with what stands on it', function()
		local address = other:serve()
		local db = other:database('theirs', { public = 'read' })
		other:write(db, 'data', { set = { x = 'before' } })
		local held = other:call('count', { db = db })
		other:call('many', { db = db, store = 'data', count = 1, bytes = 2500000, prefix = 'large' })
		other:write(db, 'data', { set = { x = 'after' } })
		assert(sync:sync_with_peer(address, db))
		assert.are.equal(held + 2, C.entries(node, db))

		local second = C.start()
		second:serve()
		local peer = assert(sync:connect_to_peer(second.address))
		assert(sync:add_tree_sync(peer, db))
		H.wait_for(function() return second:call('count', { db = db }) == held end)
		H.wait_for(function()
			local pair = C.pair(sync, peer, db)
			return pair.state == 'idle' and pair.last_code == 'too_large'
		end)
		assert.are.equal(held, second:call('count', { db = db }))
		assert.are.same({ x = 'before' }, second:state(db, 'data')) -- which orphans would make unreadable
		assert.are.equal(0, C.pair(sync, peer, db).attempts)
	end)
end)
