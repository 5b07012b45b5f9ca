local H = require 'spec.helper'
local tl = require 'tidelock'
local uv = require 'luv'

describe('nodes', function()
	teardown(H.clean)

	it('open by path, close themselves and open again', function()
		local path = H.folder() .. '/data'
		local id
		do
			local node <close> = assert(tl.open { path = path, sync = false })
			assert(node:add_private_key 'k')
			local db = assert(node:new_database({ name = 'notes' }, 'k'))
			id = db:root_id()
			local second, err = tl.open { path = path, sync = false }
			assert.is_nil(second)
			assert.are.equal('already_open', err.code)
		end
		local node <close> = assert(tl.open { path = path, sync = false })
		assert.are.equal(id, assert(node:find_database 'notes'):root_id())
		assert.are.same({ id }, node:all_databases())
		assert.are.same({ 'k' }, node:list_private_keys())
	end)

	it('say what keeps their directory open in this process', function()
		local path = H.folder() .. '/data'
		local node = assert(tl.open { path = path, sync = false })
		local db = assert(node:new_database({ name = 'notes' }, '_device_key'))
		local function says_why()
			local second, err = tl.open { path = path, sync = false }
			assert.is_nil(second)
			assert.are.equal('already_open', err.code)
			assert.matches('open in this process already, by a node or store that is not closed', err.message)
			assert.matches('databases, transactions or stores are still held', err.message)
		end
		says_why()
		node:close(0)
		says_why()
		db:close()
		assert(tl.open { path = path, sync = false }):close()
	end)

	it('say which other process has their directory open', function()
		local path = H.folder() .. '/data'
		local file = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] })
			print 'open'
			io.stdout:flush()
			tl.sleep '1m' ]])
		local out, open, ended = uv.new_pipe(), false, false
		local process, pid = uv.spawn(H.program, { args = { 'run', file, path }, stdio = { nil, out, 2 } },
			function() ended = true end)
		out:read_start(function(_, piece) open = open or piece ~= nil end)
		H.wait_for(function() return open end)
		local node, err = tl.open { path = path, sync = false }
		assert.is_nil(node)
		assert.are.equal('store_locked', err.code)
		assert.matches(('in use by process %d; stop that process'):format(pid), err.message)
		uv.kill(pid, 'sigterm')
		H.wait_for(function() return ended end)
		process:close()
		out:close()
		assert(tl.open { path = path, sync = false }):close()
	end)

	it('refuse misspelt options and name the nearest', function()
		local ok, err = pcall(tl.open, { pathh = 'x' })
		assert.is_false(ok)
		assert.matches("did you mean 'path'", tostring(err))
		assert.has_error(function() tl.open {} end)
		assert.has_error(function() tl.open { path = 'x', durability = 'maybe' } end)
	end)

	it('say why they cannot open', function()
		local file = H.write(H.folder() .. '/file', 'no directory')
		local node, err = tl.open { path = file .. '/data', sync = false }
		assert.is_nil(node)
		assert.is_true(err:is_backend_error())
		assert.is_truthy(#err.message > 10)
	end)

	it('keep keys', function()
		local node <close> = assert(tl.open { backend = tl.memory(), sync = false })
		local key = assert(node:add_private_key('k', ('\1'):rep(32)))
		assert.are.equal(key, node:get_public_key 'k')
		assert.are.equal(('\1'):rep(32), node:export_private_key 'k')
		assert.are.equal('already_exists', select(2, node:add_private_key 'k').code)
		assert(node:remove_private_key 'k')
		assert.are.equal('key_not_found', select(2, node:get_public_key 'k').code)
	end)

	it('say so when they are closed', function()
		local node = assert(tl.open { backend = tl.memory(), sync = false })
		node:close()
		node:close()
		assert.has_error(function() node:device_key() end)
		assert.matches('closed', tostring(node))
	end)
end)

describe('a database', function()
	local node, db

	before_each(function()
		node = assert(tl.open { backend = tl.memory(), sync = false })
		assert(node:add_private_key 'k')
		db = assert(node:new_database({ name = 'notes' }, 'k'))
	end)
	after_each(function() node:close(0) end)

	it('commits and reads', function()
		local tx <close> = db:new_transaction()
		local data = tx:get_store('data', tl.DocStore)
		data:set_string('message', 'hello')
		data:set('a.b', { c = 1 })
		data:set({ 'README.md' }, 'text')
		local id = assert(tx:commit())
		assert.are.same({ id }, db:get_tips())
		local now = db:get_store 'data'
		assert.are.equal('hello', now:get_string 'message')
		assert.are.equal(1, now:get 'a.b.c')
		assert.are.equal('text', now:get { 'README.md' })
		assert.are.equal('key_not_found', select(2, now:get 'nothing').code)
		assert.is_nil(now:get_option 'nothing')
		assert.are.equal('type_mismatch', select(2, now:get_string 'a').code)
	end)

	it('names the types where they do not fit, in words that fit each of them', function()
		local values = { bool = true, int = 1, text = 'x', doc = { a = 1 }, list = tl.list { 1 } }
		assert(db:transact(function(tx)
			for kind, value in pairs(values) do
				tx:doc 'd':set(kind, value)
			end
		end))
		local now = db:doc 'd'
		for kind in pairs(values) do
			for wanted, get in pairs { bool = now.get_bool, int = now.get_int, text = now.get_string,
				list = now.get_list, doc = now.get_node } do
				local _, err = get(now, kind)
				assert.are.equal(kind ~= wanted and ('`%s` in store `d` is of type %s, not %s'):format(kind, kind,
					wanted) or nil, err and err.message)
			end
		end
		for _, value in ipairs { print, coroutine.create(print) } do
			local ok, err = pcall(db.transact, db, function(tx) tx:doc 'd':set('k', value) end)
			assert.is_false(ok)
			assert.matches(('is of type %s, which no document holds'):format(type(value)), tostring(err))
		end
	end)

	it('replaces, merges, deletes', function()
		assert(db:transact(function(tx) tx:doc 'd':set('x', { a = 1, b = { c = 2 } }) end))
		assert(db:transact(function(tx) tx:doc 'd':merge('x', { b = { d = 3 } }) end))
		assert.are.same({ a = 1, b = { c = 2, d = 3 } }, db:get_store 'd':get 'x')
		assert(db:transact(function(tx) tx:doc 'd':set('x', { b = 1 }) end))
		assert.are.same({ b = 1 }, db:get_store 'd':get 'x')
		assert(db:transact(function(tx) assert.is_true(tx:doc 'd':delete 'x.b') end))
		assert.are.same({}, db:get_store 'd':get 'x')
		local keys = {}
		for key in db:get_store 'd':each() do keys[#keys + 1] = key end
		assert.are.same({ 'x' }, keys)
	end)

	it('has tables of rows', function()
		local key
		assert(db:transact(function(tx)
			key = assert(tx:table 'rows':insert { name = 'Ann', tags = { 'a', 'b' } })
		end))
		local rows = db:get_store('rows', tl.Table)
		assert.are.same({ name = 'Ann', tags = { 'a', 'b' } }, rows:get(key))
		local found = rows:search(function(row) return row.name == 'Ann' end)
		assert.are.equal(key, found[1].key)
		assert(db:transact(function(tx) tx:table 'rows':delete(key) end))
		assert.are.equal('key_not_found', select(2, rows:get(key)).code)
	end)

	it('rolls back what was not committed', function()
		do
			local tx <close> = db:new_transaction()
			tx:doc 'd':set('x', 1)
		end
		assert.is_nil(db:get_store 'd':get_option 'x')
		assert.has_error(function()
			db:transact(function(tx)
				tx:doc 'd':set('x', 1)
				error 'oops'
			end)
		end)
		assert.is_nil(db:get_store 'd':get_option 'x')
	end)

	it('rolls back when told why', function()
		local id, err = db:transact(function(tx)
			tx:doc 'd':set('x', 1)
			return nil, 'not today'
		end)
		assert.is_nil(id)
		assert.are.equal('not today', err)
		assert.is_nil(db:get_store 'd':get_option 'x')
	end)

	it('hands on what the function of a transaction returns', function()
		local function set(value)
			return function(tx, ...)
				tx:doc 'd':set('x', value)
				return ...
			end
		end
		local function results(...)
			local given = table.pack(...)
			return table.pack(db:transact(function(tx)
				set(given.n)(tx)
				return table.unpack(given, 1, given.n)
			end))
		end
		local function now()
			return db:get_store 'd':get_option 'x'
		end
		assert.are.same({ 'a', nil, 3, n = 3 }, results('a', nil, 3))
		assert.are.equal(3, now())
		assert.are.same({ true, n = 1 }, results(true))
		assert.are.equal(1, now())
		for _, nothing in ipairs { results(), results(nil), results(nil, nil) } do
			assert.are.equal(1, nothing.n)
			assert.is_true(assert(db:has(nothing[1])))
		end
		assert(db:transact(set 'before'))
		local object = setmetatable({}, {})
		assert.are.same({ false, n = 1 }, results(false))
		assert.are.same({ false, 'why', n = 2 }, results(false, 'why'))
		local rolled = results(nil, object, 7)
		assert.are.equal(3, rolled.n)
		assert.are.equal(object, rolled[2])
		local ok, raised = pcall(db.transact, db, function(tx) set(1)(tx) error(object) end)
		assert.is_false(ok)
		assert.are.equal(object, raised)
		assert.are.equal('before', now())
		local id, err = db:transact(function(tx) tx:doc 'd':set('', 1) return 'a result' end)
		assert.is_nil(id)
		assert.are.equal('bad_path', err.code)
		local task = require 'tidelock.task'.start(function()
			return db:transact(function(tx) tl.sleep '1ms' return set('waited')(tx, 'task') end)
		end)
		assert.are.equal('task', task:wait())
		assert.are.equal('waited', now())
	end)

	it('has no changes beyond its end', function()
		local from_end = assert(db:arrival())
		for _ in db:changes { since = from_end } do
			error 'nothing has changed'
		end
		local changes = db:changes { since = from_end }
		assert(db:transact(function(tx) tx:doc 'd':set('x', 1) end))
		assert.are.equal(from_end + 1, changes().arrival)
		assert.is_nil(changes())
		local ok, err = pcall(db.changes, db, { since = from_end + 2 })
		assert.is_false(ok)
		assert.are.equal('index_out_of_bounds', err.code)
		assert.matches('another copy', err.message)
		for _, since in ipairs { -1, 1.5, '1', {} } do
			assert.has_error(function() db:changes { since = since } end)
		end
	end)

	it('has errors that can be put into texts', function()
		local _, err = node:load_database('sha256:' .. ('0'):rep(64))
		assert.matches('^said: database_not_found: ', 'said: ' .. err)
		assert.matches('database_not_found: .* twice$', err .. ' twice')
		assert.matches('^7database_not_found', 7 .. err)
		assert.matches('database_not_found.*database_not_found', err .. err)
		assert.has_error(function() return err .. nil end, 'attempt to concatenate a nil value')
		assert.has_error(function() return {} .. err end, 'attempt to concatenate a table value')
	end)

	it('returns the first setter error from commit', function()
		local id, err = db:transact(function(tx) tx:doc 'd':set('', 1) end)
		assert.is_nil(id)
		assert.are.equal('bad_path', err.code)
	end)

	it('changes who may write', function()
		local key = assert(node:add_private_key 'other')
		local permission = assert(db:get_settings()):get_auth_key(key)
		assert.is_nil(permission)
		assert(db:transact(function(tx) assert(tx:settings():add_auth_key(key, 'write:10')) end))
		assert.are.equal('write:10', assert(db:get_settings()):get_auth_key(key).permission)
		assert(db:set_default_auth_key 'other')
		assert(db:transact(function(tx) tx:doc 'd':set('x', 1) end))
		local id, err = db:transact(function(tx) tx:settings():set_name 'mine' end)
		assert.is_nil(id)
		assert.are.equal('insufficient_permissions', err.code)
		assert.are.equal('bad_argument', select(2, db:get_settings():add_auth_key(key, 'king')).code)
	end)

	it('shows its history', function()
		for i = 1, 5 do
			assert(db:transact(function(tx) tx:doc 'd':set('x', i) end))
		end
		local seen = {}
		for change in db:changes { since = 2 } do seen[#seen + 1] = change.arrival end
		assert.are.same({ 3, 4, 5, 6 }, seen)
		local log = db:log(3)
		assert.are.equal(3, #log)
		assert.are.same({ log[2].id }, log[3].parents)
		local steps = db:history_of('d', 'x')
		assert.are.equal(5, #steps)
		assert.are.equal(5, steps[5].value)
		local view <close> = assert(db:at { log[1].id })
		assert.are.equal(3, view:get_store 'd':get 'x')
		local findings, counts = db:verify()
		assert.are.same({}, findings)
		assert.are.same({ entries = 6, pending = 0, quarantined = 0 }, counts)
		assert.are.equal(6, db:counts().entries)
	end)

	it('verifies with progress, and stops when told to', function()
		assert(db:transact(function(tx) tx:doc 'd':set('x', 1) end))
		for _, subject in ipairs { db, node } do
			local last, total = -1, nil
			local findings, counts = assert(subject:verify {
				progress = function(done, all)
					assert.is_true(done >= last and done <= all)
					last, total = done, all
				end,
			})
			assert.are.same({}, findings)
			assert.are.equal(counts.entries, last)
			assert.are.equal(counts.entries, total)
			local none, err = subject:verify { progress = function() return false end }
			assert.is_nil(none)
			assert.are.equal('cancelled', err.code)
			assert.has_error(function()
				subject:verify { progress = function() error('mine', 0) end }
			end, 'mine')
			assert.has_error(function() subject:verify { progress = 1 } end)
			assert.has_error(function() subject:verify { progres = print } end)
		end
	end)

	it('exports and imports', function()
		assert(db:transact(function(tx) tx:doc 'd':set('x', 1) end))
		local lines = {}
		assert(db:export(function(line) lines[#lines + 1] = line end))
		local other <close> = assert(tl.open { backend = tl.memory(), sync = false })
		local index = 0
		local id, entered = other:import(function()
			index = index + 1
			return lines[index] and lines[index] .. '\n'
		end)
		assert.are.equal(db:root_id(), id)
		assert.are.equal(2, entered)
		assert.are.equal(1, assert(other:load_database(id)):get_store 'd':get 'x')
		assert.has_error(function() db:export(function() error 'stop' end) end)
	end)

	it('calls hooks', function()
		local seen = {}
		local hook = assert(node:add_hook {
			before_commit = function(ctx)
				if ctx.size > 10000 then return nil, 'entry too large for this fleet' end
				return true
			end,
			on_entry_committed = function(ctx)
				seen[#seen + 1] = { ctx.tree_id, ctx.entry:id(), ctx.stores[1], ctx.is_root_entry }
				error 'a faulty hook stops nobody'
			end,
		})
		local id = assert(db:transact(function(tx) tx:doc 'd':set('x', 1) end))
		assert.are.same({ { db:root_id(), id, 'd', false } }, seen)
		local refused, err = db:transact(function(tx) tx:doc 'd':set('x', ('y'):rep(20000)) end)
		assert.is_nil(refused)
		assert.are.equal('hook_failed', err.code)
		assert.matches('too large for this fleet', tostring(err))
		node:remove_hook(hook)
		assert(db:transact(function(tx) tx:doc 'd':set('x', ('y'):rep(20000)) end))
		assert.are.equal(1, #seen)
		assert.has_error(function() node:add_hook { on_comit = print } end)
	end)

	it('outlives its node as a zombie that says so', function()
		local tx = db:new_transaction()
		local data = tx:doc 'd'
		node:close(0)
		assert.are.equal('closed', select(2, db:get_tips()).code)
		data:set('x', 1)
		local id, err = tx:commit()
		assert.is_nil(id)
		assert.are.equal('closed', err.code)
	end)
end)
