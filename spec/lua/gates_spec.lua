-- Hook files in nodes that run: asked before something is written, whoever writes it.
local H = require 'spec.helper'
local tl = require 'tidelock'

local HOOK = 'local hook = {}\n'

local function open(options)
	options = options or {}
	options.backend = options.path == nil and tl.memory() or nil
	local node = assert(tl.open(options))
	assert(node:add_private_key 'me')
	return node
end

local function new(node, name)
	return assert(node:new_database({ name = name }, 'me'))
end

-- true, or the sentence that the hook gives and the error.
local function write(db, key, value, store)
	local done, err = db:transact(function(tx) tx:doc(store or 'data'):set(key, value) end)
	if done then
		return true
	end
	assert.are.equal('hook_failed', err.code)
	return err.cause.message, err
end

local function file_of(text)
	return H.write(H.folder() .. '/hook.lua', text)
end

-- A node with this hook, a database, and the hook's handle.
local function with(text, name)
	local node = open()
	local db = new(node, name or 'notes')
	return node, db, assert(node:load_hook(file_of(text)))
end

describe('a hook file', function()
	teardown(H.clean)

	it('is asked when somebody comes with a share', function()
		local node <close>, db, script = with [[
			return { before_commit = function(ctx)
				for _, change in ipairs(ctx.changes) do
					if change.store == '_settings' then return nil, 'nobody is let in' end
				end
			end }]]
		local sync = node:sync()
		node:add_hook { before_commit = function() error 'on a thread of its own' end }
		assert(sync:enable_http_transport())
		assert(sync:start_server '127.0.0.1:0')
		local text = assert(sync:share(db:root_id(), { permission = 'write:10' }))
		local guest <close> = assert(tl.open { backend = tl.memory() })
		assert(guest:sync():enable_http_transport())
		local none, err = guest:sync():join(text)
		assert.is_nil(none)
		assert.are.equal('not_permitted', err.code)
		assert.are.equal(1, script:status().calls)
		assert(script:unload())
		assert.are.equal(db:root_id(), assert(guest:sync():join(text)))
	end)

	it('lets pass or refuses, with its reason', function()
		for answer, said in pairs {
			[''] = true, ['return'] = true, ['return nil'] = true, ['return true'] = true, ['return nil, nil'] = true,
			['return false'] = 'the hook at hook.lua:1 says no and gives no reason',
			['return nil, "too much"'] = 'too much', ['return false, "too much"'] = 'too much',
			['return nil, ""'] = 'the hook at hook.lua:1 says no and gives no reason',
			['return nil, ("é"):rep(150)'] = ('é'):rep(100),
		} do
			local node <close>, db = with(('return { before_commit = function(ctx) %s end }'):format(answer))
			local got, err = write(db, 'a', 1)
			assert.are.equal(said, got, answer)
			if err then
				assert.are.equal('a before_commit hook refused the commit: ' .. said, err.message)
				assert.is_nil(db:get_store('data', tl.DocStore):get 'a')
			end
			assert.are.equal(1, #assert(node:all_databases()))
		end
	end)

	it('refuses what is no answer, and what fails, and says where', function()
		for text, said in pairs {
			['return 1'] = 'hook.lua:2: before_commit answers a number: ',
			['return "no"'] = 'hook.lua:2: before_commit answers a string: ',
			['return {}'] = 'hook.lua:2: before_commit answers',
			['return true, "reason"'] = 'hook.lua:2: before_commit answers a boolean and a string: ',
			['return nil, {}'] = 'hook.lua:2: before_commit answers a nil and a table: ',
			['return nil, 7'] = 'hook.lua:2: before_commit answers',
			['return nil, "no", 1'] = 'hook.lua:2: before_commit answers',
			['error "on purpose"'] = 'hook.lua:2: on purpose',
			['error({})'] = 'hook.lua:2: (a table)',
			['error()'] = 'hook.lua:2: (a nil)',
			['return ctx.siez'] = 'hook.lua:2: there is no field in a commit called siez here; did you mean size?',
			['while true do end'] = 'hook.lua:2: a call may ',
			['local s = "x" while true do s = s .. s end'] = 'hook.lua:2: a string may have 1048576 bytes here',
			['local t = {} while true do t[#t + 1] = { {}, {} } end'] = 'hook.lua:2: ',
			['pcall(function() while true do end end) return true'] = 'hook.lua:2: a call may ',
			['local function f() return 1 + f() end f()'] = 'hook.lua:2: ',
			['table.sort({ 3, 1, 2, 5, 4 }, function() error "liar" end)'] = 'hook.lua:2: liar',
			['os.exit(1)'] = 'there is no os here',
			['while true do print "x" end'] = 'hook.lua:2: a call may ',
			['return setmetatable({}, {})'] = 'there is no setmetatable here',
			['return ctx.changes[1].path.x.y'] = 'hook.lua:2: attempt to index',
			['for _ = 1, 30000 do ctx:get("d", "x") end'] = 'hook.lua:2: a call may ',
		} do
			local _ <close>, db, hook = with('return { before_commit =\nfunction(ctx) ' .. text .. ' end }')
			local got = write(db, 'a', 1)
			assert.is_truthy(got ~= true and got:find('the hook failed: ', 1, true) == 1
				and got:find(said, 1, true), ('%s\n%s'):format(text, got))
			local failure = assert(hook:failures())[1]
			assert.are.equal('hook.lua:2', failure.where, text)
			assert.is_truthy(failure.input:find('before_commit db=' .. db:root_id() .. ' name=notes', 1, true))
			assert.are.equal(1, hook:status().failures)
		end
	end)

	it('is told of the commit', function()
		local node <close> = open()
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text:gsub('^hook.lua:%d+: ', '') end)
		local _ <close> = setmetatable({}, { __close = function() tl.log.sink(nil) end })
		assert(node:load_hook(file_of [[return { before_commit = function(ctx)
			local list = { ctx.entry, ctx.tree_id, ctx.db_name, table.concat(ctx.stores, ' '), ctx.author, ctx.size,
				tostring(ctx.is_root_entry), math.type(ctx.now) }
			print(table.concat(list, ' '))
		end }]]))
		local id
		local db = new(node, 'notes')
		assert(db:transact(function(tx)
			tx:doc 'b':set('k', 1)
			tx:table 'a':set('row', { x = 1 })
		end))
		id = db:log(1)[1].id
		H.wait_for(function() return #lines >= 2 end)
		local me = assert(node:get_public_key 'me')
		local first, root = assert(db:get_entry(id)), assert(db:get_entry(db:root_id()))
		assert.are.equal(('%s %s notes _root _settings %s %d true integer'):format(db:root_id(), db:root_id(), me,
			#root:bytes()), lines[1])
		assert.are.equal(('%s %s notes a b %s %d false integer'):format(id, db:root_id(), me, #first:bytes()),
			lines[2])
	end)

	it('is told what changes, leaf by leaf', function()
		local _ <close>, db = with [[
			local function shown(value)
				if type(value) ~= 'table' then return type(value):sub(1, 1) .. ':' .. tostring(value) end
				local parts = {}
				for key, one in pairs(value) do parts[#parts + 1] = key .. '=' .. shown(one) end
				return '{' .. table.concat(parts, ' ') .. '}'
			end
			return { before_commit = function(ctx)
				local lines = {}
				for i, change in ipairs(ctx.changes) do
					lines[i] = ('%s/%s %s%s'):format(change.store, table.concat(change.path, '/'), shown(change.value),
						change.deleted and ' deleted' or '')
				end
				return nil, table.concat(lines, '; ')
			end }]]
		local function changes(fn)
			local done, err = db:transact(fn)
			assert.is_nil(done)
			return err.cause.message
		end
		assert.are.equal('a/x/y n:1; a/x/z s:two; a/yes b:true; b/k n:2', changes(function(tx)
			tx:doc 'a':set('x', { y = 1, z = 'two' })
			tx:doc 'a':set('yes', true)
			tx:doc 'b':set('k', 2)
		end))
		assert.are.equal('a/empty {}; a/list {1=n:1 2={in=n:2}}; a/none n:nil', changes(function(tx)
			tx:doc 'a':set('none', tl.null)
			tx:doc 'a':set('empty', {})
			tx:doc 'a':set('list', tl.list { 1, { ['in'] = 2 } })
		end))
		assert.are.equal('a/gone n:nil deleted; rows/17 s:{"state":"paid"}', changes(function(tx)
			tx:doc 'a':delete 'gone'
			tx:table 'rows':set('17', { state = 'paid' })
		end))
		assert.are.equal('raw/ s:some bytes', changes(function(tx) tx:set_data('raw', 'some bytes') end))
		assert.are.equal('_settings/name s:other', changes(function(tx) tx:get_settings():set_name 'other' end))
		assert.are.equal('the hook at hook.lua:7 says no and gives no reason', changes(function() end))
	end)

	it('is told of 10,000 changes, and does not believe fewer where there are more', function()
		local _ <close>, db = with 'return { before_commit = function(ctx) return nil, "n" .. #ctx.changes end }'
		for count, said in pairs { [10000] = '^n10000$', [10001] = 'changes more than 10000 places' } do
			local _, err = db:transact(function(tx)
				local store = tx:doc 'a'
				for i = 1, count do store:set(('k%d'):format(i), i) end
			end)
			assert.matches(said, err.cause.message)
		end
	end)

	it('goes on after a read that failed, and holds nothing of it', function()
		local _ <close>, db = with [[return { before_commit = function(ctx)
			if ctx:get('a', 'k1') == nil then return end
			local read, why = pcall(function() return ctx.changes end)
			return nil, tostring(read) .. ' ' .. ctx:get('a', 'k1') .. ' ' .. why
		end }]]
		local function fill(count)
			return db:transact(function(tx)
				for i = 1, count do tx:doc 'a':set(('k%d'):format(i), i) end
			end)
		end
		assert(fill(1))
		local _, err = fill(10001)
		assert.matches('^false 1 .*changes more than 10000 places', err.cause.message)
	end)

	it('reads what is there now', function()
		local node <close> = open()
		local db = new(node, 'notes')
		assert(db:transact(function(tx)
			tx:doc 'd':set('a.b', 'deep')
			tx:doc 'd':insert('a.b', 'dotted')
			tx:doc 'd':set('list', tl.list { 1, 2 })
			tx:doc 'd':set('none', tl.null)
			tx:table 'rows':set('r', { x = 1 })
		end))
		local function read(expression)
			local hook = assert(node:load_hook(file_of(('return { before_commit = function(ctx) '
				.. 'local v = %s return nil, tostring(v) end }'):format(expression))))
			local said = write(db, 'a.b', 'new', 'd')
			assert(hook:unload())
			return said
		end
		assert.are.equal('deep', read "ctx:get('d', 'a.b')")
		assert.are.equal('deep', read "ctx:get('d', { 'a', 'b' })")
		assert.are.equal('dotted', read "ctx:get('d', { 'a.b' })")
		assert.are.equal('2', read "#ctx:get('d', 'list')")
		assert.are.equal('deep', read "ctx:get('d', {}).a.b")
		assert.are.equal('{"x":1}', read "ctx:get('rows', { 'r' })")
		assert.are.equal('notes', read "ctx:get('_settings', 'name')")
		for _, nothing in ipairs { "ctx:get('d', 'none')", "ctx:get('d', 'x.y')", "ctx:get('d', 'a.b.c')",
			"ctx:get('no', 'x')", "ctx:get('d', 'list.7')" } do
			assert.are.equal('nil', read(nothing))
		end
		for wrong, said in pairs { ["ctx:get('d')"] = 'takes the name of a store and a path',
			["ctx:get(1, 'x')"] = 'takes the name', ["ctx:get('d', { 1 })"] = 'takes the name',
			["ctx:get('d', {('x'):rep(9)}, 1)"] = 'nil', ["ctx.get('d', 'x')"] = 'called with a colon',
			["ctx:get('d', '')"] = 'ctx:get: ', ["ctx:get('_root', 'x')"] = 'ctx:get: ',
			["ctx:get('', 'x')"] = 'ctx:get: ' } do
			local got = read(wrong)
			assert.is_truthy(got:find(said, 1, true), wrong .. '\n' .. got)
		end
	end)

	it('has its context during the call alone', function()
		local _ <close>, db = with [[local kept, get
			return { before_commit = function(ctx)
				local before = kept
				kept, get = ctx, get or ctx.get
				if before then return nil, select(2, pcall(get, before, 'd', 'a')) end
			end }]]
		assert.is_true(write(db, 'a', 1))
		assert.matches('valid during its call only', write(db, 'a', 2))
	end)

	it('is about the databases that it names', function()
		local node <close> = open()
		local notes, orders, bare = new(node, 'notes'), new(node, 'orders'), assert(node:new_database({}, 'me'))
		local function refused(databases)
			local hook = assert(node:load_hook(file_of(('return { databases = %s, before_commit = function(ctx) '
				.. 'return nil, "no" end }'):format(databases))))
			local list = {}
			for name, db in pairs { notes = notes, orders = orders, bare = bare } do
				list[#list + 1] = write(db, 'a', 1) ~= true and name or nil
			end
			assert(hook:unload())
			table.sort(list)
			return table.concat(list, ' ')
		end
		assert.are.equal('orders', refused "'orders'")
		assert.are.equal('notes orders', refused "'*o*'")
		assert.are.equal('notes', refused "'note?'")
		assert.are.equal('notes orders', refused "{ 'notes', 'ord*' }")
		assert.are.equal('bare', refused(('%q'):format(bare:root_id())))
		assert.are.equal('bare notes orders', refused "'*'")
		assert.are.equal('bare notes orders', refused 'nil')
		assert.are.equal('', refused "'Orders'")
		-- By the name before the change, of a new one by that which it gets.
		assert(node:load_hook(file_of('return { databases = "orders", before_commit = function(ctx) '
			.. 'return nil, ctx.db_name end }')))
		local done, err = orders:transact(function(tx) tx:get_settings():set_name 'free' end)
		assert.are.same({ nil, 'orders' }, { done, err.cause.message })
		done, err = node:new_database({ name = 'orders' }, 'me')
		assert.are.same({ nil, 'hook_failed', 'orders' }, { done, err.code, err.cause.message })
		assert(notes:transact(function(tx) tx:get_settings():set_name 'orders' end))
		assert.are.equal('orders', write(notes, 'a', 2))
	end)

	it('leaves the databases of the library alone', function()
		local node <close> = with 'return { before_commit = function() return false end }'
		local sync = node:sync()
		assert(sync:register_peer(assert(node:add_private_key 'other'), 'other'))
		assert(sync:update_peer_status(node:get_public_key 'other', 'active'))
		local tree = assert(sync:sync_tree())
		assert(tree:set_default_auth_key '_device_key')
		assert(tree:transact(function(tx) tx:doc 'mine':set('a', 1) end))
		-- Only its root tells: another database may be called so.
		local name = new(node, 'mine' and '_sync')
		assert.is_not_nil(name)
	end)

	it('is asked about approvals, imports of others pass', function()
		local a <close> = open()
		local b <close> = open()
		assert(a:sync():enable_http_transport())
		assert(a:sync():start_server '127.0.0.1:0')
		assert(b:sync():enable_http_transport())
		local db = new(a, 'orders')
		local hook = assert(a:load_hook(file_of [[return { databases = 'orders', before_commit = function(ctx)
			for _, change in ipairs(ctx.changes) do
				if change.store == '_settings' and change.path[1] == 'auth' then return nil, 'nobody new' end
			end
		end }]]))
		assert(b:sync():request_database_access(a:sync():get_server_address(), db:root_id(), 'me', 'write:5'))
		H.wait_for(function() return a:sync():pending_bootstrap_requests()[1] end)
		local id = a:sync():pending_bootstrap_requests()[1].request_id
		local done, err = a:sync():approve_bootstrap_request(id, 'me')
		assert.are.same({ nil, 'hook_failed', 'nobody new' }, { done, err.code, err.cause.message })
		assert.are.equal(id, a:sync():pending_bootstrap_requests()[1].request_id)
		assert(hook:unload())
		assert(a:sync():approve_bootstrap_request(id, 'me'))
	end)

	it('is one of several, and each may refuse', function()
		local node <close> = open()
		local db, hooks, text = new(node, 'notes'), {}, nil
		for i = 1, 16 do
			text = ('return { before_commit = function(ctx) if #ctx.changes == %d then return nil, "no %d" end end }')
				:format(i, i)
			hooks[i] = assert(node:load_hook(H.write(H.folder() .. ('/%d.lua'):format(i), text)))
		end
		local _, err = node:load_hook(file_of(text))
		assert.are.equal('too_large', err.code)
		for i = 1, 17 do
			local done, why = db:transact(function(tx)
				for k = 1, i do tx:doc 'd':set('k' .. k, i) end
			end)
			assert.are.equal(i <= 16 and 'no ' .. i or nil, not done and why.cause.message or nil)
		end
		local same = hooks[3]:status().file
		assert(hooks[3]:unload())
		for _, before in ipairs { '', '.', 'x/..' } do
			local folder, name = hooks[2]:status().file:match '^(.*)/([^/]*)$'
			assert.is_true(os.execute(('mkdir -p %s/x'):format(folder)))
			assert.are.equal('already_exists',
				select(2, node:load_hook(('%s/%s/%s'):format(folder, before, name))).code)
		end
		assert(node:load_hook(same))
	end)

	it('knows its node, however it is loaded', function()
		local node <close> = open { name = 'hub' }
		assert(node:load_hook(file_of 'return { before_commit = function() return nil, me.name .. me.key end }'))
		local _, err = node:new_database({ name = 'x' }, 'me')
		assert.are.equal('hub' .. node:get_public_key '_device_key', err.cause.message)
	end)

	it('changes with its file, and stays as it was where that does not load', function()
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		local _ <close> = setmetatable({}, { __close = function() tl.log.sink(nil) end })
		local _ <close>, db, hook = with 'return { before_commit = function() return nil, "first" end }'
		local file = hook:status().file
		assert.are.equal('first', write(db, 'a', 1))
		local before = hook:status()
		assert.are.same({ 'hook', 'running', 'hook.lua' }, { before.kind, before.state, before.name })
		for text, said in pairs { ['return {\n\n'] = 'hook.lua:3: ', ['return 1'] = 'a hook file returns a table',
			['while true do end'] = 'hook.lua:1: ', ['\27Lua'] = 'compiled', ['return "\xFF"'] = 'UTF-8',
			[''] = 'returns nothing', ['\n\nreturn require "gone"'] = 'hook.lua:3: ',
			[('-'):rep(1 << 21)] = 'too long',
			['return require "hook"'] = 'hook.lua:1: ', ['return require "../hook"'] = 'hook.lua:1: ',
			['return require "tidelock.policy".usual()'] = 'a hook file returns a table',
			['return { save = print }'] = 'a hook has `before_commit`',
			['return { before_comit = print }'] = 'did you mean before_commit?',
			['return { before_commit = 1 }'] = 'is a function, and not a number',
			['return { databases = 1, before_commit = print }'] = '`databases` of a hook is a name',
			['return { databases = {}, before_commit = print }'] = '`databases` of a hook names no database',
			['return { databases = { "a", nil, "b" }, before_commit = print }'] = "gaps, and '3' stands outside",
			['return { databases = { "a", only = "b" }, before_commit = print }'] = "and 'only' stands outside of it",
			['return { databases = ("x"):rep(256), before_commit = print }'] = 'at most 255 bytes',
			['return { before_commit = print, on_entry_committed = print }'] = '`on_entry_committed` in a hook file '
				.. 'is not part of this version; use node:add_hook',
			['return { before_commit = print, on_conflict = print }'] = '`on_conflict` in a hook file is not part',
			['return { before_commit = print, on_access_request = print }'] = '`on_access_request` in a hook file',
			['return { before_commit = print, from = "start" }'] = '`from` in a hook file is not part' } do
			H.write(file, text)
			local none, err = hook:reload()
			assert.is_nil(none, text)
			assert.is_truthy(err.message:find(said, 1, true), err.message)
			assert.are.equal(text:find '^%-%-' and 'io' or 'bad_script', err.code)
			local now = hook:status()
			assert.are.same({ 'stale', before.hash }, { now.state, now.hash })
			assert.are.equal('first', write(db, 'a', 1))
			local status, out = H.run('check', file)
			assert.are.equal(said:find 'table' and not text:find '^return 1' and 0 or 1, status, out)
		end
		os.remove(file)
		assert.are.equal('io', select(2, hook:reload()).code)
		assert.are.equal('first', write(db, 'a', 1))
		H.write(file, 'return { before_commit = function() return nil, "second" end }')
		H.wait_for(function() return write(db, 'a', 1) == 'second' end)
		H.wait_for(function() return hook:status().state == 'running' end) -- told behind its first answer
		H.wait_for(function() return table.concat(lines, '\n'):find('what was loaded before stays', 1, true) end)
		assert(hook:unload())
		assert.is_true(write(db, 'a', 1))
		assert.are.equal('unloaded', hook:status().state)
		assert.are.equal('closed', select(2, hook:reload()).code)
	end)

	it('follows its keyring and what it requires, and keeps both where one is wrong', function()
		local folder, key = H.folder(), 'ed25519:' .. ('A'):rep(42) .. 'A='
		H.write(folder .. '/owners.keys', key .. ' anna owners\n')
		H.write(folder .. '/words.lua', 'return { no = "not yours" }')
		local file = H.write(folder .. '/hook.lua', "local ring = require 'tidelock.keyring' 'owners.keys'\n"
			.. "local words = require 'words'\n"
			.. 'return { before_commit = function(ctx)\nif not ring.all[ctx.author] then return nil, words.no end\n'
			.. 'end }')
		local node <close> = open()
		local db = new(node, 'notes')
		local hook = assert(node:load_hook(file))
		assert.are.equal('not yours', write(db, 'a', 1))
		H.write(folder .. '/words.lua', 'return { no = "never" }')
		H.wait_for(function() return write(db, 'a', 1) == 'never' end)
		H.write(folder .. '/owners.keys', 'this is no key\n')
		H.wait_for(function() return hook:status().state == 'stale' end)
		assert.matches('^hook.lua:1: .*owners.keys.*1', hook:status().problem)
		assert.are.equal('never', write(db, 'a', 1))
		H.write(folder .. '/owners.keys', node:get_public_key 'me' .. ' me\n')
		H.wait_for(function() return write(db, 'a', 1) == true end)
	end)

	it('gives the next version what it saves', function()
		local text = HOOK .. [[local count = 0
			function hook.before_commit() count = count + 1 return nil, 'v%s ' .. count end
			function hook.save() return { count = count, list = { 'a' } } end
			function hook.restore(old) count = old.count %s end
			return hook]]
		local _ <close>, db, hook = with(text:format(1, ''))
		local file = hook:status().file
		assert.are.equal('v1 1', write(db, 'a', 1))
		H.write(file, text:format(2, ''))
		assert(hook:reload())
		assert.are.equal('v2 2', write(db, 'a', 1))
		-- One that cannot take it over does not come.
		H.write(file, text:format(3, 'error "not so"'))
		local none, err = hook:reload()
		assert.are.same({ nil, 'bad_script', 'hook.lua:5: not so' }, { none, err.code, err.message })
		assert.are.equal('stale', hook:status().state)
		assert.are.equal('v2 3', write(db, 'a', 1))
		H.write(file, text:format(4, ''):gsub('return { count', 'return { print, count'))
		assert(hook:reload())
		assert.are.equal('v4 4', write(db, 'a', 1))
		H.write(file, text:format(5, ''))
		none, err = hook:reload()
		assert.is_nil(none)
		assert.matches('^hook.lua: save of the version at work fails .*: plain data holds no function', err.message)
		assert.are.equal('v4 5', write(db, 'a', 1))
		H.write(file, HOOK .. 'function hook.before_commit() return nil, "anew" end\nreturn hook')
		assert(hook:reload())
		assert.are.equal('anew', write(db, 'a', 1))
	end)

	it('is suspended when it runs out of its budget again and again', function()
		local node <close>, db, hook = with('return { databases = "notes", before_commit = function(ctx)\n'
			.. 'while ctx.db_name == "notes" do end end }')
		local free, heard = new(node, 'free'), nil
		node:on('script_suspended', function(event) heard = event.text end)
		for _ = 1, 10 do
			assert.are.equal('running', hook:status().state)
			assert.matches('^the hook failed: hook.lua:2: a call may ', write(db, 'a', 1))
		end
		assert.are.equal('suspended', hook:status().state)
		assert.matches('^hook.lua is suspended', write(db, 'a', 1))
		assert.are.equal(10, hook:status().calls)
		assert.is_true(write(free, 'a', 1))
		H.wait_for(function() return heard end)
		assert.are.equal(hook:status().file, heard)
		assert(hook:reload()) -- the same bytes
		assert.are.equal('running', hook:status().state)
		assert.matches('^the hook failed: ', write(db, 'a', 1))
		H.write(hook:status().file, 'return { before_commit = function() end }')
		assert(hook:reload())
		assert.is_true(write(db, 'a', 1))
	end)

	it('is at work before the first commit, and keeps a node closed that it does not load for', function()
		local folder = H.folder()
		local file = H.write(folder .. '/hook.lua', 'return { before_commit = function() return nil, me.name end }')
		local node = open { name = 'hub', hooks = { file } }
		local none, err = node:new_database({ name = 'x' }, 'me')
		assert.are.same({ nil, 'hub' }, { none, err.cause.message })
		node:close(0)
		for _, wrong in ipairs { 'return', 'return {' } do
			H.write(file, wrong)
			none, err = tl.open { backend = tl.memory(), hooks = { file } }
			assert.are.same({ nil, 'bad_script' }, { none, err.code })
		end
		none, err = tl.open { backend = tl.memory(), hooks = { folder .. '/none.lua' } }
		assert.are.same({ nil, 'io' }, { none, err.code })
		for _, wrong in ipairs { file, { 1 }, { a = file, {} } } do
			assert.is_false(pcall(tl.open, { backend = tl.memory(), hooks = wrong }))
		end
	end)

	it('stays when its handle is collected, and leaves with its node', function()
		local node, db = with 'return { before_commit = function() return nil, "no" end }'
		collectgarbage()
		collectgarbage()
		assert.are.equal('no', write(db, 'a', 1))
		local other = assert(node:load_hook(file_of 'return { before_commit = function() end }'))
		node:close(0)
		assert.are.equal('unloaded', other:status().state)
	end)

	it('is shown by the command line, and asked about what that writes', function()
		local folder = H.folder()
		local data = folder .. '/data'
		local hook = H.write(folder .. '/hook.lua', 'return { before_commit = function(ctx)\n'
			.. 'if ctx.changes[1].value == "bad" then return nil, "this is bad" end\nend }\n')
		H.write(folder .. '/main.lua', ([[local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = %q, hooks = { %q } })
			assert(node:new_database({ name = 'notes' }, '_device_key'))
			print 'open' io.stdout:flush()
			tl.sleep '10m']]):format(data, hook))
		assert.are.equal(0, (H.run('init', '--data', data)))
		local host = H.start({}, 'run', folder .. '/main.lua')
		H.wait_for(function() return host.out:find 'open' or host.status end)
		local status, _, err = H.run('db', 'set', '--data', data, '-k', '_device_key', 'notes', 'd', 'k', 'bad')
		local out
		assert.are.equal(1, status)
		assert.is_truthy(err:find('hook_failed', 1, true) and err:find('this is bad', 1, true), err)
		status, _, err = H.run('db', 'set', '--data', data, '-k', '_device_key', 'notes', 'd', 'k', 'good')
		assert.are.equal(0, status, err)
		status, out = H.run('script', 'list', '--data', data)
		assert.are.equal(0, status)
		assert.is_truthy(out:find('hook.lua  hook, running\n', 1, true), out)
		host:kill 'sigterm'
		host:wait()
	end)
end)
