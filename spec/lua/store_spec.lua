local H = require 'spec.helper'
local store = require 'tidelock.store'

local function open_memory()
	return assert(store.open { memory = true })
end

local UNKNOWN = 'sha256:' .. ('00'):rep(32)

describe('store', function()
	after_each(H.clean)

	it('is opened with a path or in memory', function()
		assert.has_error(function() store.open {} end)
		assert.has_error(function() store.open() end)
		assert.has_error(function() store.open { path = 'x', memory = true } end)
		assert.has_error(function() store.open { memory = true, durability = 'never' } end)
		local ok, raised = pcall(store.open, { memoy = true })
		assert.is_false(ok)
		assert.matches("did you mean 'memory'", raised)
		local s = open_memory()
		assert.matches('^tidelock.store %(', tostring(s))
		s:close()
		s:close()
		assert.matches('closed', tostring(s))
		assert.has_error(function() s:get 'x' end)
	end)

	it('keeps local documents', function()
		local path = H.folder()
		do
			local s <close> = assert(store.open { path = path, durability = 'relaxed' })
			assert.is_true(s:put('b/2', 'two\0'))
			assert.is_true(s:put('b/1', ''))
			assert.is_true(s:put('a', 'gone'))
			assert.is_true(s:remove 'a')
			local _, err = store.open { path = path }
			assert.are.equal('already_open', err.code)
		end
		local s <close> = assert(store.open { path = path })
		assert.are.equal('two\0', s:get 'b/2')
		assert.are.same({ { key = 'b/1', value = '' }, { key = 'b/2', value = 'two\0' } }, s:list 'b/')
		assert.are.equal(2, #s:list())
		local value, err = s:get 'a'
		assert.is_nil(value)
		assert.are.equal('not_found', err.code)
		assert.are.equal('too_large', select(2, s:put('big', ('x'):rep(1024 * 1024 + 1))).code)
	end)

	it('says nothing of what it does not hold', function()
		local s <close> = open_memory()
		assert.are.same({}, s:databases())
		assert.are.equal('database_not_found', select(2, s:database(UNKNOWN)).code)
		assert.are.same({}, s:entries(UNKNOWN, { UNKNOWN }))
		assert.are.same({}, s:arrivals(UNKNOWN))
		assert.are.same({}, s:tips(UNKNOWN))
		assert.are.same({}, s:aside(UNKNOWN, 'pending'))
		assert.are.same({}, s:state(UNKNOWN, 'data'))
		assert.has_error(function() s:tips 'no id' end)
		assert.has_error(function() s:aside(UNKNOWN, 'verified') end)
		assert.has_error(function() s:arrivals(UNKNOWN, -1) end)
		assert.are.equal('unsupported', select(2, s:backup(H.folder() .. '/copy')).code)
	end)
end)

describe('store of a node', function()
	local tl = require 'tidelock'
	local path, root, last

	before_each(function()
		path = H.folder()
		local node <close> = assert(tl.open { path = path, sync = false, durability = 'relaxed' })
		assert(node:add_private_key 'me')
		local db = assert(node:new_database({ name = 'notes' }, 'me'))
		root = db:root_id()
		last = assert(db:transact(function(tx)
			local doc = tx:doc 'data'
			doc:set('a.b', 'text')
			doc:set('items', tl.list { 7 })
		end))
	end)
	after_each(H.clean)

	it('shows its entries', function()
		local s <close> = assert(store.open { path = path })
		local info = assert(s:database(root))
		assert.are.equal(2, info.arrivals)
		assert.are.equal(64, #info.chain)
		assert.are.equal(0, info.pending + info.quarantined + info.void_entries)
		local found = false
		for _, database in ipairs(s:databases()) do
			found = found or database.id == root
		end
		assert.is_true(found)

		local entries = s:arrivals(root)
		assert.are.equal(2, #entries)
		assert.are.equal(root, entries[1].id)
		assert.are.same({ root }, entries[2].parents)
		assert.are.equal('verified', entries[2].verdict)
		assert.are.equal(1, entries[2].height)
		assert.are.equal(last, assert(tl.entry.parse(entries[2].bytes)):id())
		assert.are.equal(1, #s:arrivals(root, 2))
		assert.are.equal(1, #s:arrivals(root, 1, 2, 1))
		assert.are.equal(last, s:entries(root, { last, UNKNOWN })[1].id)
		assert.are.same({ last }, s:tips(root))
		assert.are.same({ last }, s:tips(root, 'data'))
		assert.are.same({ root }, s:tips(root, '_settings'))
	end)

	it('shows its state', function()
		local s <close> = assert(store.open { path = path })
		local names = table.concat(s:names(root), ' ')
		assert.matches('data', names)
		local rows = s:state(root, 'data', 'a')
		assert.are.same({ 'a' }, rows[1].path)
		assert.are.equal('doc', rows[1].kind)
		assert.are.same({ 'a', 'b' }, rows[2].path)
		assert.are.equal('leaf', rows[2].kind)
		assert.are.equal(last, rows[2].id)
		assert.matches('text', rows[2].value)
		assert.are.same({ rows[2] }, s:state(root, 'data', 'a.b'))
		assert.are.same({ rows[2] }, s:state(root, 'data', { 'a', 'b' }))

		local items = s:state(root, 'data', { 'items' })
		assert.are.equal('list', items[1].kind)
		local position = items[2].path[2]
		assert.are.equal(32, #position.uuid)
		assert.are.same({ items[2] }, s:state(root, 'data', { 'items', position }))
		position.denominator = 0
		local _, err = s:state(root, 'data', { 'items', position })
		assert.are.equal('bad_path', err.code)
		assert.has_error(function() s:state(root, 'data', { 1.5 }) end)
		assert.has_error(function() s:state(root, 'data', { { numerator = 1 } }) end)
	end)

	it('is checked and copied', function()
		local s <close> = assert(store.open { path = path })
		assert.are.same({}, s:check())
		assert.is_true(s:backup(path .. '/copy.db'))
		assert.are.equal('already_exists', select(2, s:backup(path .. '/copy.db')).code)
	end)
end)
