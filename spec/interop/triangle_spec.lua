-- Three nodes that all write for a minute: two of 0.2.0 and one of ours, two of ours and one of 0.2.0.
local C = dofile 'spec/interop/counterpart.lua'
local case = C.cases(it, pending)
local tl = require 'tidelock'

local SECONDS = math.tointeger(tonumber(os.getenv 'TRIANGLE_SECONDS' or 60))
local PACE = '400ms' -- what 0.2.0 can take while it holds a few hundred entries

local function write(db, key, value)
	assert(db:transact(function(tx) tx:doc 'data':set(key, value) end))
end

describe('a triangle', function()
	after_each(C.clean)

	case('of two 0.2.0 nodes and one of ours comes to rest at the same', function()
		local node, sync = C.open()
		local left, right = C.start(), C.start()
		local ours = C.database(node, 'ours')
		local db, corners = ours:root_id(), { left, right }
		for i, corner in ipairs(corners) do
			corner:serve()
			local me = corner:call 'me'
			assert(ours:transact(function(tx)
				assert(tx:settings():add_auth_key(me.key, 'write:10', 'corner' .. i))
			end))
			assert(sync:add_tree_sync(assert(sync:connect_to_peer(corner.address)), db))
		end
		for _, corner in ipairs(corners) do
			C.wait_count(node, corner, db)
			corner:call('adopt', { db = db })
			corner:call('share', { db = db, on_commit = true })
		end
		assert(sync:wait_until_synced(left:call('me').device, db, '20s'))
		assert(sync:wait_until_synced(right:call('me').device, db, '20s'))
		local stop, round = os.time() + SECONDS, 0
		while os.time() < stop do
			round = round + 1
			write(ours, 'ours' .. round, round)
			left:write(db, 'data', { set = { ['left' .. round] = round, contested = 'left' } })
			right:write(db, 'data', { set = { ['right' .. round] = round, contested = 'right' } })
			tl.sleep(PACE)
		end
		C.wait_equal(node, left, db, 60)
		C.wait_equal(node, right, db, 60)
		local state = C.state(node, db, 'data')
		assert.are.equal(round, state['left' .. round])
		assert.are.equal(round, state['right' .. round])
		assert.are.same(state, left:state(db, 'data'))
		assert.are.same(state, right:state(db, 'data'))
		for _, pair in ipairs(assert(sync:status()).pairs) do
			assert.is_false(pair.dirty)
			assert.is_nil(pair.last_error)
		end
	end)

	case('of two of ours and one 0.2.0 node comes to rest at the same', function()
		local a, sync_a = C.open()
		local b, sync_b = C.open()
		local corner = C.start()
		local db, at_a = C.invite(corner, a, sync_a, { public = 'read', on_commit = true })
		assert(at_a:transact(function(tx)
			assert(tx:settings():add_auth_key(b:get_public_key 'k', 'write:10', 'b'))
		end))
		assert(sync_b:sync_with_peer(sync_a:get_server_address(), db))
		assert(sync_a:add_tree_sync(assert(sync_a:connect_to_peer(sync_b:get_server_address())), db))
		assert(sync_b:sync_with_peer(corner.address, db))
		local at_b = assert(b:load_database(db))
		assert(at_b:set_default_auth_key 'k')
		local stop, round = os.time() + SECONDS, 0
		while os.time() < stop do
			round = round + 1
			write(at_a, 'a' .. round, round)
			write(at_b, 'b' .. round, round)
			corner:write(db, 'data', { set = { ['corner' .. round] = round } })
			tl.sleep(PACE)
		end
		C.wait_equal(a, corner, db, 60)
		C.wait_equal(b, corner, db, 60)
		local state = C.state(a, db, 'data')
		assert.are.equal(round, state['corner' .. round])
		assert.are.same(state, C.state(b, db, 'data'))
		assert.are.same(state, corner:state(db, 'data'))
	end)
end)
