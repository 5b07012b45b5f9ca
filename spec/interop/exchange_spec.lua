-- What is written on one side shows on the other.
local C = dofile 'spec/interop/counterpart.lua'
local case = C.cases(it, pending)
local tl = require 'tidelock'

describe('an exchange', function()
	local other, node, sync

	before_each(function()
		if C.there then
			other, node, sync = C.start(), C.open()
		end
	end)
	after_each(C.clean)

	case('brings what 0.2.0 wrote since the last one', function()
		local db = C.join(other, node, sync)
		other:write(db, 'data', { set = { a = 1 } })
		local moved = assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.equal(1, moved.received)
		other:write(db, 'data', { set = { b = 2 } })
		other:write(db, 'data', { set = { c = 3 } })
		moved = assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.equal(2, moved.received)
		assert.are.same({ a = 1, b = 2, c = 3 }, C.state(node, db, 'data'))
		assert.are.same(other:tips(db), C.tips(node, db))
	end)

	case('gives what we wrote since the last one', function()
		local db = C.invite(other, node, sync, { public = 'read' })
		sync:configure { on_commit = false }
		local ours = assert(node:load_database(db))
		assert(ours:set_default_auth_key 'k')
		assert(ours:transact(function(tx) tx:doc 'data':set('a', 1) end))
		local moved = assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.equal(1, moved.sent)
		assert.are.same({ a = 1 }, other:state(db, 'data'))
		assert(ours:transact(function(tx) tx:doc 'data':set('b', 2) end))
		other:call('sync', { address = C.host(sync:get_server_address()), db = db })
		assert.are.same({ a = 1, b = 2 }, other:state(db, 'data'))
		assert.are.same(C.tips(node, db), other:tips(db))
	end)

	case('follows a commit of ours by itself', function()
		local db, ours = C.invite(other, node, sync)
		assert(ours:transact(function(tx) tx:doc 'data':set('x', 'pushed') end))
		C.wait_equal(node, other, db)
		assert.are.same({ x = 'pushed' }, other:state(db, 'data'))
	end)

	case('follows a commit of 0.2.0 by itself', function()
		local db = C.join(other, node, sync, { on_commit = true })
		other:write(db, 'data', { set = { x = 'pushed' } })
		C.wait_equal(node, other, db)
		assert.are.same({ x = 'pushed' }, C.state(node, db, 'data'))
	end)

	case('unites what both wrote apart', function()
		local db, ours = C.invite(other, node, sync)
		sync:configure { on_commit = false }
		for i = 1, 5 do
			assert(ours:transact(function(tx) tx:doc 'data':set('ours' .. i, i) end))
			other:write(db, 'data', { set = { ['theirs' .. i] = i } })
		end
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		C.wait_equal(node, other, db)
		local state = C.state(node, db, 'data')
		for i = 1, 5 do
			assert.are.equal(i, state['ours' .. i])
			assert.are.equal(i, state['theirs' .. i])
		end
		assert.are.same(state, other:state(db, 'data'))
	end)

	case('unites it also when 0.2.0 begins', function()
		local db, ours = C.invite(other, node, sync, { public = 'read' })
		sync:configure { on_commit = false }
		for i = 1, 3 do
			assert(ours:transact(function(tx) tx:doc 'data':set('ours' .. i, i) end))
			other:write(db, 'data', { set = { ['theirs' .. i] = i } })
		end
		other:call('sync', { address = C.host(sync:get_server_address()), db = db })
		C.wait_equal(node, other, db)
		assert.are.same(C.state(node, db, 'data'), other:state(db, 'data'))
	end)

	case('costs 0.2.0 what is new, not its history, when both wrote', function()
		local ours = C.database(node, 'open', 'write:10')
		local db = ours:root_id()
		for i = 1, 120 do
			assert(ours:transact(function(tx) tx:doc 'data':set('k' .. i, ('x'):rep(2000)) end))
		end
		local relay = C.relay(C.host(sync:get_server_address()))
		other:call('sync', { address = relay.host, db = db })
		other:call('adopt', { db = db })
		for i = 1, 3 do
			other:write(db, 'data', { set = { ['theirs' .. i] = i } })
			assert(ours:transact(function(tx) tx:doc 'data':set('ours' .. i, i) end))
		end
		relay.bytes = 0
		other:call('sync', { address = relay.host, db = db })
		assert.is_true(relay.bytes < 20000, relay.bytes .. ' bytes')
		C.wait_equal(node, other, db)
		assert.are.same(C.state(node, db, 'data'), other:state(db, 'data'))
	end)

	-- Each of these is written by 0.2.0, read and changed by us, and read by 0.2.0 again.

	case('keeps nested documents', function()
		local db, held = C.join(other, node, sync)
		other:write(db, 'data', { set = { a = { b = { c = 'deep', d = true } }, e = tl.null } })
		other:write(db, 'data', { set = { ['a.b.f'] = -7 } })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		local state = C.state(node, db, 'data')
		assert.are.same({ b = { c = 'deep', d = true, f = -7 } }, state.a)
		assert(held:transact(function(tx) tx:doc 'data':set('a.b.g.h', 9007199254740993) end))
		C.wait_equal(node, other, db)
		assert.are.same({ c = 'deep', d = true, f = -7, g = { h = 9007199254740993 } },
			other:state(db, 'data').a.b)
	end)

	case('keeps lists in their order', function()
		local db, held = C.join(other, node, sync)
		other:write(db, 'data', { set = { l = { 'a', 'b', 'c' } } })
		other:write(db, 'data', { push = { l = { 'd' } } })
		other:write(db, 'data', { remove = { l = 1 } })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.same({ 'a', 'c', 'd' }, C.state(node, db, 'data').l)
		assert(held:transact(function(tx)
			local list = tx:doc 'data':get 'l'
			list:insert(2, 'new')
			list:push 'last'
			tx:doc 'data':set('l', list)
		end))
		C.wait_equal(node, other, db)
		assert.are.same({ 'a', 'new', 'c', 'd', 'last' }, other:state(db, 'data').l)
	end)

	case('keeps what was deleted deleted', function()
		local db, held = C.join(other, node, sync)
		other:write(db, 'data', { set = { a = 1, b = 2, c = { d = 3 } } })
		other:write(db, 'data', { delete = { 'a' } })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.same({ b = 2, c = { d = 3 } }, C.state(node, db, 'data'))
		assert(held:transact(function(tx)
			tx:doc 'data':delete 'b'
			tx:doc 'data':delete 'c'
		end))
		C.wait_equal(node, other, db)
		assert.are.same({}, other:state(db, 'data'))
		other:write(db, 'data', { set = { a = 'back' } })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.same({ a = 'back' }, C.state(node, db, 'data'))
	end)

	case('keeps any text', function()
		local db, held = C.join(other, node, sync)
		local texts = { 'Grüße', '日本語', '😀\u{1f468}\u{200d}\u{1f469}', '\0\1\31\127', 'a"\\/\b\f\n\r\t',
			'\u{2028}\u{2029}\u{feff}\u{10ffff}', '' }
		local set = {}
		for i, text in ipairs(texts) do
			set['t' .. i] = text
			set[text .. '#'] = i
		end
		other:write(db, 'data', { set = set })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert.are.same(set, C.state(node, db, 'data'))
		assert(held:transact(function(tx)
			for i, text in ipairs(texts) do
				tx:doc 'mine':set('t' .. i, text)
			end
		end))
		C.wait_equal(node, other, db)
		for i, text in ipairs(texts) do
			assert.are.equal(text, other:state(db, 'mine')['t' .. i])
		end
	end)

	case('keeps tables', function()
		local db, held = C.join(other, node, sync)
		other:write(db, 'rows', { rows = { one = { n = 1, t = { 'x' } }, two = { n = 2 } } })
		other:write(db, 'rows', { drop = { 'two' } })
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		local rows = held:table 'rows'
		assert.are.equal(1, rows:get 'one'.n)
		assert.is_false(rows:contains 'two')
		assert(held:transact(function(tx) tx:table 'rows':set('three', { n = 3.5, deep = { a = true } }) end))
		C.wait_equal(node, other, db)
		assert.are.same({ one = { n = 1, t = { 'x' } }, three = { n = 3.5, deep = { a = true } } },
			other:call('rows', { db = db, store = 'rows' }))
	end)

	case('keeps stores apart', function()
		local db, held = C.join(other, node, sync)
		for i = 1, 6 do
			other:write(db, 's' .. i % 3, { set = { ['k' .. i] = i } })
		end
		assert(sync:sync_tree_with_peer(other:call('me').device, db))
		assert(held:transact(function(tx)
			tx:doc 's0':set('ours', 0)
			tx:doc 's3':set('ours', 3)
		end))
		C.wait_equal(node, other, db)
		for store = 0, 3 do
			assert.are.same(C.state(node, db, 's' .. store), other:state(db, 's' .. store))
		end
		assert.are.same({ k3 = 3, k6 = 6, ours = 0 }, other:state(db, 's0'))
	end)
end)
