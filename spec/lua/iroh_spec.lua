-- Nodes over Iroh, on loopback without relays. Without the plugin every case is skipped, by name.
local H = require 'spec.helper'
local tl = require 'tidelock'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local file = io.open(PLUGIN)
if file then file:close() end

local function case(name, fn)
	if file then return it(name, fn) end
	print('skipped: ' .. name)
end

local OPTIONS = { relay_mode = 'disabled', lookup = 'none', bind = '127.0.0.1:0', plugin = PLUGIN }

local function serve(node)
	local sync = node:sync()
	assert(sync:enable_iroh_transport_with_config(tl.iroh_transport(OPTIONS)))
	assert(sync:start_server('', { transport = 'iroh' }))
	return sync, assert(sync:get_server_address())
end

local function open(options)
	options = options or {}
	options.backend = options.backend or not options.path and tl.memory() or nil
	local node = assert(tl.open(options))
	assert(node:add_private_key 'k')
	return node, serve(node)
end

describe('iroh', function()
	teardown(H.clean)

	case('keeps a database in step between two nodes, both ways', function()
		local a, sync_a, address_a = open { name = 'a' }
		local b, sync_b, address = open { name = 'b', accept_databases_from = { a:device_key() } }
		assert.matches('^iroh:{"direct_addresses":%["127.0.0.1:%d+"%],"node_id":"%x+"}$', address)
		assert.are.equal(address, tl.address.parse(address))
		local peer = assert(sync_a:connect_to_peer(address))
		assert.are.equal(b:device_key(), peer)
		assert.are.equal('v1', assert(sync_a:get_peer_info(peer)).protocol)
		assert.are.equal(peer, assert(sync_a:status()).connections[1].peer)
		local db = assert(a:new_database({ name = 'notes' }, 'k'))
		assert(sync_a:add_tree_sync(peer, db:root_id()))
		assert(db:transact(function(tx)
			assert(tx:settings():add_auth_key(b:get_public_key 'k', 'write:10'))
			tx:doc 'data':set('x', ('from a'):rep(50000))
		end))
		assert(sync_a:flush '60s')
		local copy = assert(b:load_database(db:root_id()))
		assert.are.equal(('from a'):rep(50000), copy:get_store 'data':get 'x')

		local seen = assert(sync_a:status()).connections
		assert.is_true(#seen >= 1)
		for _, connection in ipairs(seen) do
			assert.are.equal('iroh', connection.transport)
			assert.are.equal(peer, connection.peer)
			assert.are.equal(address:match '"node_id":"(%x+)"', connection.remote)
			assert.matches('^127.0.0.1:%d+$', connection.path)
			assert.is_false(connection.relayed)
			assert.is_true(connection.sent > 300000 and connection.received > 0 and connection.round_trip_ms > 0)
		end
		assert(sync_b:connect_to_peer(address_a))
		assert(sync_b:add_tree_sync(a:device_key(), db:root_id()))
		assert(copy:set_default_auth_key 'k')
		assert(copy:transact(function(tx) tx:doc 'data':set('y', 'from b') end))
		assert(sync_b:wait_until_synced(a:device_key(), db:root_id(), '60s'))
		assert.are.equal('from b', db:get_store 'data':get 'y')
		a:close(0)
		b:close(0)
	end)

	case('tells changes through a watch that is held', function()
		local a, _, address = open { name = 'a' }
		local b, sync_b = open { name = 'b' }
		local db = assert(a:new_database({ name = 'notes' }, 'k'))
		assert(db:transact(function(tx)
			assert(tx:settings():add_auth_key(b:get_public_key 'k', 'write:10'))
		end))
		local peer = assert(sync_b:sync_with_peer(address, db:root_id()))
		H.wait_for(function()
			for _, pair in ipairs(assert(sync_b:status()).pairs) do
				if pair.watched then return true end
			end
		end)
		assert(db:transact(function(tx) tx:doc 'data':set('n', '1') end))
		local copy = assert(b:load_database(db:root_id()))
		H.wait_for(function() return copy:get_store 'data':get 'n' == '1' end)
		assert.are.equal(a:device_key(), peer)
		a:close(0)
		b:close(0)
	end)

	case('keeps the endpoint and its id, sealed like other keys', function()
		local folder = H.folder()
		local function id(passphrase)
			local node = assert(tl.open { path = folder, passphrase = passphrase })
			local _, address = serve(node)
			assert.are.same({}, node:list_private_keys())
			local removed, err = node:remove_private_key '_iroh_endpoint_key'
			assert.is_nil(removed)
			assert.are.equal('bad_argument', err.code)
			assert.is_nil(node:add_private_key '_iroh_endpoint_key')
			node:close(0)
			return address:match '"node_id":"(%x+)"'
		end
		local first = id 'secret'
		assert.are.equal(64, #first)
		assert.are.equal(first, id 'secret')
	end)

	-- The scripts of the page, kept on this machine.
	case('joins two processes as the page about NAT says', function()
		local folder, scripts = H.folder(), {}
		local page <close> = assert(io.open 'examples/guide/peers-behind-nat.md')
		for text in page:read 'a':gmatch '```lua\n(.-)```' do
			local count
			text, count = text:gsub('enable_iroh_transport%(%)', ([[enable_iroh_transport {
				relay_mode = 'disabled', bind = '127.0.0.1:0', plugin = %q }]]):format(PLUGIN))
			assert.are.equal(1, count)
			scripts[#scripts + 1] = ('%s/%d.lua'):format(folder, #scripts)
			H.write(scripts[#scripts], (text:gsub("path = '(%a+)'", ("path = '%s/%%1'"):format(folder))))
		end
		local _, said = H.run('init', '--json', '-d', folder .. '/guest')
		local host = H.start({}, 'run', scripts[1], tl.json.decode(said).device_key)
		H.wait_for(function() return host.out:find '\n' or host.status end)
		local address, id = host.out:match '^(%S+) (%S+)\n'
		assert.is_string(address, host.err)
		local status, out, err = H.run('run', scripts[2], address, id)
		assert.are.equal('from behind a NAT\n', out)
		assert.matches('^directly at 127.0.0.1:%d+\n$', err)
		assert.are.equal(0, status)
		host:kill 'sigterm'
		assert.are.equal(128 + 15, (host:wait()))
	end)

	case('is joined from the command line', function()
		-- The program finds its plugin beside itself.
		if not require 'luv'.fs_stat(H.build .. '/libtidelock_iroh.so') then
			return print 'skipped: is joined from the command line'
		end
		local host, folder = open { name = 'host' }, H.folder()
		local db = assert(host:new_database({ name = 'notes' }, 'k'))
		local text = assert(host:sync():share(db:root_id(), { permission = 'write:10' }))
		local function join(...)
			return H.start({}, 'join', '-d', folder .. '/guest', '--init', '--transport', 'iroh', text, ...):wait()
		end
		for _, wrong in ipairs { { '--relay', 'sometimes' }, { '--relay', 'ftp://x' }, { '--lookup', 'x' } } do
			local status, _, err = join(table.unpack(wrong))
			assert.are.equal(1, status)
			assert.matches('bad_argument', err)
		end
		local status, out, err = join('--relay', 'disabled', '--lookup', 'none')
		assert.are.equal(0, status, err)
		assert.are.equal(db:root_id() .. '\n', out)
		host:close(0)
	end)

	case('has the calls of the guide', function()
		local node <close> = assert(tl.open { backend = tl.memory() })
		local sync = node:sync()
		assert(sync:enable_iroh_transport_with_config(tl.iroh_transport(OPTIONS)))
		assert(sync:start_server('ignored', { transport = 'iroh' }))
		local address = assert(sync:get_server_address())
		local text = address:match '^iroh:(.*)'
		local json = tl.json.decode(text)
		assert.are.equal(1, #json.direct_addresses)
		for _, form in ipairs { text, json.node_id, 'iroh://' .. json.node_id } do
			assert.are.equal('iroh:' .. form, assert(tl.address.iroh(form)))
		end
		assert.is_true(sync:is_server_running())
		assert(sync:stop_server())
		assert.is_false(sync:is_server_running())
	end)

	case('refuses settings that make no sense', function()
		local node <close> = assert(tl.open { backend = tl.memory() })
		local sync = node:sync()
		for _, bad in ipairs {
			{ relay_mode = 'sometimes' }, { lookup = 'google' }, { bind = 'nowhere' }, { relay_mode = {} },
			{ relay_mode = { { url = 'ftp://x' } } }, { relay_mode = { { quic_port = 1 } } },
			{ relay_mode = { { url = 'https://r.org', root = '/nowhere' } } },
		} do
			bad.plugin = PLUGIN
			local made, err = sync:enable_iroh_transport(bad)
			assert.is_nil(made)
			assert.are.equal('bad_argument', err.code)
		end
		assert.has_error(function() sync:enable_iroh_transport { relays = {} } end)
		local made, err = sync:enable_iroh_transport { plugin = '/nowhere/plugin.so' }
		assert.is_nil(made)
		assert.are.equal('unsupported_transport', err.code)
		assert.matches('/nowhere/plugin.so', err.message, 1, true)
		assert(sync:enable_iroh_transport(OPTIONS))
		made, err = sync:enable_iroh_transport(OPTIONS)
		assert.is_nil(made)
		assert.are.equal('server_already_running', err.code)
	end)
end)

describe('addresses of iroh', function()
	it('can be recorded before the transport is there', function()
		local node <close> = assert(tl.open { backend = tl.memory() })
		local sync = node:sync()
		local id = ('ab'):rep(32)
		assert(sync:register_peer(node:add_private_key 'p', 'p'))
		for _, text in ipairs {
			id, 'iroh://' .. id, 'iroh://' .. id .. '@relay.example.org',
			'{"node_id":"' .. id .. '","direct_addresses":["127.0.0.1:9"]}',
		} do
			local address = assert(tl.address.iroh(text))
			assert.are.equal(address, assert(tl.address.parse(text)))
			assert(sync:add_peer_address(node:get_public_key 'p', text))
			assert.is_true(sync:remove_peer_address(node:get_public_key 'p', address))
		end
		local none, err = tl.address.iroh 'abc'
		assert.is_nil(none)
		assert.are.equal('bad_address', err.code)
	end)
end)
