-- Asking for access: what the owner decides reaches the guest, who needs no other call.
local H = require 'spec.helper'
local tl = require 'tidelock'

local function open(name, serves)
	local node = assert(tl.open { backend = tl.memory(), name = name })
	local sync = node:sync()
	assert(sync:enable_http_transport())
	if serves then assert(sync:start_server '127.0.0.1:0') end
	assert(node:add_private_key 'me')
	return node, sync, serves and sync:get_server_address()
end

local function hub()
	local node, sync, address = open('hub', true)
	local db = assert(node:new_database({ name = 'notes' }, 'me'))
	db:set_default_auth_key 'me'
	assert(db:transact(function(tx) tx:doc 'data':set('x', 'from the hub') end))
	return node, sync, address, db
end

-- A guest who has asked, and what it is told later.
local function guest_of(address, id)
	local node, sync = open 'guest'
	local told = {}
	for _, kind in ipairs { 'access_granted', 'access_refused' } do
		node:on(kind, function(event) told[kind] = event end)
	end
	local asked = assert(sync:request_database_access(address, id, 'me', 'write:10'))
	assert.are.equal('pending', asked.status)
	return node, sync, told, asked.request_id
end

local function value_at(node, id)
	local db = node:load_database(id)
	return db and db:get_store 'data':get_option 'x'
end

describe('access requests', function()
	teardown(H.clean)

	it('are granted to two guests whose keys are called the same', function()
		local owner, sync, address, db = hub()
		local guests = {}
		for index = 1, 2 do
			local node, _, told, request = guest_of(address, db:root_id())
			guests[index] = node
			assert.are.equal(1, #assert(sync:pending_bootstrap_requests()))
			local shown = sync:pending_bootstrap_requests()[1]
			assert.are.equal('write:10', shown.requested_permission)
			assert.are.equal('pending', shown.status)
			assert.is_truthy(shown.peer_address:match '^http:127%.0%.0%.1:%d+$')
			assert(sync:approve_bootstrap_request(request, 'me', 'guest ' .. index))
			shown = sync:approved_bootstrap_requests()[1]
			assert.are.equal('approved', shown.status)
			assert.are.equal('me', shown.decided_by)
			assert.is_truthy(shown.decided_at:match '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%+00:00$')
			H.wait_for(function() return value_at(node, db:root_id()) == 'from the hub' end)
			assert.are.equal(request, told.access_granted.text)
			assert.are.equal(db:root_id(), told.access_granted.db)
			assert.are.equal(owner:device_key(), told.access_granted.peer)
			assert.is_nil(told.access_refused)
		end
		local keys = assert(db:get_settings()):list_auth_keys()
		local names = {}
		for _, key in ipairs(keys) do names[key.name] = key.pubkey end
		assert.are.equal(guests[1]:get_public_key 'me', names['guest 1'])
		assert.are.equal(guests[2]:get_public_key 'me', names['guest 2'])
		for _, node in ipairs(guests) do node:close(0) end
		owner:close(0)
	end)

	it('tell when another record has the name', function()
		local owner, sync, address, db = hub()
		local first, _, _, request = guest_of(address, db:root_id())
		local second, _, _, other = guest_of(address, db:root_id())
		assert(sync:approve_bootstrap_request(request, 'me', 'laptop'))
		local _, err = sync:approve_bootstrap_request(other, 'me', 'laptop')
		assert.are.equal('key_name_conflict', err.code)
		_, err = sync:approve_bootstrap_request(other, 'me', 'a.b')
		assert.are.equal('bad_argument', err.code)
		assert(sync:approve_bootstrap_request(other, 'me', 'phone'))
		first:close(0)
		second:close(0)
		owner:close(0)
	end)

	it('that are rejected reach the guest, and stay the same request', function()
		local owner, sync, address, db = hub()
		local guest, guest_sync, told, request = guest_of(address, db:root_id())
		local again = assert(guest_sync:request_database_access(address, db:root_id(), 'me', 'write:10'))
		assert.are.same({ status = 'pending', request_id = request }, again)
		assert(sync:reject_bootstrap_request(request, 'me'))
		H.wait_for(function() return told.access_refused end)
		assert.are.equal(request, told.access_refused.text)
		for _ = 1, 3 do
			again = assert(guest_sync:request_database_access(address, db:root_id(), 'me', 'write:10'))
			assert.are.equal('refused', again.status)
		end
		assert.are.equal(0, #assert(sync:pending_bootstrap_requests()))
		assert.are.equal(1, #assert(sync:rejected_bootstrap_requests()))
		assert.is_nil(guest:load_database(db:root_id()))
		guest:close(0)
		owner:close(0)
	end)
end)
