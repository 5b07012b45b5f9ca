-- Texts that people give: nothing is cut at a zero byte, what is malformed is told by an error that is
-- returned, and a value of another type raises.
local H = require 'spec.helper'
local uv = require 'luv'
local tl = require 'tidelock'

local SEED = ('s'):rep(32)
local ID = 'sha256:' .. ('0'):rep(64)
local KEY = tl.crypto.new_secret(SEED):public_key()
local ADDRESS = 'http:127.0.0.1:1'

local function refused(code, value, err)
	assert.is_nil(value)
	assert.are.equal('table', type(err))
	assert.are.equal(code, err.code)
	assert.is_true(#err.message > 10)
	return err
end

describe('texts', function()
	local node, sync, db, folder

	before_each(function()
		folder = H.folder()
		node = assert(tl.open { backend = tl.memory(), log_level = 'off' })
		sync = node:sync()
		assert(node:add_private_key('k', SEED))
		db = assert(node:new_database({ name = 'n' }, 'k'))
		assert(db:set_default_auth_key 'k')
	end)

	after_each(function()
		node:close(0)
		H.clean()
	end)

	-- Calls that hand a name, path or address to the library as a C string.
	local function named_calls(text)
		local plain = { path = folder .. '/x', backend = nil }
		local transport = assert(tl.transport.http())
		local calls = {
			{ 'open', tl.open, { path = folder .. '/' .. text } },
			{ 'open name', tl.open, { path = plain.path, name = text } },
			{ 'store.open', tl.store.open, { path = folder .. '/' .. text } },
			{ 'add_private_key', node.add_private_key, node, text },
			{ 'import_private_key', node.import_private_key, node, text, SEED },
			{ 'get_public_key', node.get_public_key, node, text },
			{ 'export_private_key', node.export_private_key, node, text },
			{ 'export_private_key_text', node.export_private_key_text, node, text },
			{ 'remove_private_key', node.remove_private_key, node, text },
			{ 'new_database', node.new_database, node, {}, text },
			{ 'find_database', node.find_database, node, text },
			{ 'backup', node.backup, node, folder .. '/' .. text },
			{ 'store backup', function() return node:store():backup(folder .. '/' .. text) end },
			{ 'register_peer', sync.register_peer, sync, KEY, text },
			{ 'get_peer_addresses', sync.get_peer_addresses, sync, KEY, text },
			{ 'start_server', sync.start_server, sync, text },
			{ 'start_server on', sync.start_server, sync, '127.0.0.1:0', { transport = text } },
			{ 'approve', sync.approve_bootstrap_request, sync, text, 'k' },
			{ 'reject', sync.reject_bootstrap_request, sync, 'id', text },
			{ 'request', sync.request_database_access, sync, ADDRESS, ID, text, 'read' },
			{ 'http', tl.transport.http, { ca = text } },
			{ 'serve', transport.serve, transport, text, print },
			{ 'request path', transport.request, transport, { address = ADDRESS, path = text } },
			{ 'request address', transport.request, transport, { address = text, path = '/' } },
		}
		for _, option in ipairs { 'certificate', 'key', 'ca', 'proxy' } do
			calls[#calls + 1] = { option, sync.enable_http_transport, sync, { [option] = text } }
		end
		return calls, transport
	end

	it('are refused with a zero byte where none can be', function()
		for _, text in ipairs { 'k\0', '\0', '127.0.0.1:0\0x', 'k\0k' } do
			local calls, transport = named_calls(text)
			for _, call in ipairs(calls) do
				local value, err = call[2](table.unpack(call, 3))
				assert.is_nil(value, call[1])
				assert.are.equal('bad_argument', err.code, call[1])
				assert.matches('zero byte', err.message, 1, true)
			end
			transport:close()
		end
		assert.are.same({ 'k' }, node:list_private_keys())
		assert.is_nil(uv.fs_scandir_next(assert(uv.fs_scandir(folder))))
	end)

	it('are no choice with a zero byte', function()
		assert.has_error(function() sync:update_peer_status(KEY, 'active\0') end)
		assert.has_error(function() tl.entry.parse('{}', 'foreign\0x') end)
		assert.has_error(function() tl.open { path = folder .. '/x', durability = 'full\0' } end)
		assert.has_error(function() tl.open { path = folder .. '/x', ['name\0'] = 'x' } end)
		assert.has_error(function() tl.sleep '1ms\0' end)
		assert.has_error(function() tl.log.level 'info\0' end)
		assert.has_error(function() sync:configure { max_response_bytes = '1MiB\0x' } end)
	end)

	it('count whole as passphrases', function()
		local path = folder .. '/sealed'
		local pass = 'ab\0' .. ('K'):rep(29)
		assert(tl.open { path = path, passphrase = pass, sync = false }):close()
		for _, other in ipairs { 'ab', 'ab\0', 'ab\0' .. ('X'):rep(29), pass .. '\0' } do
			refused('wrong_passphrase', tl.open { path = path, passphrase = other, sync = false })
		end
		assert(tl.open { path = path, passphrase = pass, sync = false }):close()
		local secret = assert(tl.crypto.new_secret(SEED))
		local sealed = assert(secret:seal(pass))
		refused('wrong_passphrase', tl.crypto.unseal(sealed, 'ab'))
		assert.are.equal(KEY, assert(tl.crypto.unseal(sealed, pass)):public_key())
	end)

	it('keep zero bytes where they are contents', function()
		assert(db:transact(function(tx)
			local store = tx:doc 'd'
			assert(store:set('a\0b', 'x\0y'))
			assert(store:set({ 'c', '\0' }, 1))
		end))
		assert.are.equal('x\0y', db:get_store 'd':get 'a\0b')
		assert.are.equal(1, db:get_store 'd':get { 'c', '\0' })
		local rows = assert(node:store():state(db:root_id(), 'd', 'a\0b'))
		assert.are.equal(1, #rows)
		assert.are.same({ 'a\0b' }, rows[1].path)
	end)

	it('are told whole as the reason of a hook', function()
		db:add_hook { before_commit = function() return nil, 'not\0today' end }
		local id, err = db:transact(function(tx) return tx:doc 'd':set('x', 1) end)
		assert.is_nil(id)
		assert.matches('not today', tostring(err), 1, true)
	end)

	local bad_keys = { '', 'x', 'ed25519:', KEY .. '\0', KEY .. 'A', KEY:upper(), ' ' .. KEY, KEY:sub(1, -2) }

	it('are told when they are no key', function()
		for _, bad in ipairs(bad_keys) do
			for _, name in ipairs {
				'register_peer', 'remove_peer', 'get_peer_info', 'get_peer_trees', 'get_peer_addresses',
				'discover_peer_trees', 'sync_tree_with_peer',
			} do
				refused('bad_key', sync[name](sync, bad))
			end
			for _, name in ipairs {
				'add_tree_sync', 'remove_tree_sync', 'is_tree_synced_with_peer', 'wait_until_synced',
			} do
				refused('bad_key', sync[name](sync, bad, ID))
			end
			refused('bad_key', sync:update_peer_status(bad, 'active'))
			refused('bad_key', sync:add_peer_address(bad, ADDRESS))
			refused('bad_key', sync:remove_peer_address(bad, ADDRESS))
			refused('bad_key', sync:connect_to_peer(ADDRESS, { key = bad }))
			refused('bad_key', sync:configure { accept_databases_from = { KEY, bad } })
			refused('bad_key', tl.open { path = folder .. '/x', accept_databases_from = { bad } })
			local state = sync:state()
			refused('bad_key', state:get_sync_cursor(bad, ID))
			refused('bad_key', state:get_sync_metadata(bad))
			refused('bad_key', state:get_sync_history(bad))
			refused('bad_key', db:find_sigkeys(bad))
			refused('bad_key', tl.crypto.verify(bad, 'x', ('s'):rep(64)))
			refused('bad_key', assert(db:get_entry(db:root_id())):verify(bad))
			refused('bad_key', tl.key.parse(bad))
			local tx <close> = assert(db:new_transaction())
			refused('bad_key', tx:settings():set_auth_key(bad, 'read', 'n'))
			local other <close> = assert(db:new_transaction())
			refused('bad_key', other:settings():add_auth_key(bad, 'read', 'n'))
		end
		assert.are.equal(KEY, tl.key.parse(KEY))
		refused('bad_signature', tl.crypto.verify(KEY, 'x', 'short'))
		refused('bad_key', tl.crypto.unseal('short', 'x'))
	end)

	it('are told when they are no id', function()
		for _, bad in ipairs { '', 'x', ID .. '\0', ID:upper(), ID .. '0', 'md5:' .. ('0'):rep(67), KEY } do
			refused('bad_id', node:load_database(bad))
			for _, name in ipairs {
				'add_tree_sync', 'remove_tree_sync', 'is_tree_synced_with_peer', 'wait_until_synced',
				'sync_tree_with_peer',
			} do
				refused('bad_id', sync[name](sync, KEY, bad))
			end
			refused('bad_id', sync:get_tree_peers(bad))
			refused('bad_id', sync:sync_with_peer(ADDRESS, bad))
			refused('bad_id', sync:request_database_access(ADDRESS, bad, 'k', 'read'))
			refused('bad_id', sync:state():get_sync_cursor(KEY, bad))
			refused('bad_id', db:has(bad))
			refused('bad_id', db:get_entry(bad))
			refused('bad_id', db:at { ID, bad })
			refused('bad_id', db:new_transaction { bad })
			local store = node:store()
			for _, name in ipairs { 'database', 'arrivals', 'tips', 'names' } do
				refused('bad_id', store[name](store, bad))
			end
			refused('bad_id', store:entries(db:root_id(), { bad }))
			refused('bad_id', store:aside(bad, 'pending'))
			refused('bad_id', store:state(bad, 'd'))
			local tx <close> = assert(db:new_transaction())
			refused('bad_id', tx:settings():add_delegated_tree('t', bad, 'read'))
			refused('bad_id', tx:settings():add_delegated_tree('t', ID, 'read', { tips = { bad } }))
			refused('bad_id', tl.id.parse(bad))
		end
		assert.are.equal(ID, tl.id.parse(ID))
	end)

	it('are told when they are no permission', function()
		for _, bad in ipairs { '', 'write', 'write:', 'write:-1', 'write:4294967296', 'owner:1', 'read\0' } do
			local tx <close> = assert(db:new_transaction())
			local settings = tx:settings()
			refused('bad_argument', settings:set_global(bad))
			refused('bad_argument', settings:set_auth_key(KEY, bad))
			refused('bad_argument', settings:add_auth_key(KEY, bad))
			refused('bad_argument', settings:add_delegated_tree('t', ID, bad))
			refused('bad_argument', settings:add_delegated_tree('t', ID, 'read', { min = bad }))
			refused('bad_argument', sync:request_database_access(ADDRESS, ID, 'k', bad))
		end
	end)

	it('of another type raise', function()
		for _, other in ipairs { 5, 1.5, {}, true, print } do
			for at, call in ipairs {
				function() return node:load_database(other) end,
				function() return sync:get_peer_info(other) end,
				function() return sync:add_peer_address(KEY, other) end,
				function() return sync:add_tree_sync(KEY, other) end,
				function() return sync:configure { accept_databases_from = { other } } end,
				function() return tl.key.parse(other) end,
				function() return tl.id.parse(other) end,
				function() return tl.address.parse(other) end,
				function() return db:at { other } end,
				function() return assert(db:new_transaction()):settings():set_global(other) end,
				function() return node:import_private_key('n', other) end,
				function() return tl.open { path = other } end,
			} do
				assert.is_false((pcall(call)), ('call %d with %s'):format(at, tostring(other)))
			end
		end
	end)

	it('carry private keys', function()
		local text = assert(node:export_private_key_text 'k')
		assert.matches('^ed25519%-seed:[%w+/]+=$', text)
		assert.are.equal(SEED, node:export_private_key 'k')
		local other <close> = assert(tl.open { backend = tl.memory() })
		assert.are.equal(KEY, other:import_private_key('mine', text))
		assert.are.equal(KEY, other:add_private_key('again', text))
		assert.are.equal(text, other:export_private_key_text 'mine')
		assert.are.equal(KEY, tl.crypto.new_secret(text):public_key())
		refused('key_not_found', node:export_private_key_text 'none')
		for _, bad in ipairs { '', 'x', text .. '\0', text:sub(2), text .. 'A', SEED .. 'x', SEED:sub(2) } do
			local err = refused('bad_key', other:import_private_key('bad', bad))
			assert.is_nil(err.message:find(text:sub(-20), 1, true))
			refused('bad_key', other:add_private_key('bad', bad))
			refused('bad_key', tl.crypto.new_secret(bad))
		end
		refused('bad_key', other:import_private_key('bad', text:sub(1, 20) .. '!' .. text:sub(22)))
	end)

	it('are refused as addresses that nobody can dial', function()
		local none, enabled = {}, { true }
		for _, way in ipairs { none, enabled } do
			if way[1] then assert(sync:enable_http_transport()) end
			sync:register_peer(KEY, 'p')
			for _, bad in ipairs {
				'', 'http:host', 'https:host', 'http://host', 'http:', 'host', 'host:', 'host:0', 'host:65536',
				'http:host:0', 'https:host:99999', ':80', 'host:80/x', 'host:80\0', 'http:host:port',
				'iroh:x', '{"node_id":"x"}', 'iroh://x', '{"node_id":"' .. ('a'):rep(64) .. '"',
			} do
				refused('bad_address', sync:add_peer_address(KEY, bad))
				refused('bad_address', sync:connect_to_peer(bad))
				refused('bad_address', sync:sync_with_peer(bad, ID))
				refused('bad_address', sync:request_database_access(bad, ID, 'k', 'read'))
				refused('bad_address', tl.address.parse(bad))
			end
			for _, bad in ipairs {
				'foo:bar', 'ftp://host', 'localhost:http', 'tcp:host:80', 'sim:x',
			} do
				local err = refused('unsupported_transport', sync:add_peer_address(KEY, bad))
				assert.matches('host:port', err.message, 1, true)
				refused('unsupported_transport', sync:connect_to_peer(bad))
				refused('unsupported_transport', sync:sync_with_peer(bad, ID))
				refused('unsupported_transport', tl.address.parse(bad))
			end
			assert.are.same({}, sync:get_peer_addresses(KEY))
			for _, good in ipairs { 'host:1', 'https:host:65535', 'http://host:2' } do
				assert(sync:add_peer_address(KEY, good))
				assert.is_true(sync:remove_peer_address(KEY, good))
			end
		end
	end)

	it('lead through no list to change an item', function()
		assert(db:transact(function(tx)
			assert(tx:doc 'd':set('items', tl.list { 'a', 'b' }))
			assert(tx:doc 'd':set('in', { deep = tl.list { { x = 1 } } }))
		end))
		for _, write in ipairs {
			function(s) return s:set('items.0', 'x') end,
			function(s) return s:set('items.7.y', 'x') end,
			function(s) return s:set({ 'items', '0' }, 'x') end,
			function(s) return s:set('in.deep.0.x', 2) end,
			function(s) return s:set_string('items.0', 'x') end,
			function(s) return s:set_node('items.0', {}) end,
			function(s) return s:set_list('items.0', tl.list {}) end,
			function(s) return s:merge('items.0', {}) end,
			function(s) return s:merge({ 'items', '0' }, {}) end,
			function(s) return s:delete 'items.0' end,
			function(s) return s:delete { 'items', '0' } end,
			function(s) return s:get_or_insert('items.5', 'x') end,
			function(s) return s:modify('items.0', function() return 'x' end) end,
			function(s) return s:modify_or_insert('items.5', 'x', function() return 'x' end) end,
		} do
			local tx <close> = assert(db:new_transaction())
			local good, message = pcall(write, tx:doc 'd')
			assert.is_false(good)
			assert.matches('get the list', tostring(message), 1, true)
		end
		local settings <close> = assert(db:new_transaction())
		assert(settings:settings():set('l', tl.list { 1 }))
		assert.has_error(function() settings:settings():set('l.0', 2) end)
		assert.are.same({ 'a', 'b' }, db:get_store 'd':get 'items':totable())
		assert.are.equal('b', db:get_store 'd':get 'items.1')
	end)
end)
