-- Shares between real nodes: one text lets one other node in. What the core does: spec/c/sync_share_spec.c.
local H = require 'spec.helper'
local tl = require 'tidelock'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local IROH = { relay_mode = 'disabled', lookup = 'none', bind = '127.0.0.1:0', plugin = PLUGIN }

local function enable(sync, transport)
	if transport == 'iroh' then
		return assert(sync:enable_iroh_transport(IROH))
	end
	return assert(sync:enable_http_transport())
end

local function open(name, transport, path)
	local node = assert(tl.open { backend = not path and tl.memory() or nil, path = path, name = name })
	enable(node:sync(), transport)
	return node, node:sync()
end

local function owner(transport, path)
	local node, sync = open('owner', transport, path)
	assert(node:add_private_key 'owner')
	assert(sync:start_server('127.0.0.1:0', { transport = transport or 'http' }))
	local db = assert(node:new_database({ name = 'notes' }, 'owner'))
	assert(db:set_default_auth_key 'owner')
	assert(db:transact(function(tx) tx:doc 'data':set('x', 'from the owner') end))
	return node, sync, db
end

local function close(...)
	for _, node in ipairs { ... } do node:close(0) end
end

local function code_of(result, err)
	assert.is_nil(result)
	return err.code
end

local function joins(transport)
	local a, share, db = owner(transport)
	local text, id = assert(share:share(db:root_id(), { permission = 'write:10', expires = '1d' }))
	assert.matches('^tidelock://share/1/[%w_-]+$', text)
	local b, sync = open('b', transport)
	assert.are.equal(db:root_id(), assert(sync:join(text)))
	local copy = assert(b:load_database(db:root_id()))
	assert.are.equal('from the owner', copy:get_store 'data':get 'x')
	assert(copy:set_default_auth_key 'default')
	assert(copy:transact(function(tx) tx:doc 'data':set('y', 'from b') end))
	assert(sync:flush '60s')
	assert.are.equal('from b', db:get_store 'data':get 'y')
	assert.are.equal(db:root_id(), assert(sync:join(text)))
	local c, other = open('c', transport)
	assert.are.equal('share_used', code_of(other:join(text)))
	assert.is_nil(c:load_database(db:root_id()))
	local listed = assert(share:shares())
	assert.are.equal(1, #listed)
	assert.are.equal('used', listed[1].state)
	assert.are.equal(id, listed[1].id)
	assert.are.equal(b:get_public_key 'default', listed[1].used_by)
	close(a, b, c)
end

describe('a share', function()
	teardown(H.clean)

	it('lets one other node in', function() joins 'http' end)

	local file = io.open(PLUGIN)
	if file then
		file:close()
		it('does over Iroh, too', function() joins 'iroh' end)
	else
		print('skipped: a share does over Iroh, too')
	end

	it('expires, and can be taken back', function()
		local a, share, db = owner()
		local b, sync = open 'b'
		local short = assert(share:share(db:root_id(), { expires = '10ms' }))
		H.wait_for(function() return share:shares()[1].state == 'expired' end)
		local text, id = assert(share:share(db:root_id()))
		assert.are.equal('share_expired', code_of(sync:join(short)))
		assert.is_true(share:revoke_share(id))
		assert.are.equal('share_not_found', code_of(sync:join(text)))
		assert.are.equal('share_not_found', code_of(share:revoke_share(id)))
		assert.are.equal('own_share', code_of(share:join(text)))
		assert.is_nil(b:load_database(db:root_id()))
		close(a, b)
	end)

	it('is refused when its text is damaged', function()
		local a, share, db = owner()
		local b, sync = open 'b'
		local text = assert(share:share(db:root_id(), { permission = 'write:10' }))
		math.randomseed(7)
		for _ = 1, 200 do
			local at = math.random(1, #text)
			local letter = string.char(math.random(32, 126))
			local damaged = text:sub(1, at - 1) .. letter .. text:sub(at + 1)
			if damaged ~= text then
				local result, err = sync:join(damaged)
				assert.is_nil(result)
				assert.is_true(err.code == 'bad_share' or err.code == 'unsupported', err.code)
				assert.is_nil(err.message:find(text:sub(60, 80), 1, true))
			end
		end
		for length = 0, #text - 1, 7 do
			assert.are.equal('bad_share', code_of(sync:join(text:sub(1, length))))
		end
		assert.are.equal('bad_share', code_of(sync:join(text .. ('A'):rep(5000))))
		assert.are.equal('bad_share', code_of(sync:join(' ' .. text)))
		assert.are.equal('unsupported', code_of(sync:join((text:gsub('/1/', '/7/')))))
		assert.are.equal('open', share:shares()[1].state)
		assert(sync:join(text))
		close(a, b)
	end)

	it('needs somewhere to come to, and somebody who may give', function()
		local a, share, db = owner()
		local id = db:root_id()
		assert(a:add_private_key 'weak')
		assert(db:transact(function(tx)
			assert(tx:settings():add_auth_key(a:get_public_key 'weak', 'write:10'))
		end))
		assert.are.equal('insufficient_permissions', code_of(share:share(id, { key = 'weak' })))
		assert.are.equal('key_not_found', code_of(share:share(id, { key = 'none' })))
		assert.are.equal('database_not_found', code_of(share:share('sha256:' .. ('0'):rep(64))))
		assert.has_error(function() share:share(id, { permision = 'read' }) end)
		assert.has_error(function() share:share(id, { expires = 0 }) end)
		assert.are.equal('bad_argument', code_of(share:share(id, { expires = '31d' })))
		for _, wrong in ipairs { '', 'nowhere', 'other:\xff', 'http:\0' } do
			assert.are.equal('bad_address', code_of(share:share(id, { addresses = { '127.0.0.1:1', wrong } })))
		end
		local many = {}
		for at = 1, 17 do many[at] = '127.0.0.1:' .. at end
		assert.are.equal('bad_argument', code_of(share:share(id, { addresses = many })))
		assert.are.same({}, share:shares())
		local text = assert(share:share(id, { addresses = { 'http:192.0.2.7:8080', share:get_server_address() } }))
		assert(share:stop_server())
		assert.are.equal('server_not_running', code_of(share:share(id)))
		assert.is_string(share:share(id, { addresses = { '192.0.2.7:8080' } }))
		assert.is_string(text)
		close(a)
	end)

	it('names a node that is tried at each address, and no other', function()
		local a, share, db = owner()
		local other, liar = open 'other'
		assert(liar:start_server '127.0.0.1:0')
		local text = assert(share:share(db:root_id(), {
			addresses = { '127.0.0.1:1', liar:get_server_address(), share:get_server_address() },
		}))
		local b, sync = open 'b'
		assert.are.equal(db:root_id(), assert(sync:join(text, { key = nil })))
		assert.are.same({ a:device_key() }, sync:list_peers())
		local wrong = assert(share:share(db:root_id(), { addresses = { liar:get_server_address() } }))
		local c, late = open 'c'
		assert.are.equal('key_mismatch', code_of(late:join(wrong)))
		assert.are.equal(0, #liar:list_peers { inbound = true })
		close(a, other, b, c)
	end)

	it('lets nobody else in, whenever its node is killed', function()
		local folder, port = H.folder(), H.free_port()
		local script = H.write(folder .. '/owner.lua', ([[
			local tl = require 'tidelock'
			local node = assert(tl.open { path = %q })
			local sync = node:sync()
			assert(sync:enable_http_transport())
			assert(sync:start_server '127.0.0.1:%d')
			if not node:get_public_key 'owner' then assert(node:add_private_key 'owner') end
			local db = node:find_database 'notes' or assert(node:new_database({ name = 'notes' }, 'owner'))
			print(assert(sync:share(db:root_id(), { permission = 'write:10' })))
			io.stdout:flush()
			tl.sleep '1h'
		]]):format(folder .. '/data', port))
		local function start()
			local process = H.start({}, 'run', script)
			H.wait_for(function() return process.out:find '\n' or process.status end)
			return process, assert(process.out:match '^(%S+)\t', process.err)
		end
		local function kill(process)
			process:kill 'sigkill'
			process:wait()
		end
		local joined = {}
		for round = 1, 20 do
			local process, text = start()
			local first, sync = open('first' .. round)
			local timer
			if round % 2 == 0 then
				timer = tl.loop.new_timer()
				timer:start(round, 0, function() process:kill 'sigkill' end)
			end
			local id, err = sync:join(text)
			assert.is_true(round % 2 == 0 or id ~= nil, tostring(err))
			if timer then timer:close() end
			kill(process)
			process = start()
			assert(sync:join(text))
			local second, late = open('second' .. round)
			assert.are.equal('share_used', code_of(late:join(text)))
			joined[#joined + 1] = first:get_public_key 'default'
			close(first, second)
			kill(process)
		end
		local node <close> = assert(tl.open { path = folder .. '/data' })
		local keys = assert(assert(node:find_database 'notes'):get_settings()):list_auth_keys()
		assert.are.equal(#joined + 1, #keys)
		for _, share in ipairs(assert(node:sync():shares())) do
			assert.are_not.equal('expired', share.state)
		end
	end)
end)
