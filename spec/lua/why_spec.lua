-- sync:why and `tidelock why`: the reason of each state by its name, over real sockets.
local H = require 'spec.helper'
local tl = require 'tidelock'
local why = require 'tidelock.why'

local STRANGER = tl.crypto.new_secret():public_key()

local function codes(found)
	local list = {}
	for index, finding in ipairs(assert(found)) do
		list[index] = finding.code
	end
	return table.concat(list, ' ')
end

local function text_of(found, code)
	for _, finding in ipairs(found) do
		if finding.code == code then return finding.text end
	end
end

local function open(name, options)
	options = options or {}
	options.backend, options.name, options.periodic = tl.memory(), name, 0
	local node = assert(tl.open(options))
	assert(node:add_private_key 'k')
	return node, node:sync(), assert(node:new_database({ name = 'notes' }, 'k'))
end

describe('why', function()
	teardown(H.clean)

	it('refuses what is no key or id', function()
		local node <close>, sync, db = open 'a'
		assert.are.equal('bad_key', select(2, sync:why('bob', db:root_id())).code)
		assert.are.equal('bad_id', select(2, sync:why(STRANGER, 'notes')).code)
		node:close(0)
	end)

	it('names what is missing, one step after the other', function()
		local node <close>, sync, db = open 'a'
		local id = db:root_id()
		local nowhere = 'sha256:' .. ('0'):rep(64)
		assert.are.equal('unknown_peer', codes(sync:why(STRANGER, id)))
		assert.are.equal('unknown_peer database_not_found', codes(sync:why(STRANGER, nowhere)))
		assert(sync:register_peer(STRANGER))
		assert.are.equal('no_relation', codes(sync:why(STRANGER, id)))
		assert(sync:add_tree_sync(STRANGER, id))
		assert.are.equal('no_address behind', codes(sync:why(STRANGER, id)))
		assert(sync:add_peer_address(STRANGER, 'http:127.0.0.1:1'))
		assert.are.equal('no_transport_enabled behind', codes(sync:why(STRANGER, id)))
		assert(sync:enable_http_transport())
		assert.is_nil((sync:sync_tree_with_peer(STRANGER, id)))
		local found = assert(sync:why(STRANGER, id))
		assert.are.equal('connection_failed unreachable behind', codes(found))
		assert.is_truthy(text_of(found, 'unreachable'):find('http:127.0.0.1:1', 1, true))
		assert(sync:update_peer_status(STRANGER, 'blocked'))
		assert.are.equal('peer_blocked unreachable behind', codes(sync:why(STRANGER, id)))
		node:close(0)
	end)

	it('tells what the policy here refuses, and what the peer does; and that all is well', function()
		local folder = H.folder()
		H.write(folder .. '/policy.lua',
			"return require 'tidelock.policy'.deny { may = 'read', reason = 'not yet' }\n")
		local hub <close>, hub_sync, db = open('hub', { policy = folder .. '/policy.lua' })
		local guest <close>, sync = open 'guest'
		local id = db:root_id()
		assert(hub_sync:enable_http_transport())
		assert(hub_sync:start_server '127.0.0.1:0')
		assert(sync:enable_http_transport())
		assert(db:transact(function(tx) assert(tx:settings()):add_auth_key(guest:get_public_key 'k', 'read') end))
		assert(sync:connect_to_peer(hub_sync:get_server_address()))
		assert.are.equal('peer_not_registered', codes(hub_sync:why(guest:device_key(), id)))
		assert(sync:add_tree_sync(hub:device_key(), id))
		assert.is_nil((sync:sync_tree_with_peer(hub:device_key(), id)))
		local found = assert(sync:why(hub:device_key(), id))
		assert.are.equal('database_not_found not_available', codes(found))
		found = assert(hub_sync:why(guest:device_key(), id))
		assert.are.equal('peer_not_registered refused_here', codes(found))
		assert.is_truthy(text_of(found, 'refused_here'):find('to read: not yet (policy.lua', 1, true))
		H.write(folder .. '/policy.lua', "return require 'tidelock.policy'.usual { peer = '*' }\n")
		H.wait_for(function() return sync:sync_tree_with_peer(hub:device_key(), id) end, 10)
		assert.are.equal('in_step', codes(sync:why(hub:device_key(), id)))
	end)

	it('says each state that a status may have', function()
		local function of(pair)
			pair.peer, pair.db, pair.arrivals = 'p', 'd', 3
			pair.to_send, pair.progress = pair.to_send or 0, pair.progress or {}
			pair.options = pair.options or { direction = 'both' }
			return codes(why.explain({ peers = { { pubkey = 'p', status = 'active', addresses = {} } }, inbound = {},
				databases = { { id = 'd', pending = 0, quarantined = 0 } }, refusals = {}, transports = {},
				pairs = { pair } }, 'p', 'd'))
		end
		assert.are.equal('in_step', of { state = 'idle' })
		assert.are.equal('in_step', of { state = 'syncing' })
		assert.are.equal('behind behind', of { state = 'due', to_send = 1, progress = { left = 2 } })
		assert.are.equal('paused', of { state = 'paused', options = { direction = 'both', reason = 'night' } })
		assert.are.equal('one_way', of { state = 'idle', options = { direction = 'pull' } })
		assert.are.equal('stalled', of { state = 'stalled', attempts = 9, last_error = 'gone' })
		assert.are.equal('busy', of { state = 'waiting' })
		assert.are.equal('not_permitted', of { state = 'refused', last_code = 'not_permitted', last_error = 'no' })
	end)

	it('is a command, also where nobody runs the directory', function()
		local data = H.folder() .. '/data'
		local node = assert(tl.open { path = data, name = 'a', sync = true })
		assert(node:add_private_key 'k')
		local db = assert(node:new_database({ name = 'notes' }, 'k'))
		assert(node:sync():register_peer(STRANGER, 'bob'))
		assert(node:sync():add_tree_sync(STRANGER, db:root_id()))
		db:close()
		node:close(0)
		local function run(...)
			local status, out, err = H.run('why', '-d', data, ...)
			assert.are.equal(0, status, err)
			return out
		end
		local list = assert(tl.json.decode(run('notes', 'bob', '--json')))
		assert.are.equal(1, #list)
		assert.are.equal(STRANGER, list[1].peer)
		assert.are.equal('stopped no_address behind', codes(list[1].found))
		assert.is_truthy(run():find('  no_address: there is no address', 1, true))
		assert.are.equal('[]\n', run('notes', 'bobby', '--json'))
		assert.is_truthy(run('notes', 'bobby'):find('^no database'))
	end)
end)
