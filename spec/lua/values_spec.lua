require 'spec.helper'
local doc = require 'tidelock.doc'
local core = require 'tidelock.core'
require 'tidelock'

describe('values', function()
	it('keep every type of a document', function()
		local text = '{"children":{"a":"Null","b":{"Bool":true},"c":{"Int":-5},"d":{"Text":"x"},'
			.. '"e":{"Doc":{"children":{"f":"Deleted"}}}}}'
		local value = assert(doc.parse(text))
		assert.are.equal(doc.null, value.a)
		assert.is_true(value.b)
		assert.are.equal(-5, value.c)
		assert.are.equal('x', value.d)
		assert.are.equal(doc.deleted, value.e.f)
		assert.are.equal(text, doc.write(value))
		assert.are.equal('null', tostring(doc.null))
	end)

	it('keep the arrays of JSON as lists, empty ones too', function()
		local json = require 'tidelock.json'
		local text = '{"a":[],"b":{},"c":[1,["x",[]]]}'
		assert.are.equal(text, doc.to_json(json.decode(text)))
		assert.are.equal(text, doc.to_json(assert(doc.parse(doc.write(json.decode(text))))))
		local holed = json.array { 1, 2, 3 }
		holed[2] = nil
		assert.has_error(function() doc.to_json { holed } end)
	end)

	it('keep lists with their positions', function()
		local list = doc.list { 'a', 'b' }
		assert.are.equal(2, #list)
		assert(list:insert(2, 'between'))
		assert.are.same({ 'a', 'between', 'b' }, list:totable())
		local again = assert(doc.parse(doc.write { list = list })).list
		assert.are.equal(list, again)
		assert(list:remove(1))
		assert.are.equal('between', list[1])
		assert.is_nil(list[3])
		assert.has_error(function() list:set(0, 'x') end)
		local ok, err = list:insert(9, 'x')
		assert.is_nil(ok)
		assert.are.equal('index_out_of_bounds', err.code)
	end)

	it('walk through lists', function()
		local list = doc.list { 'a', false, doc.null, doc.list {} }
		for _, walk in ipairs { pairs, ipairs } do
			local places, items = {}, {}
			for place, item in walk(list) do
				places[#places + 1], items[#items + 1] = place, item
			end
			assert.are.same({ 1, 2, 3, 4 }, places)
			assert.are.same(list:totable(), items)
		end
		for _ in pairs(doc.list()) do
			error 'it is empty'
		end
		for place in pairs(list) do
			if place == 1 then list:remove(3) end
		end
		assert.are.equal(3, #list)
	end)

	it('take thousands of items at one place', function()
		for way, place in ipairs { function(i) return i + 1 end, function() return 2 end } do
			local list = doc.list { 'first', 'last' }
			for i = 1, 2000 do assert(list:insert(place(i), i)) end
			assert.are.equal(2002, #list)
			local items = list:totable()
			for i = 1, 2000 do assert.are.equal(i, items[way == 1 and i + 1 or 2002 - i]) end
		end
	end)

	it('put an item between two that were pushed apart', function()
		for _ = 1, 40 do
			local base = doc.write { l = doc.list { 'first' } }
			local a, b = assert(doc.parse(base)), assert(doc.parse(base))
			assert(a.l:push 'from a')
			assert(b.l:push 'from b')
			local both = doc.merge(a, b)
			local wanted = both.l:totable()
			assert(both.l:insert(3, 'between'))
			table.insert(wanted, 3, 'between')
			assert.are.same(wanted, doc.merge(b, both).l:totable())
		end
	end)

	it('refuse what the format has not', function()
		assert.has_error(function() doc.write { 1, 2 } end)
		assert.has_error(function() doc.write { a = 1.5 } end)
		assert.has_error(function() doc.write { a = '\xff' } end)
		assert.has_error(function() doc.write { a = print } end)
		local loop = {}
		loop.loop = loop
		assert.has_error(function() doc.write(loop) end)
		assert.are.equal('{"children":{"a":{"Int":2}}}', doc.write { a = 2.0 })
	end)

	it('merge as documents do', function()
		local merged = doc.merge({ a = { x = 1, y = 2 }, b = 1 }, { a = { y = 3 }, b = doc.deleted })
		assert.are.same({ a = { x = 1, y = 3 }, b = doc.deleted }, merged)
	end)

	it('tell bad documents by an error object', function()
		local value, err = doc.parse '{"children":'
		assert.is_nil(value)
		assert.are.equal('bad_json', err.code)
		assert.is_true(err:is_validation_error())
		assert.is_false(err:is_sync_error())
		assert.matches('bad_json', tostring(err))
	end)
end)

describe('measures', function()
	it('are numbers or texts with units', function()
		assert.are.equal(250, core.duration '250ms')
		assert.are.equal(600000, core.duration '10m')
		assert.are.equal(1500, core.duration(1.5))
		assert.are.equal(4194304, core.size '4MiB')
		assert.are.equal(9000000000000000, core.duration '9000000000000000ms')
		assert.has_error(function() core.duration '9000000000000002ms' end)
		assert.are.equal(9000000000000000, core.size(9000000000000000))
		assert.has_error(function() core.size(9000000000000002) end)
		assert.are.equal(1250, core.duration '1.250s')
		assert.are.equal(333, core.duration '0.33333333333333333333333333333s')
		for _, bad in ipairs { '', 's', '.5s', '1.s', '1.2.3s', '-1s', '+1s', ' 1s', '1 s', '0x10s', '1e3', 'inf',
			'nan', '1s\0', '99999999999999999999s' } do
			assert.has_error(function() core.duration(bad) end)
		end
		assert.has_error(function() core.duration(0 / 0) end)
		assert.has_error(function() core.duration '10 parsecs' end)
		assert.has_error(function() core.duration(-1) end)
		assert.has_error(function() core.size 'many' end)
	end)
end)
