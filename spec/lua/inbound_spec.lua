-- The side that is dialled knows who comes; and whoever joins needs one call.
local H = require 'spec.helper'
local tl = require 'tidelock'

local function open(name, serves)
	local node = assert(tl.open { backend = tl.memory(), name = name })
	local sync = node:sync()
	assert(sync:enable_http_transport())
	if serves then assert(sync:start_server '127.0.0.1:0') end
	return node, sync, serves and sync:get_server_address()
end

local function hub_for(keys)
	local node, sync, address = open('hub', true)
	assert(node:add_private_key 'k')
	local db = assert(node:new_database({ name = 'notes' }, 'k'))
	db:set_default_auth_key 'k'
	assert(db:transact(function(tx)
		for _, key in ipairs(keys) do assert(tx:settings():add_auth_key(key, 'write:10')) end
		tx:doc 'data':set('x', 'from the hub')
	end))
	return node, sync, address, db
end

describe('joining', function()
	teardown(H.clean)

	it('takes one call, whichever of the keys opens the database', function()
		local guest, sync = open 'guest'
		for index = 1, 16 do assert(guest:add_private_key('key' .. index)) end
		local hub, _, address, db = hub_for { guest:get_public_key 'key11' }
		assert(sync:sync_with_peer(address, db:root_id()))
		assert.are.equal('from the hub', assert(guest:load_database(db:root_id())):get_store 'data':get 'x')
		guest:close(0)
		hub:close(0)
	end)

	it('proves the key that is named, now and later', function()
		local path = H.folder() .. '/guest'
		local guest = assert(tl.open { path = path })
		local sync = guest:sync()
		assert(sync:enable_http_transport())
		for index = 1, 20 do assert(guest:add_private_key(('key%02d'):format(index))) end
		local hub, _, address, db = hub_for { guest:get_public_key 'key20' }
		local _, err = sync:sync_with_peer(address, db:root_id()) -- sixteen are proven, of twenty
		assert.are.equal('not_available', err.code)
		_, err = sync:sync_with_peer(address, db:root_id(), { key_name = 'key01' })
		assert.are.equal('not_available', err.code)
		_, err = sync:sync_with_peer(address, db:root_id(), { key_name = 'none' })
		assert.are.equal('key_not_found', err.code)
		assert(sync:sync_with_peer(address, db:root_id(), { key_name = 'key20' }))
		guest:close(0)
		guest = assert(tl.open { path = path })
		sync = guest:sync()
		assert(sync:enable_http_transport())
		assert(sync:sync_tree_with_peer(hub:device_key(), db:root_id()))
		assert.has_error(function() sync:sync_with_peer(address, db:root_id(), { key = 'key20' }) end)
		guest:close(0)
		hub:close(0)
	end)

	it('says what to do when no key opens it', function()
		local guest, sync = open 'guest'
		assert(guest:add_private_key 'k')
		local hub, _, address, db = hub_for {}
		local done, err = sync:sync_with_peer(address, db:root_id())
		assert.is_nil(done)
		assert.are.equal('not_available', err.code)
		assert.is_truthy(err.message:find('request_database_access', 1, true))
		assert.is_truthy(err.message:find('accept_databases_from', 1, true))
		guest:close(0)
		hub:close(0)
	end)
end)

describe('the side that is dialled', function()
	teardown(H.clean)

	it('shows who comes to people, a line for each', function()
		local path = H.folder() .. '/hub'
		local hub = assert(tl.open { path = path })
		assert(hub:sync():enable_http_transport())
		assert(hub:sync():start_server '127.0.0.1:0')
		local lines = {}
		-- As they call themselves, and how that is shown: escaped once.
		for index, name in ipairs { { 'ann', 'ann' }, { 'b\27\\x', [[b\u001b\\x]] } } do
			local guest, sync = open(name[1])
			assert(sync:connect_to_peer(hub:sync():get_server_address()))
			lines[index] = 'client     ' .. guest:device_key() .. '  ' .. name[2]
			assert.are.equal(name[1], hub:sync():get_peer_info(guest:device_key()).inbound.said_name)
			guest:close(0)
		end
		local _, out, err = H.run('status', '-d', path)
		assert.are.equal('', err)
		for _, line in ipairs(lines) do
			local _, last = out:find(line, 1, true)
			assert.is_truthy(last, out)
			assert.matches('^ *here, from http:127%.0%.0%.1:%d+, 0 databases\n', out:sub(last + 1))
		end
		hub:close(0)
	end)

	it('sees who comes, and can block one that was never registered', function()
		local guest, sync = open 'guest'
		assert(guest:add_private_key 'k')
		local hub, hub_sync, address, db = hub_for { guest:get_public_key 'k' }
		local key, connected = guest:device_key(), nil
		hub:on('peer_connected', function(event) connected = event end)
		assert.are.same({}, hub_sync:list_peers { inbound = true })
		assert(sync:sync_with_peer(address, db:root_id()))
		local copy = assert(guest:load_database(db:root_id()))
		copy:set_default_auth_key 'k'
		assert(copy:transact(function(tx) tx:doc 'data':set('y', 'from the guest') end))
		assert(sync:flush '60s')
		H.wait_for(function() return connected and connected.peer == key end)
		assert.are.same({ key }, hub_sync:list_peers { inbound = true })
		assert.are.same({}, hub_sync:list_peers())
		local came = assert(hub_sync:status()).inbound[1]
		assert.are.equal(key, came.pubkey)
		assert.are.equal('guest', came.said_name)
		assert.is_true(came.connected)
		assert.is_truthy(came.remote:match '^http:127%.0%.0%.1:%d+$')
		assert.is_truthy(came.last_seen:match '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%+00:00$')
		assert.is_nil(came.status)
		assert.are.equal(db:root_id(), came.databases[1].id)
		H.wait_for(function()
			local at = hub_sync:status().inbound[1].databases[1]
			return at.acknowledged > 0 and at.acknowledged <= at.arrivals
		end)
		assert.are.equal(key, assert(hub_sync:get_peer_info(key)).inbound.pubkey)
		-- Who watches whom.
		H.wait_for(function() return hub_sync:get_peer_info(key).inbound.watches == 1 end)
		assert.are.equal(1, assert(sync:get_peer_info(hub:device_key())).watches)
		assert.is_true(assert(sync:status()).pairs[1].watched)
		assert.is_false(sync:status().pairs[1].watches_us)
		-- What it began is written down here.
		H.wait_for(function() return #hub_sync:state():get_sync_history(key) > 0 end)
		local moved = hub_sync:state():get_sync_history(key)[1]
		assert.are.equal(db:root_id(), moved.tree_id)
		assert.is_true(moved.success and moved.entries_count > 0 and moved.bytes_transferred > 0)
		assert.are.same({ key }, hub_sync:state():get_peers_with_sync_state())
		assert.are.equal(moved.entries_count,
			assert(hub_sync:state():get_sync_metadata(key)).total_entries_synced)

		assert(hub_sync:update_peer_status(key, 'blocked'))
		assert.are.equal('blocked', assert(hub_sync:get_peer_info(key)).status)
		local _, err = sync:sync_tree_with_peer(hub:device_key(), db:root_id())
		assert.are.equal('peer_blocked', err.code)
		_, err = hub_sync:update_peer_status(tl.crypto.new_secret():public_key(), 'active')
		assert.are.equal('peer_not_found', err.code)
		guest:close(0)
		hub:close(0)
	end)

	it('keeps the name that its owner gave apart from what a peer says of itself', function()
		local guest, sync = open 'says this'
		local hub, hub_sync, address = hub_for {}
		assert(hub_sync:register_peer(guest:device_key(), 'my guest'))
		assert(sync:connect_to_peer(address))
		local function names()
			local info = assert(hub_sync:get_peer_info(guest:device_key()))
			return { info.display_name or false, info.said_name }
		end
		assert.are.same({ 'my guest', 'says this' }, names())
		assert(hub_sync:rename_peer(guest:device_key(), 'laptop'))
		assert(sync:connect_to_peer(address))
		assert.are.same({ 'laptop', 'says this' }, names())
		assert(hub_sync:rename_peer(guest:device_key()))
		assert.are.same({ false, 'says this' }, names())
		assert.is_nil(assert(sync:get_peer_info(hub:device_key())).display_name)
		guest:close(0)
		hub:close(0)
	end)
end)
