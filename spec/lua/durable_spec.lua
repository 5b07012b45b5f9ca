-- What a call answered is not lost, whatever happens right behind the answer: the process is ended by
-- SIGKILL as soon as the call returns, and another one looks.
local H = require 'spec.helper'
local tl = require 'tidelock'

local SCRIPT = [[
local tl = require 'tidelock'
local node = assert(tl.open { path = arg[1], name = 'one' })
local sync = node:sync()
assert(sync:enable_http_transport())
local KEY, address, db = arg[2], arg[3], arg[4]
%s
tl.loop.kill(tl.loop.os_getpid(), 'sigkill')
]]

local hub, hub_sync, address, db, stranger

local function run(path, work)
	local file = H.write(H.folder() .. '/work.lua', SCRIPT:format(work))
	local process = H.start({}, 'run', file, path, stranger, address, db:root_id())
	local status, _, err = process:wait()
	assert.are.equal(137, status, err) -- ended by itself, no sooner
end

local function open(path)
	local node = assert(tl.open { path = path })
	assert(node:sync():enable_http_transport())
	return node, node:sync()
end

local function info(sync)
	return assert(sync:get_peer_info(stranger))
end

local REGISTER = 'assert(sync:register_peer(KEY))'
local WITH_ADDRESS = REGISTER .. " assert(sync:add_peer_address(KEY, 'http:127.0.0.1:9'))"
local RELATED = REGISTER .. ' assert(sync:add_tree_sync(KEY, db))'

-- name, what is done last, and what must be true then.
local CALLS = {
	{ 'register_peer', REGISTER, function(sync) info(sync) end },
	{ 'rename_peer', REGISTER .. " assert(sync:rename_peer(KEY, 'mine'))",
		function(sync) assert.are.equal('mine', info(sync).display_name) end },
	{ 'update_peer_status', REGISTER .. " assert(sync:update_peer_status(KEY, 'inactive'))",
		function(sync) assert.are.equal('inactive', info(sync).status) end },
	{ 'update_peer_status of a stranger', "assert(sync:update_peer_status(KEY, 'blocked'))",
		function(sync) assert.are.equal('blocked', info(sync).status) end },
	{ 'add_peer_address', WITH_ADDRESS,
		function(sync) assert.are.same({ 'http:127.0.0.1:9' }, sync:get_peer_addresses(stranger)) end },
	{ 'remove_peer_address', WITH_ADDRESS .. " assert(sync:remove_peer_address(KEY, 'http:127.0.0.1:9'))",
		function(sync) assert.are.same({}, sync:get_peer_addresses(stranger)) end },
	{ 'remove_peer', RELATED .. ' assert(sync:remove_peer(KEY))',
		function(sync) assert.are.same({}, sync:list_peers()) end },
	{ 'add_tree_sync', RELATED,
		function(sync) assert.are.same({ db:root_id() }, sync:get_peer_trees(stranger)) end },
	{ 'remove_tree_sync', RELATED .. ' assert(sync:remove_tree_sync(KEY, db))',
		function(sync) assert.are.same({}, sync:get_peer_trees(stranger)) end },
	{ 'connect_to_peer', 'assert(sync:connect_to_peer(address))', function(sync)
		assert.are.same({ address }, sync:get_peer_addresses(hub:device_key()))
	end },
	{ 'sync_with_peer', 'assert(sync:sync_with_peer(address, db))', function(sync, node)
		assert.is_true(sync:is_tree_synced_with_peer(hub:device_key(), db:root_id()))
		assert.are.equal('public', assert(node:load_database(db:root_id())):get_store 'data':get 'x')
	end },
	{ 'cleanup_old_history', "assert(sync:sync_with_peer(address, db)) tl.sleep '1s'\n"
		.. "assert(assert(sync:cleanup_old_history(0)) > 0)",
		function(sync) assert.are.same({}, sync:state():get_sync_history(hub:device_key())) end },
	{ 'add_private_key', "assert(node:add_private_key 'k')",
		function(_, node) assert.is_string(node:get_public_key 'k') end },
	{ 'remove_private_key', "assert(node:add_private_key 'k') assert(node:remove_private_key 'k')",
		function(_, node) assert.is_nil((node:get_public_key 'k')) end },
	{ 'new_database', "assert(node:add_private_key 'k') assert(node:new_database({ name = 'mine' }, 'k'))",
		function(_, node) assert.is_truthy(node:find_database 'mine') end },
	{ 'commit', [[
		assert(node:add_private_key 'k')
		local mine = assert(node:new_database({ name = 'mine' }, 'k'))
		assert(mine:transact(function(tx) tx:doc 'data':set('x', 1) end))]],
		function(_, node) assert.are.equal(1, node:find_database 'mine':get_store 'data':get 'x') end },
}

describe('what a call answered', function()
	setup(function()
		hub = assert(tl.open { backend = tl.memory() })
		hub_sync = hub:sync()
		assert(hub_sync:enable_http_transport())
		assert(hub_sync:start_server '127.0.0.1:0')
		address = hub_sync:get_server_address()
		stranger = tl.crypto.new_secret():public_key()
		assert(hub:add_private_key 'k')
		db = assert(hub:new_database({ name = 'public' }, 'k'))
		db:set_default_auth_key 'k'
		assert(db:transact(function(tx)
			assert(tx:settings():set_global 'read')
			tx:doc 'data':set('x', 'public')
		end))
	end)
	teardown(function()
		hub:close(0)
		H.clean()
	end)

	for _, call in ipairs(CALLS) do
		it(('outlives SIGKILL: %s'):format(call[1]), function()
			local path = H.folder() .. '/node'
			run(path, call[2])
			local node, sync = open(path)
			call[3](sync, node)
			node:close(0)
		end)
	end
end)

-- An owner in a process of its own, who decides and is gone; then it is asked again.
local OWNER = [[
assert(sync:start_server(arg[3]))
if not node:get_public_key 'k' then assert(node:add_private_key 'k') end
local mine = node:find_database 'mine' or assert(node:new_database({ name = 'mine' }, 'k'))
print(mine:root_id(), sync:get_server_address())
io.stdout:flush()
%s
]]

describe('what an owner decided', function()
	local guest, guest_sync, path

	before_each(function()
		guest, guest_sync = open(H.folder() .. '/guest')
		assert(guest:add_private_key 'me')
		path = H.folder() .. '/owner'
	end)
	after_each(function()
		guest:close(0)
		H.clean()
	end)

	local function start(work)
		local file = H.write(H.folder() .. '/owner.lua', SCRIPT:format(OWNER:format(work)))
		local process = H.start({}, 'run', file, path, 'none', '127.0.0.1:0')
		H.wait_for(function() return process.out:find '\n' or process.status end)
		assert.is_nil(process.status, process.err)
		return process, process.out:match '^(%S+)\t(%S+)\n'
	end

	local DECIDE = [[
		local request
		while not request do
			request = assert(sync:pending_bootstrap_requests())[1]
			tl.sleep '5ms'
		end
		assert(sync:%s_bootstrap_request(request.request_id, 'k'))]]

	-- What the guest is told behind the death of the owner.
	local function decided(how)
		local process, id, at = start(DECIDE:format(how))
		local asked = assert(guest_sync:request_database_access(at, id, 'me', 'read'))
		assert.are.equal('pending', asked.status)
		assert.are.equal(137, (process:wait()))
		process, id, at = start "tl.sleep '10m'"
		local again = assert(guest_sync:request_database_access(at, id, 'me', 'read'))
		process:kill 'sigkill'
		process:wait()
		return again, asked
	end

	it('outlives SIGKILL: a rejection', function()
		assert.are.equal('refused', decided 'reject'.status)
		local node, sync = open(path)
		assert.are.equal('rejected', assert(sync:rejected_bootstrap_requests())[1].status)
		assert.are.same({}, sync:pending_bootstrap_requests())
		node:close(0)
	end)

	it('outlives SIGKILL: an approval', function()
		assert.are.equal('granted', decided 'approve'.status)
		local node, sync = open(path)
		assert.are.equal('approved', assert(sync:approved_bootstrap_requests())[1].status)
		assert.are.same({}, sync:pending_bootstrap_requests())
		node:close(0)
	end)

	it('outlives SIGKILL: that a request waits for him', function()
		local process, id, at = start "tl.sleep '10m'"
		local asked = assert(guest_sync:request_database_access(at, id, 'me', 'read'))
		process:kill 'sigkill'
		process:wait()
		local node, sync = open(path)
		assert.are.equal(asked.request_id, assert(sync:pending_bootstrap_requests())[1].request_id)
		node:close(0)
	end)
end)

-- Through the control socket: the command is answered, then its owner is killed.
describe('what an owner answered a command', function()
	teardown(H.clean)

	it('outlives SIGKILL', function()
		local path = H.folder() .. '/owner'
		local file = H.write(H.folder() .. '/owner.lua', [[
			local tl = require 'tidelock'
			local node = assert(tl.open { path = arg[1] })
			if not node:get_public_key 'default' then assert(node:add_private_key 'default') end
			print 'ready'
			io.stdout:flush()
			tl.sleep '10m']])
		local owner
		local function start()
			owner = H.start({}, 'run', file, path)
			H.wait_for(function() return owner.out:find 'ready' or owner.status end)
			assert.is_nil(owner.status, owner.err)
		end
		local exported = H.folder() .. '/entries'
		for _, call in ipairs {
			{ { 'db', 'create', 'notes' }, { 'db', 'list' }, 'notes' },
			{ { 'db', 'set', 'notes', 'data', 'x', 'first' }, { 'db', 'get', 'notes', 'data', 'x' }, 'first' },
			{ { 'row', 'set', 'notes', 'rows', 'r', '{"n":1}' }, { 'row', 'get', 'notes', 'rows', 'r' }, '"n": ?1' },
			{ { 'row', 'delete', 'notes', 'rows', 'r' }, { 'row', 'list', 'notes', 'rows' }, '^$' },
		} do
			start()
			local status, _, err = H.run(call[1][1], call[1][2], '-d', path, table.unpack(call[1], 3))
			assert.are.equal(0, status, err)
			owner:kill 'sigkill'
			owner:wait()
			local _, out = H.run(call[2][1], call[2][2], '-d', path, table.unpack(call[2], 3))
			assert.is_truthy(out:find(call[3]), table.concat(call[1], ' '))
		end
		assert.are.equal(0, (H.run('db', 'export', '-d', path, 'notes', exported)))
		path = H.folder() .. '/other'
		start()
		assert.are.equal(0, (H.run('db', 'import', '-d', path, exported)))
		owner:kill 'sigkill'
		owner:wait()
		local _, out = H.run('db', 'get', '-d', path, 'notes', 'data', 'x')
		assert.are.equal('first\n', out)
	end)
end)
