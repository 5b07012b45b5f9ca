-- A node and somebody else's Iroh: npm's `@number0/iroh`, with messages made from the texts by
-- spec/iroh/peer.js. What that needs is installed on demand; without it (node ≥ 20, npm, its registry) each
-- case is skipped, by name.
local H = require 'spec.helper'
local tl = require 'tidelock'
local Led = dofile 'spec/iroh/led.lua'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local MODULES = 'build/iroh-npm/node_modules'

local function is_there()
	local file <close> = io.open(PLUGIN)
	if not file then return false, 'no plugin' end
	local pipe = assert(io.popen 'spec/iroh/npm build 2>&1')
	local why = pipe:read 'a'
	return pipe:close() == true, (why:gsub('\n.*', ''))
end

local there, why = is_there()

local function case(name, fn)
	if there then return it(name, fn) end
	print(('skipped: %s (%s)'):format(name, why))
end

local function other(protocol)
	local process = Led.start('node', { '--no-deprecation', 'spec/iroh/peer.js', protocol or 'tidelock/1' },
		{ NODE_PATH = MODULES })
	local ready = process:hear 'ready'
	local address = 'iroh:' .. tl.json.encode { node_id = ready.id, direct_addresses = tl.list(ready.direct) }
	return process, ready, address
end

local function open()
	local node = assert(tl.open { backend = tl.memory(), name = 'ours' })
	local sync = node:sync()
	assert(sync:enable_iroh_transport {
		relay_mode = 'disabled', lookup = 'none', bind = '127.0.0.1:0', plugin = PLUGIN,
	})
	assert(sync:start_server('', { transport = 'iroh' }))
	local at = tl.json.decode((assert(sync:get_server_address()):gsub('^iroh:', '')))
	return node, sync, { id = at.node_id, direct = at.direct_addresses }
end

--- What `process` gets for asking the node at `at`.
local function ask(process, at, more, name)
	more.id, more.direct = at.id, at.direct
	return process:ask(more, name)
end

describe('an independent Iroh', function()
	teardown(H.clean)

	case('is told who is here, and that it is known', function()
		local node, sync, at = open()
		local process, ready = other()
		for _, to in ipairs { false, node:device_key() } do
			process:say { id = at.id, direct = at.direct, to = to or nil }
			local meant, answer = process:hear 'meant'
			assert.is_true(meant)
			assert.is_true(answer.verified)
			assert.are.equal('application/tidelock', answer.type)
			assert.are.equal('ok', answer.header.status)
			assert.are.equal(node:device_key(), answer.header.args.key)
			assert.are.equal('ours', answer.header.args.name)
			assert.are.equal(('iroh:%s:%s'):format(ready.id, at.id), answer.header.channel)
		end
		local known = assert(sync:status()).inbound
		assert.are.equal(1, #known)
		assert.are.equal(ready.key, known[1].pubkey)
		assert.are.equal('another', known[1].said_name)
		process:finish()
		node:close(0)
	end)

	case('is refused where it means another channel, another node or nothing', function()
		local node, _, at = open()
		local process, ready = other()
		local turned = ('iroh:%s:%s'):format(at.id, ready.id)
		process:say { id = at.id, direct = at.direct, to = node:device_key(), channel = turned }
		local verified, answer = process:hear 'verified'
		assert.is_true(verified)
		assert.are.equal('channel_mismatch', answer.header.status)
		local text = ask(process, at, { to = ready.key }, 'text')
		assert.are.equal('\0\0\0\0wrong_recipient', text)
		for _, bytes in ipairs { '', 'nonsense', '\1x\0more' } do
			assert.are.equal('\1\u{90}\0', ask(process, at, { bytes = bytes }, 'text')) -- 400
		end
		local refusal = ask(process, at, { protocol = 'spec/9' }, 'error')
		assert.matches('120', refusal) -- the alert of TLS: no such protocol
		process:finish()
		node:close(0)
	end)

	case('is dialled, and shows whose key it has', function()
		for _, pinned in ipairs { false, true } do
			local node, sync, at = open()
			local process, ready, address = other()
			assert.are.equal(ready.key, assert(sync:connect_to_peer(address, pinned and { key = ready.key } or nil)))
			local asked = process:hear 'asked'
			-- The channel proves who answers, so one hello is enough also where nobody's key is known.
			assert.are.equal(pinned and ready.key or tl.null, asked.header.to)
			assert.is_true(asked.verified)
			assert.is_true(asked.channel)
			assert.are.equal('/tidelock/v1/hello', asked.path)
			assert.are.equal(node:device_key(), asked.header.from)
			assert.are.equal(at.id, tl.json.decode(asked.header.args.addresses[1].address).node_id)
			local info = assert(sync:get_peer_info(ready.key))
			assert.are.equal('v1', info.protocol)
			local connection = assert(sync:status()).connections[1]
			assert.are.equal(ready.key, connection.peer)
			assert.are.equal(ready.id, connection.remote)
			assert.are.equal(ready.direct[1], connection.path)
			process:finish()
			node:close(0)
		end
	end)

	case('is no peer with another key or another protocol', function()
		local node, sync = open()
		local process, _, address = other()
		assert(node:add_private_key 'k')
		local peer, err = sync:connect_to_peer(address, { key = node:get_public_key 'k' })
		assert.is_nil(peer)
		assert.are.equal('key_mismatch', err.code)
		process:finish()
		process, _, address = other 'spec/9'
		peer, err = sync:connect_to_peer(address)
		assert.is_nil(peer)
		assert.are.equal('protocol_mismatch', err.code)
		assert.matches('ALPN', err.message)
		process:finish()
		node:close(0)
	end)
end)
