local H = require 'spec.helper'
local tl = require 'tidelock'

local function open(options)
	options = options or {}
	options.backend = tl.memory()
	local node = assert(tl.open(options))
	assert(node:sync():enable_http_transport())
	assert(node:sync():start_server '127.0.0.1:0')
	assert(node:add_private_key 'k')
	return node, node:sync(), assert(node:sync():get_server_address())
end

describe('sync', function()
	teardown(H.clean)

	it('takes a database from a key it accepts, and keeps it in step both ways', function()
		local a, sync_a = open { name = 'a' }
		local b, sync_b, address = open { name = 'b', accept_databases_from = { a:device_key() } }
		local peer = assert(sync_a:connect_to_peer(address))
		assert.are.equal(b:device_key(), peer)
		assert(sync_a:update_peer_status(peer, 'active'))
		local db = assert(a:new_database({ name = 'notes' }, 'k'))
		assert(sync_a:add_tree_sync(peer, db:root_id()))
		assert(db:transact(function(tx)
			assert(tx:settings():add_auth_key(b:get_public_key 'k', 'write:10'))
			tx:doc 'data':set('x', 'from a')
		end))
		assert(sync_a:flush '60s')
		local copy = assert(b:load_database(db:root_id()))
		assert.are.equal('from a', copy:get_store 'data':get 'x')

		assert(sync_b:register_peer(a:device_key(), 'a'))
		assert(sync_b:add_peer_address(a:device_key(), sync_a:get_server_address()))
		assert(sync_b:add_tree_sync(a:device_key(), db:root_id()))
		assert(copy:set_default_auth_key 'k')
		assert(copy:transact(function(tx) tx:doc 'data':set('y', 'from b') end))
		assert(sync_b:wait_until_synced(a:device_key(), db:root_id(), '60s'))
		assert.are.equal('from b', db:get_store 'data':get 'y')
		assert.is_true(sync_a:is_tree_synced_with_peer(peer, db:root_id()))
		assert.are.same({ db:root_id() }, sync_a:get_peer_trees(peer))

		local metadata = assert(sync_a:state():get_sync_metadata(peer))
		assert.is_true(metadata:sync_success_rate() > 0)
		assert.are.equal('active', assert(sync_a:get_peer_info(peer)).status)
		a:close(0)
		b:close(0)
	end)

	it('takes any name that others give to themselves and to databases', function()
		local names = {
			[[C:\u0000\name]], '\0', 'a\0b', '"\\\n\r\t\27[31m', '\u{202e}\u{feff}\u{10ffff}', '\u{e9}', ' ',
		}
		local b, sync_b, address = open { name = 'b' }
		local roots = {}
		for index, name in ipairs(names) do
			local own = not name:find '\0' and name or nil -- which a node's own cannot have
			local a, sync_a = open { name = own }
			assert(sync_b:register_peer(a:device_key(), 'to be told'))
			assert(sync_b:configure { accept_databases_from = { a:device_key() } })
			local peer = assert(sync_a:connect_to_peer(address))
			local db = assert(a:new_database({ name = name }, 'k'))
			roots[index] = db:root_id()
			assert(sync_a:add_tree_sync(peer, roots[index]))
			assert(sync_a:flush '60s')
			assert(sync_b:connect_to_peer(sync_a:get_server_address()))
			local info = assert(sync_b:get_peer_info(a:device_key()))
			assert.are.equal('to be told', info.display_name)
			assert.is_string(info.said_name)
			a:close(0)
		end
		local found = {}
		for _, database in ipairs(assert(sync_b:status()).databases) do
			found[database.id] = database.name
		end
		for index, name in ipairs(names) do
			assert.are.equal(name, found[roots[index]])
			assert.are.equal(name, (assert(b:load_database(roots[index])):get_name()))
		end
		local none, err = b:find_database 'a'
		assert.is_nil(none)
		assert.are.equal('database_not_found', err.code)
		assert(b:find_database(names[1]))
		assert.are.equal(#names, #assert(sync_b:list_peers()))
		b:close(0)
	end)

	it('tries at once and every second while somebody waits or flushes', function()
		for _, ask in ipairs {
			function(sync, peer, db) return sync:wait_until_synced(peer, db, '30s') end,
			function(sync) return sync:flush '30s' end,
			function(sync) return sync:flush('30s', { send_only = true }) end,
		} do
			local a, sync_a, address = open { name = 'a' }
			local b, sync_b = open { name = 'b' }
			local db = assert(a:new_database({ name = 'notes' }, 'k'))
			db:set_default_auth_key 'k'
			assert(db:transact(function(tx) tx:settings():set_global 'write:5' end))
			local peer = assert(sync_b:sync_with_peer(address, db:root_id()))
			assert(sync_b:wait_until_synced(peer, db:root_id(), '60s'))
			local copy = assert(b:load_database(db:root_id()))
			copy:set_default_auth_key 'k'
			assert(sync_a:stop_server())
			assert(copy:transact(function(tx) tx:doc 'd':set('n', 1) end))
			-- The next attempt of its own is seconds away then.
			H.wait_for(function() return sync_b:status().pairs[1].attempts >= 3 end)
			tl.task(function()
				tl.sleep '1s'
				assert(sync_a:start_server((address:gsub('^http:', ''))))
			end)
			assert(ask(sync_b, peer, db:root_id()))
			assert.are.equal(1, db:get_store 'd':get 'n')
			a:close(0)
			b:close(0)
		end
	end)

	it('flushes and looks', function()
		local a, _, address = open { name = 'a', periodic = 0 }
		local b, sync_b = open { name = 'b', periodic = 0 }
		local db = assert(a:new_database({ name = 'notes' }, 'k'))
		db:set_default_auth_key 'k'
		assert(db:transact(function(tx) tx:settings():set_global 'write:5' end))
		local peer = assert(sync_b:sync_with_peer(address, db:root_id()))
		assert(sync_b:wait_until_synced(peer, db:root_id(), '60s'))
		local copy = assert(b:load_database(db:root_id()))
		assert(db:transact(function(tx) tx:doc 'd':set('n', 'theirs') end))
		assert(sync_b:flush '60s')
		assert.are.equal('theirs', copy:get_store 'd':get 'n')
		assert(sync_b:flush { send_only = true })
		assert.has_error(function() sync_b:flush('1s', { sendonly = true }) end)
		a:close(0)
		b:close(0)
	end)

	it('switches options off and on while it runs', function()
		local a, sync_a = open { name = 'a', on_commit = false, periodic = 0 }
		local b, _, address = open { name = 'b', accept_databases_from = { a:device_key() } }
		local peer = assert(sync_a:connect_to_peer(address))
		local db = assert(a:new_database({ name = 'notes' }, 'k'))
		assert(sync_a:add_tree_sync(peer, db:root_id()))
		assert(sync_a:wait_until_synced(peer, db:root_id(), '60s'))
		local copy = assert(b:load_database(db:root_id()))
		local function set(value)
			assert(db:transact(function(tx) tx:doc 'data':set('x', value) end))
		end
		local function arrives(value)
			return function() return copy:get_store 'data':get_option 'x' == value end
		end
		set 'kept back'
		tl.sleep '200ms'
		assert.is_false(arrives 'kept back'())
		assert(sync_a:configure { on_commit = true })
		H.wait_for(arrives 'kept back')
		assert(sync_a:configure { periodic = 0 }) -- what is left out stays
		set 'sent'
		H.wait_for(arrives 'sent')
		assert(sync_a:configure { on_commit = false })
		set 'kept back again'
		tl.sleep '200ms'
		assert.is_true(arrives 'sent'())
		assert(sync_a:flush '60s')

		a:close(0)
		b:close(0)
	end)

	it('refuses plain HTTP off loopback as long as that is configured', function()
		local node <close> = assert(tl.open { backend = tl.memory(), require_encryption = true })
		local sync = node:sync()
		assert(sync:enable_http_transport { dial = '50ms' })
		local function dial_fails_with()
			return select(2, sync:connect_to_peer 'http:192.0.2.1:9').code -- nobody's address
		end
		assert.are.equal('cleartext_refused', dial_fails_with())
		assert(sync:configure { require_encryption = false })
		assert.are.equal('connection_failed', dial_fails_with())
		assert(sync:configure { on_commit = true })
		assert.are.equal('connection_failed', dial_fails_with())
		assert(sync:configure { require_encryption = true })
		assert.are.equal('cleartext_refused', dial_fails_with())
		assert.has_error(function() sync:configure { v0_claims = 1 } end)
	end)

	it('answers errors by their names', function()
		local node <close> = assert(tl.open { backend = tl.memory() })
		local sync = node:sync()
		local key = tl.crypto.new_secret():public_key()
		assert.are.equal('no_transport_enabled', select(2, sync:start_server '127.0.0.1:0').code)
		assert(sync:enable_http_transport())
		assert.are.equal('server_not_running', select(2, sync:get_server_address()).code)
		assert.are.equal('server_bind', select(2, sync:start_server 'localhost:1').code)
		assert.are.equal('peer_not_found', select(2, sync:get_peer_info(key)).code)
		assert.are.equal('bad_address', select(2, tl.address.http 'host:1/x').code)
		local peer, err = sync:connect_to_peer 'http:127.0.0.1:1'
		assert.is_nil(peer)
		assert.is_true(err:is_network_error())
		assert.is_true(err:is_sync_error())
		assert.has_error(function() sync:connect_to_peer('http:127.0.0.1:1', { kee = 1 }) end)
	end)

	it('brings events to loops and handlers', function()
		local a, sync_a = open()
		local b, _, address = open { accept_databases_from = { a:device_key() } }
		local kinds, first = {}, nil
		local stop = b:on('entries_received', function(event) kinds[#kinds + 1] = event.kind end)
		local task = tl.task(function()
			for event in b:events { 'entries_received' } do
				if event.db then
					first = event
					break
				end
			end
		end)
		local peer = assert(sync_a:connect_to_peer(address))
		local db = assert(a:new_database({ name = 'x' }, 'k'))
		assert(sync_a:add_tree_sync(peer, db:root_id()))
		assert(sync_a:flush '60s')
		task:wait()
		assert.are.equal(db:root_id(), first.db)
		H.wait_for(function() return #kinds > 0 end)
		stop()
		assert.has_error(function() b:on('no such event', print) end)
		a:close(0)
		b:close(0)
	end)

	it('names the error of an event by its code', function()
		local a, sync_a = open()
		local b, sync_b, address = open { accept_databases_from = { a:device_key() } }
		local failed
		a:on('sync_failed', function(event) failed = event end)
		local db = assert(a:new_database({ name = 'x' }, 'k'))
		assert(sync_a:add_tree_sync(assert(sync_a:connect_to_peer(address)), db:root_id()))
		assert(sync_a:flush '60s')
		assert(sync_b:stop_server())
		assert(db:transact(function(tx) tx:doc 'data':set('x', 1) end))
		H.wait_for(function() return failed end)
		assert.are.equal('connection_failed', failed.code)
		assert.is_truthy(#failed.text > 0)
		a:close(0)
		b:close(0)
	end)

	it('can be stopped and started again', function()
		local a, sync_a = open()
		local b, sync_b = open { accept_databases_from = { a:device_key() } }
		assert(sync_b:stop_server())
		assert.is_false(sync_b:is_server_running())
		assert.are.equal('server_not_running', select(2, sync_b:stop_server()).code)
		assert(sync_b:start_server '127.0.0.1:0')
		assert(sync_a:connect_to_peer(assert(sync_b:get_server_address())))
		a:close(0)
		b:close(0)
	end)
end)
