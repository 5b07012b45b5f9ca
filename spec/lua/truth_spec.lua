-- Whatever a user asks of the status is true: two nodes over real sockets.
local H = require 'spec.helper'
local tl = require 'tidelock'

local function open(name, serves)
	local node = assert(tl.open { backend = tl.memory(), name = name, periodic = 0 })
	local sync = node:sync()
	assert(sync:enable_http_transport())
	if serves then assert(sync:start_server '127.0.0.1:0') end
	assert(node:add_private_key 'k')
	return node, sync, serves and sync:get_server_address()
end

-- A hub with a database that the guest's key may read, and the guest, who has fetched it.
local function in_step()
	local hub, hub_sync, address = open('hub', true)
	local guest, guest_sync = open 'guest'
	local db = assert(hub:new_database({ name = 'notes' }, 'k'))
	assert(db:transact(function(tx) assert(tx:settings():add_auth_key(guest:get_public_key 'k', 'read')) end))
	assert(guest_sync:connect_to_peer(address))
	assert(guest_sync:add_tree_sync(hub:device_key(), db:root_id()))
	return hub, hub_sync, guest, guest_sync, db
end

local function pair(sync) return assert(sync:status()).pairs[1] end

describe('the status', function()
	teardown(H.clean)

	it('says what is still to do, and nothing of what never was', function()
		local hub, hub_sync, guest, sync, db = in_step()
		local key = tl.crypto.new_secret():public_key()
		assert(sync:register_peer(key))
		local never = assert(sync:get_peer_info(key))
		assert.is_nil(never.last_seen)
		assert.is_nil(never.last_successful_sync)
		assert.is_nil(never.inbound)
		assert.are.equal('disconnected', never.connection_state)
		local metadata = assert(sync:state():get_sync_metadata(key))
		assert.is_nil(metadata.last_sync_attempt)
		assert.is_nil(metadata.sync_established)
		assert.is_nil(assert(sync:state():get_sync_cursor(key, db:root_id())).last_sync_time)
		assert(hub_sync:add_peer_address(assert(hub_sync:register_peer(key)) and key, 'http:127.0.0.1:1'))
		assert(hub_sync:add_tree_sync(key, db:root_id()))
		assert.is_nil((hub_sync:sync_tree_with_peer(key, db:root_id())))
		assert.are.equal('failed', assert(hub_sync:get_peer_info(key)).connection_state)
		local waiting = pair(hub_sync)
		assert.are.equal(waiting.arrivals, waiting.to_send)
		assert.are.equal(0, waiting.progress.left)
		guest:close(0)
		hub:close(0)
	end)

	it('never gives 0.0.0.0 as an address to dial', function()
		local node, sync = open 'anywhere'
		assert(sync:start_server '0.0.0.0:0')
		assert.is_nil(sync:get_server_address():find('0.0.0.0', 1, true))
		local _, err = sync:connect_to_peer 'http:0.0.0.0:9'
		assert.are.equal('bad_address', err.code)
		_, err = sync:connect_to_peer 'http:[::]:9'
		assert.are.equal('bad_address', err.code)
		node:close(0)
	end)
end)

describe('a side that is refused', function()
	teardown(H.clean)

	it('hears that its key was revoked, wherever it asks', function()
		local hub, _, guest, sync, db = in_step()
		local peer, id = hub:device_key(), db:root_id()
		-- Only what asks for access tells the guest which key to prove where it holds nothing yet.
		assert(sync:request_database_access(sync:get_peer_addresses(peer)[1], id, 'k', 'read'))
		assert(sync:sync_tree_with_peer(peer, id))
		assert(db:transact(function(tx) assert(tx:settings():revoke_auth_key(guest:get_public_key 'k')) end))
		local code
		guest:on('sync_failed', function(event) code = event.code end)
		local done, err = sync:sync_tree_with_peer(peer, id)
		assert.is_nil(done)
		assert.are.equal('not_available', err.code)
		assert.are.equal('refused', pair(sync).state)
		assert.are.equal('not_available', pair(sync).last_code)
		assert.is_not_nil(pair(sync).last_error:find('not_available', 1, true))
		done, err = sync:wait_until_synced(peer, id, '5s')
		assert.is_nil(done)
		assert.are.equal('not_available', err.code)
		H.wait_for(function()
			local newest = sync:state():get_sync_history(peer)[1]
			return newest and newest.success == false
		end)
		H.wait_for(function() return code == 'not_available' end)
		guest:close(0)
		hub:close(0)
	end)

	it('hears that it is blocked', function()
		local hub, hub_sync, guest, sync, db = in_step()
		assert(hub_sync:register_peer(guest:device_key(), 'guest'))
		assert(hub_sync:add_tree_sync(guest:device_key(), db:root_id()))
		assert(sync:sync_tree_with_peer(hub:device_key(), db:root_id()))
		assert(hub_sync:update_peer_status(guest:device_key(), 'blocked'))
		local _, err = sync:sync_tree_with_peer(hub:device_key(), db:root_id())
		assert.are.equal('peer_blocked', err.code)
		assert.are.equal('refused', pair(sync).state)
		_, err = sync:connect_to_peer(hub_sync:get_server_address())
		assert.are.equal('peer_blocked', err.code)
		guest:close(0)
		hub:close(0)
	end)
end)
