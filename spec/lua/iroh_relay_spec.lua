-- Two processes that know each other by a relay alone, the real one (`make deps-relay`); without it each case
-- is skipped, by name.
local H = require 'spec.helper'
local json = require 'tidelock.json'
local Led = dofile 'spec/iroh/led.lua'
local Relay = dofile 'spec/iroh/relay.lua'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local file = io.open(PLUGIN)
if file then file:close() end

local function case(name, fn)
	if file and Relay.is_there() then return it(name, fn) end
	print('skipped: ' .. name)
end

--- A node as a process; its key.
local function open(bind, relays, more)
	local process = Led.start(H.program, { 'run', 'spec/iroh/node.lua' })
	local options = { relay_mode = relays, lookup = 'none', bind = bind, plugin = PLUGIN }
	for name, value in pairs(more or {}) do options[name] = value end
	process.key = process:ask({ ['do'] = 'open', name = bind, iroh = options, serve = true }, 'open')
	return process
end

--- Its address once a relay knows it, with that relay as the only way.
local function by_relay(process)
	local address
	H.wait_for(function()
		address = json.decode((process:ask({ ['do'] = 'address' }, 'address'):gsub('^iroh:', '')))
		return address.relay_url
	end)
	return 'iroh:' .. json.encode { node_id = address.node_id, relay_url = address.relay_url }, address
end

local function failure(process, address)
	return process:ask({ ['do'] = 'connect', address = address }, 'failed')
end

describe('a relay', function()
	teardown(H.clean)

	case('introduces two nodes, and steps aside', function()
		local relay = Relay.start {}
		local relays = { { url = relay.url } }
		local host, guest = open('127.0.0.1:0', relays), open('127.0.0.1:0', relays)
		local address, whole = by_relay(host)
		local db = host:ask({ ['do'] = 'create', writer = guest.key }, 'create')
		assert.are.equal(host.key, guest:ask({ ['do'] = 'join', address = address, db = db }, 'join'))
		-- The way may have changed before the peer was known.
		local path = guest:hear 'path'
		assert.are.equal('direct ' .. whole.direct_addresses[1], path.text)
		assert.is_true(path.peer == nil or path.peer == host.key)
		path = host:hear 'path'
		assert.matches('^direct 127.0.0.1:%d+$', path.text)
		assert.is_true(path.peer == nil or path.peer == guest.key)
		for process, peer in pairs { [host] = guest, [guest] = host } do
			local connections = process:ask({ ['do'] = 'status' }, 'status')
			assert.are.equal(1, #connections)
			assert.is_false(connections[1].relayed)
			assert.matches('^127.0.0.1:%d+$', connections[1].path)
			assert.are.equal(peer.key, connections[1].peer)
		end
		-- It is not needed any more.
		relay:kill()
		guest:ask({ ['do'] = 'put', n = 7 }, 'put')
		assert.are.equal(7, host:hear 'seen')
		guest:finish()
		host:finish()
	end)

	case('carries everything where no direct way leads', function()
		local relay = Relay.start {}
		local relays = { { url = relay.url } }
		local host, guest = open('127.0.0.1:0', relays), open('[::1]:0', relays)
		local address = by_relay(host)
		local db = host:ask({ ['do'] = 'create', writer = guest.key }, 'create')
		assert.are.equal(host.key, guest:ask({ ['do'] = 'join', address = address, db = db }, 'join'))
		guest:ask({ ['do'] = 'put', n = 7 }, 'put')
		assert.are.equal(7, host:hear 'seen')
		local connection = guest:ask({ ['do'] = 'status' }, 'status')[1]
		assert.is_true(connection.relayed)
		assert.are.equal(relay.url, connection.path)
		assert.are.equal(host.key, connection.peer)
		guest:finish()
		host:finish()
		relay:finish()
	end)

	case('that wants a token is told it, and nobody else is', function()
		local token, wrong = 'a-token-for-this-relay', 'another-token-than-that'
		local relay = Relay.start { token = token }
		local host = open('127.0.0.1:0', { { url = relay.url, auth_token = token } })
		local address = by_relay(host)
		local guest = open('[::1]:0', { { url = relay.url, auth_token = token } })
		assert.are.equal(host.key, guest:ask({ ['do'] = 'connect', address = address }, 'connect'))
		guest:finish()

		local stranger = open('[::1]:0', { { url = relay.url, auth_token = wrong } }, { dial = '2s' })
		local failed
		H.wait_for(function()
			failed = failure(stranger, address)
			return failed.message:find('refused our token', 1, true)
		end)
		assert.are.equal('timeout', failed.code)
		assert.matches('neither a direct path nor its relay leads there', failed.message, 1, true)
		stranger:finish()
		host:finish()
		relay:finish()
		for _, process in ipairs { host, guest, stranger } do
			assert.is_nil((process.out .. process.err):find(token, 1, true))
			assert.is_nil((process.out .. process.err):find(wrong, 1, true))
		end
	end)

	case('that is not there is named, and so is what else leads nowhere', function()
		local relay = Relay.start {}
		local host = open('127.0.0.1:0', { { url = relay.url } })
		local address, whole = by_relay(host)
		local guest = open('[::1]:0', { { url = 'http://127.0.0.1:9/' } }, { dial = '2s' })
		relay:kill()
		local failed
		H.wait_for(function()
			failed = failure(guest, address)
			return failed.message:find('no relay can be reached', 1, true)
		end)
		assert.are.equal('timeout', failed.code)

		failed = failure(guest, 'iroh:' .. json.encode { node_id = whole.node_id,
			direct_addresses = whole.direct_addresses })
		assert.are.equal('timeout', failed.code)
		assert.matches('no direct path leads there, and it names no relay', failed.message, 1, true)
		failed = failure(host, address)
		assert.are.equal('bad_address', failed.code)
		assert.matches('that address is this node itself', failed.message, 1, true)

		local without = open('[::1]:0', 'disabled', { dial = '2s' })
		failed = failure(without, 'iroh:' .. whole.node_id)
		assert.are.equal('connection_failed', failed.code)
		assert.matches('nothing tells where this endpoint id is', failed.message, 1, true)
		failed = failure(without, address)
		assert.are.equal('timeout', failed.code)
		assert.matches('relays are disabled here', failed.message, 1, true)
		without:finish()
		guest:finish()
		host:finish()
	end)
end)
