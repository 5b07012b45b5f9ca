-- Hooks: who is asked, what refuses, and what people are told.
local H = require 'spec.helper'
local tl = require 'tidelock'

local function open(options)
	options = options or { backend = tl.memory(), sync = false, log_level = 'off' }
	local node = assert(tl.open(options))
	assert(node:add_private_key 'me')
	return node, assert(node:new_database({ name = 'n' }, 'me'))
end

local function commit(db)
	return db:transact(function(tx) tx:doc 'd':set('k', 1) end)
end

local function raising()
	error 'on purpose'
end

describe('before_commit', function()
	teardown(H.clean)

	it('lets pass with nil and true, and with nothing else', function()
		local node <close>, db = open()
		local function answered(fn)
			local hook = assert(node:add_hook { before_commit = fn })
			local id, err = commit(db)
			node:remove_hook(hook)
			return id, err
		end
		for _, fn in ipairs { function() end, function() return nil end, function() return true end,
			function() return true, 'whatever' end } do
			assert(answered(fn))
		end
		local object = setmetatable({}, { __tostring = function() return 'an object' end })
		for name, case in pairs {
			no = { function() return false end, 'hooks_spec.lua:%d+ says false' },
			why = { function() return nil, 'too late' end, ': too late$' },
			no_why = { function() return false, 'too late' end, ': too late$' },
			object = { function() return nil, object end, ': an object$' },
			table = { function() return nil, {} end, ': %(of type table%)$' },
			zero = { function() return 0 end, 'hooks_spec.lua:%d+ answers 0; nil or true lets' },
			text = { function() return 'no' end, 'answers no; nil or true lets' },
			doc = { function() return {} end, 'answers %(of type table%); nil or true lets' },
			C = { rawlen, 'the hook at %[C%] answers 0' },
			raised = { raising, 'hooks_spec.lua:17: on purpose$' },
			raised_object = { function() error(object) end, ': an object$' },
			raised_table = { function() error {} end, '%(an error of type table%)' },
			raised_message = { function() error { code = 'mine', message = 'it speaks' } end, 'it speaks' },
			raised_nil = { function() error() end, '%(an error of type nil%)' },
			raised_error = { function() assert(node:load_database('sha256:' .. ('0'):rep(64))) end,
				'database_not_found' },
			silent = { function() error(setmetatable({}, { __tostring = function() error 'x' end })) end,
				'%(an error of type table%)' },
			waits = { function() tl.sleep(0) end, 'would_block' },
		} do
			local id, err = answered(case[1])
			assert.is_nil(id, name)
			assert.are.equal('hook_failed', err.code)
			assert.matches(case[2], err.message)
			assert.is_nil(tostring(err):find '0x', name)
		end
	end)

	it('refuses by rolling back', function()
		local node <close>, db = open()
		local tx = assert(db:new_transaction())
		assert(tx:doc 'd':set('k', 1))
		assert(tx:add_hook { before_commit = function() tx:rollback() end })
		local id, err = tx:commit()
		assert.is_nil(id)
		assert.are.equal('hook_failed', err.code)
		assert.matches('rolled the transaction back', err.message)
		assert.are.equal('closed', select(2, tx:commit()).code)
		assert.is_nil((db:doc 'd':get 'k'))
		assert(node)
	end)

	it('tells where it was that it failed', function()
		local node <close>, db = open()
		node:add_hook { before_commit = function() raising() end }
		local _, err = commit(db)
		assert.are.equal('hook_failed', err.cause.code)
		assert.matches('^[^\n]*hooks_spec.lua:17: on purpose\nstack traceback:\n.*hooks_spec.lua:17: in '
			.. '.*hooks_spec.lua:%d+: in', err.cause.message)
	end)

	it('belongs to the database and not to a handle', function()
		local node <close>, db = open()
		local other = assert(node:new_database({ name = 'o' }, 'me'))
		local asked = 0
		local hook = assert(assert(node:load_database(db:root_id())):add_hook {
			before_commit = function(context)
				asked = asked + 1
				return context.size < 2000, 'too large'
			end,
		})
		collectgarbage()
		collectgarbage()
		assert(commit(db))
		assert(commit(other))
		assert.are.equal(1, asked)
		local id, err = db:transact(function(tx) tx:doc 'd':set('k', ('x'):rep(3000)) end)
		assert.is_nil(id)
		assert.matches('too large', err.message)
		local later = assert(node:load_database(db:root_id()))
		assert(later:set_default_auth_key 'me')
		assert(commit(later))
		assert.are.equal(3, asked)
		node:remove_hook(hook)
		other:remove_hook(hook)
		assert(commit(db))
		assert.are.equal(4, asked)
		later:remove_hook(hook)
		assert(commit(db))
		assert.are.equal(4, asked)
	end)

	it('is asked by transactions that were begun before it', function()
		local _ <close>, db = open()
		local tx <close> = assert(db:new_transaction())
		tx:doc 'd':set('k', 1)
		db:add_hook { before_commit = function() return false end }
		assert.are.equal('hook_failed', select(2, tx:commit()).code)
	end)

	it('refuses what it cannot be asked about, and says who can', function()
		local folder = H.folder()
		local node <close>, db = open { path = folder, log_level = 'off' }
		local function set()
			return H.run('db', 'set', 'n', 'd', 'k', '"v"', '-d', folder)
		end
		assert.are.equal(0, (set()))
		local told = 0
		node:add_hook { on_entry_committed = function() told = told + 1 end }
		assert.are.equal(0, (set())) -- nobody has to be asked
		local on_node = assert(node:add_hook { before_commit = function() end })
		local status, _, err = set()
		assert.are.equal(1, status)
		assert.matches('hook_failed', err)
		assert.matches('let the program itself commit', err)
		assert(commit(db))
		node:remove_hook(on_node)
		assert.are.equal(0, (set()))
		db:add_hook { before_commit = function() end }
		assert.are.equal(1, (set()))
		assert.are.equal(0, (H.run('db', 'create', 'other', '-d', folder, '-k', 'me')))
		assert.are.equal(1, told)
	end)

	it('takes functions and moments that exist', function()
		local node <close>, db = open()
		for _, object in ipairs { node, db, assert(db:new_transaction()) } do
			assert.has_error(function() object:add_hook { before_comit = print } end)
			assert.has_error(function() object:add_hook { before_commit = 'print' } end)
			assert.has_error(function() object:add_hook() end)
		end
	end)
end)

describe('on_entry_committed', function()
	teardown(H.clean)

	local function run(text)
		local folder = H.folder()
		return H.run('run', H.write(folder .. '/script.lua', text), folder)
	end

	it('cannot take back the commit; what it raises is logged, with its place', function()
		local status, out, err = run [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { backend = tl.memory(), sync = false })
			local db = assert(node:new_database({ name = 'n' }, '_device_key'))
			db:add_hook { on_entry_committed = function() error 'on purpose' end }
			db:add_hook { on_entry_committed = function() return false, 'no matter' end }
			db:add_hook { on_entry_committed = function() print 'the last is told' end }
			assert(db:transact(function(tx) tx:doc 'd':set('k', 1) end))
		]]
		assert.are.equal(0, status)
		assert.are.equal('the last is told\n', out)
		assert.matches('the commit stands: [^\n]*script.lua:4: on purpose', err)
		assert.is_nil(err:find 'no matter')
	end)

	it('is not silent about commits of other threads', function()
		local status, out, err = run(([[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] .. '/d' })
			assert(node:add_private_key 'me')
			assert(node:new_database({ name = 'n' }, 'me'))
			node:add_hook { on_entry_committed = function() print 'told' end }
			local told
			node:on('entry_committed', function(event) told = event end)
			os.execute(('%s db set n d k 1 -d %%s/d > /dev/null'):format(arg[1]))
			tl.sleep '10ms'
			print(told and 'the event tells')
		]]):format(H.program))
		assert.are.equal(0, status)
		assert.are.equal('the event tells\n', out)
		assert.matches('made on another thread', err)
	end)
end)
