-- Walks over rows and members: lazy, in order, harmed by no row and no change.
require 'spec.helper'
local tl = require 'tidelock'

describe('walks', function()
	local node, db

	before_each(function()
		node = assert(tl.open { backend = tl.memory(), sync = false })
		assert(node:add_private_key 'me')
		db = assert(node:new_database({ name = 'walks' }, 'me'))
	end)
	after_each(function() node:close(0) end)

	local function key(n)
		return ('k%05d'):format(n)
	end

	local function fill(from, to)
		assert(db:transact(function(tx)
			local rows = assert(tx:table 'rows')
			for n = from, to do assert(rows:set(key(n), { n = n })) end
		end))
	end

	local function keys(...)
		local found = {}
		for name in ... do found[#found + 1] = name end
		return found
	end

	it('give rows in key order with prefix, after and limit', function()
		fill(1, 1200)
		local rows = assert(db:table 'rows')
		local n = 0
		for name, row in rows:each() do
			n = n + 1
			assert.are.equal(key(n), name)
			assert.are.equal(n, row.n)
		end
		assert.are.equal(1200, n)
		assert.are.equal(1200, rows:count())
		for _, options in ipairs {
			{}, { prefix = 'k0001' }, { after = key(1100) }, { limit = 7 }, { limit = 0 }, { prefix = 'x' },
			{ prefix = 'k010', after = key(1050), limit = 30 }, { limit = 5000 },
		} do
			assert.are.equal(#keys(rows:each(options)), rows:count(options))
		end
		assert.are.same({ key(11), key(12) }, keys(rows:each { prefix = 'k0001', after = key(10), limit = 2 }))
		assert.are.same({ key(1000) }, keys(rows:each { prefix = 'k01', after = 'k00999x', limit = 1 }))
		assert.are.same({}, keys(rows:each { limit = 0 }))
		assert.are.same({}, keys(rows:each { prefix = 'x' }))
		assert.are.same({ key(1200) }, keys(rows:each { after = key(1199) }))
		local text
		for _, row in rows:each_json { limit = 1 } do text = row end
		assert.are.equal('{"n":1}', text)
		for _, bad in ipairs { { prefx = 'a' }, { limit = -1 }, { limit = 1.5 }, { prefix = 1 }, { after = {} } } do
			assert.has_error(function() rows:each(bad) end)
			assert.has_error(function() rows:count(bad) end)
		end
		assert.has_error(function() rows:each 'k' end)
	end)

	it('go on behind the end and after a break as nothing', function()
		fill(1, 3)
		local step = db:table 'rows':each()
		assert.are.equal(key(1), (step()))
		assert.are.equal(key(2), (step()))
		assert.are.equal(key(3), (step()))
		assert.is_nil((step()))
		assert.is_nil((step()))
		local again, _, _, walk = db:table 'rows':each()
		assert.are.equal(key(1), (again()))
		walk:close()
		assert.is_nil((again()))
	end)

	it('hand over rows that are no JSON and go on', function()
		fill(1, 2)
		assert(db:transact(function(tx)
			local doc = assert(tx:doc 'rows')
			for name, text in pairs {
				a = '{broken', b = '{"n":1,"n":2}', ['k00001x'] = '1e400', z = '18446744073709551615',
			} do
				assert(doc:set_at_path({ name }, text))
			end
			assert(doc:set('number', 5))
			assert(doc:set('list', tl.list { 1 }))
			assert(doc:set('l.a', true))
		end))
		local rows = assert(db:table 'rows')
		local good, bad = {}, {}
		for name, row, err in rows:each() do
			if err then
				assert.is_nil(row)
				assert.are.equal('bad_json', err.code)
				bad[#bad + 1] = name
			else
				good[#good + 1] = name
			end
		end
		assert.are.same({ key(1), key(2) }, good)
		assert.are.same({ 'a', 'b', 'k00001x', 'l', 'list', 'number', 'z' }, bad)
		local found, unreadable = rows:search(function(row) return row.n == 2 end)
		assert.are.same({ { key = key(2), row = { n = 2 } } }, found)
		assert.are.equal(7, #unreadable)
		assert.are.equal('a', unreadable[1].key)
		assert.are.equal('bad_json', unreadable[1].err.code)
		for _, name in ipairs(bad) do
			local row, err = rows:get(name)
			assert.is_nil(row)
			assert.are.equal('bad_json', err.code)
			assert.is_true(rows:contains(name))
		end
		assert.matches('of type int$', select(2, rows:get 'number').message)
		assert.are.equal(9, rows:count())
		local texts = {}
		for name, text, err in rows:each_json { after = 'l' } do
			texts[#texts + 1] = name .. '=' .. (text or err.code)
		end
		assert.are.same({ 'list=bad_json', 'number=bad_json', 'z=18446744073709551615' }, texts)
		assert(db:transact(function(tx)
			assert.is_true(tx:table 'rows':delete 'number')
			assert(tx:table 'rows':set('list', 'good'))
			assert.are.equal(8, tx:table 'rows':count())
		end))
		assert.are.equal('good', rows:get 'list')
		assert.is_false(rows:contains 'number')
	end)

	it('give false, null and nothing else their due', function()
		assert(db:transact(function(tx)
			local rows = assert(tx:table 'rows')
			assert(rows:set('a', false))
			assert(rows:set('b', tl.null))
			assert(rows:set('c\0d', ''))
		end))
		local seen = {}
		for name, row, err in db:table 'rows':each() do
			assert.is_nil(err)
			seen[#seen + 1] = { name, row }
		end
		assert.are.same({ { 'a', false }, { 'b', tl.null }, { 'c\0d', '' } }, seen)
	end)

	it('see what the loop changes in its transaction', function()
		fill(1, 300)
		assert(db:transact(function(tx)
			local rows = assert(tx:table 'rows')
			local n = 0
			for name, row in rows:each() do
				n = n + 1
				if row == 'new' then
					assert.are.equal('k00010x', name)
				else
					row.seen = true
					assert(rows:set(name, row))
				end
				if name == key(10) then
					assert(rows:delete(key(12)))
					assert(rows:set('k00010x', 'new'))
					assert(rows:set('a behind', 'behind'))
				end
				assert.are_not.equal(key(12), name)
			end
			assert.are.equal(300, n)
		end))
		local rows = assert(db:table 'rows')
		assert.are.equal(301, rows:count())
		assert.is_true(rows:get(key(300)).seen)
	end)

	it('are the same over a transaction and a view of the past', function()
		fill(1, 400)
		local tips = assert(db:get_tips())
		fill(200, 600)
		local view <close> = assert(db:at(tips))
		local then_rows = assert(view:table 'rows')
		assert.are.equal(400, then_rows:count())
		assert.are.same({ key(399), key(400) }, keys(then_rows:each { after = key(398) }))
		local tx <close> = assert(db:new_transaction(tips))
		local rows = assert(tx:table 'rows')
		assert(rows:set('k00399a', 1))
		assert(rows:delete(key(400)))
		assert.are.same({ key(399), 'k00399a' }, keys(rows:each { after = key(398) }))
		assert.are.equal(400, rows:count())
	end)

	it('give members of documents', function()
		assert(db:transact(function(tx)
			local doc = assert(tx:doc 'data')
			for n = 1, 600 do
				assert(doc:set(('members.k%03d'):format(n), { n = n, list = tl.list { n } }))
			end
			assert(doc:delete 'members.k002')
			assert(doc:set('number', 1))
		end))
		local doc = assert(db:doc 'data')
		assert.are.same({ 'members', 'number' }, keys(doc:each()))
		assert.are.same({ 'k001', 'k003', 'k004' }, keys(doc:each('members', { limit = 3 })))
		assert.are.same({ 'k599', 'k600' }, keys(doc:each('members', { prefix = 'k', after = 'k598' })))
		local n = 0
		for _, value in doc:each 'members' do
			n = n + 1
			assert.are.equal(value.n, value.list[1])
		end
		assert.are.equal(599, n)
		assert.are.same({}, keys(doc:each 'number'))
		assert.are.same({}, keys(doc:each 'none'))
	end)

	it('raise when what they stand on ends', function()
		fill(1, 40)
		local tx = assert(db:new_transaction())
		local step = tx:table 'rows':each()
		assert.are.equal(key(1), (step()))
		tx:rollback()
		local ok, err = pcall(step)
		assert.is_false(ok)
		assert.are.equal('closed', err.code)
	end)
end)
