-- tidelock.json and rows: what goes in comes out, what cannot is refused.
local H = require 'spec.helper'
local json = require 'tidelock.json'
local core = require 'tidelock.core'
local tl = require 'tidelock'

local function refused(value, ...)
	local ok, err = pcall(json.encode, value)
	assert.is_false(ok, 'written: ' .. tostring(err))
	for _, piece in ipairs { ... } do
		assert.truthy(err:find(piece, 1, true), ('%s lacks %s'):format(err, piece))
	end
end

local function decoded(text)
	local value, err = json.decode(text)
	assert.is_nil(err)
	return value
end

local function same_text(text)
	assert.are.equal(text, json.encode(decoded(text)))
end

local function same_value(value)
	local got = decoded(json.encode(value))
	assert.are.equal(math.type(value), math.type(got))
	assert.are.equal(value, got)
end

describe('JSON', function()
	after_each(H.clean)

	it('keeps numbers', function()
		for _, value in ipairs { 0, -1, math.maxinteger, math.mininteger, 9007199254740993, 2 ^ 53, 1e15,
			1e16, 1e300, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, 1 / 3, -0.5, 100.0, 2 ^ -44, 1e-7 } do
			same_value(value)
		end
		assert.are.equal('[1.0,1000000000000000.0,1.0e16,-0.0,5.0e-324]',
			json.encode { 1.0, 1e15, 1e16, -0.0, 5e-324 })
		assert.are.equal('float', math.type(json.decode '-0'))
		assert.are.equal('float', math.type(json.decode '1e2'))
		assert.are.equal('integer', math.type(json.decode '12'))
		for _, value in ipairs { 1 / 0, -1 / 0, 0 / 0 } do
			refused({ a = { value } }, 'a[1]')
		end
	end)

	it('keeps every character', function()
		local bytes = {}
		for code = 0, 0x300 do bytes[#bytes + 1] = utf8.char(code) end
		local text = table.concat(bytes) .. '\u{FFFF}\u{10000}\u{10FFFF}' .. [[\u0000 C:\u0041]]
		same_value(text)
		assert.are.equal(text, json.decode(json.encode { [text] = text })[text])
		for _, bad in ipairs { '\xff', 'a\xc0\x80', '\xed\xa0\x80', '\xe2\x82' } do
			refused({ texts = { 'good', bad } }, 'texts[2]', 'UTF-8')
			refused({ [bad] = 1 }, 'UTF-8')
		end
	end)

	it('keeps null, false and what is empty', function()
		for _, text in ipairs { 'null', 'false', '[]', '{}', '[null,false,[],{}]',
			'{"a":null,"b":false,"c":[],"d":{},"e":[[],{}]}' } do
			same_text(text)
		end
		assert.are.equal(tl.null, json.decode 'null')
		local row = json.decode '{"gone":null,"items":[1,2],"none":[],"members":{"x":1}}'
		row.n = 2
		table.remove(row.items)
		table.remove(row.items)
		row.none[1] = 'a'
		row.members.x = nil
		assert.are.equal('{"gone":null,"items":[],"members":{},"n":2,"none":["a"]}', json.encode(row))
		assert.are.equal('[]', json.encode(json.array()))
		assert.are.equal('[1]', json.encode(json.array { 1 }))
	end)

	it('refuses texts that are not one JSON value', function()
		for _, text in ipairs { '', ' ', '01', '-01', '1e400', '[-1e999]', '1 2', '{} x', '[1,]', '{"a":}',
			'{"a":1,"a":1}', '{"a":{"b":1,"\\u0062":2}}', '9223372036854775808', '-9223372036854775809',
			'18446744073709551615', '"\\ud800"', '"\\udc00x"', '"\xff"', '"a\nb"', '\xef\xbb\xbf1', 'nul',
			'NaN', '1.', '.5', "'a'", '[1 2]', '{"a" 1}', '"\\x"', '1\0', ('['):rep(128) .. (']'):rep(128) } do
			local value, err = json.decode(text)
			assert.is_nil(value)
			assert.are.equal('bad_json', err.code)
			assert.is_true(#err.message > 10)
		end
		assert.has_error(function() json.decode(5) end)
		assert.has_error(function() json.decode() end)
	end)

	it('refuses tables that JSON has not, and says where', function()
		refused({ 'a', owner = 'x' }, 'the value', 'named')
		refused({ [1] = 'a', [3] = 'c' }, 'item 2')
		refused({ [1] = 'a', [1000000] = 'c' }, 'item 2')
		refused({ [0] = 'a' }, 'key 0')
		refused({ [-1] = 'a' }, 'key -1')
		refused({ [1.5] = 'a' }, 'key 1.5')
		refused({ [true] = 'a' }, 'key true')
		refused({ [{}] = 'a' }, 'key table')
		refused({ rows = { tags = { 'a', 'b', print } } }, 'rows.tags[3] is of type function')
		refused({ { { x = { ['a b'] = { io.stdout } } } } }, '[1][1].x["a b"][1] is file')
		refused({ a = { b = coroutine.create(print) } }, 'a.b is of type thread')
		refused({ a = tl.deleted }, 'a is deleted')
		refused(nil, 'nil')
		local array = json.decode '[]'
		array.owner = 'x'
		refused({ list = array }, 'list is an array with named members')
	end)

	it('refuses cycles and too many levels', function()
		local loop = { inner = {} }
		loop.inner.loop = loop
		refused(loop, 'contains itself', 'inner.loop')
		local deep = {}
		for _ = 1, 126 do deep = { deep } end
		same_text(json.encode(deep))
		refused({ deep }, 'nested too deeply')
		refused({ a = { list = { deep } } }, 'nested too deeply')
	end)

	it('takes lists and values of documents anywhere', function()
		local list = tl.list { 'a', { b = tl.list { 1, tl.null } }, tl.list {} }
		assert.are.equal('{"x":["a",{"b":[1,null]},[]],"y":[["a",{"b":[1,null]},[]]]}',
			json.encode { x = list, y = { list } })
		assert.are.equal('["a",{"b":[1,null]},[]]', json.encode(list))
		assert.are.equal('[]', json.encode(tl.list {}))
	end)

	it('is the same text for the same table, whatever the options', function()
		local value = { b = 1, a = { 1, { c = {} } }, B = 2, ['é'] = 3, [''] = 4, ['a\0'] = 5 }
		local text = '{"":4,"B":2,"a":[1,{"c":{}}],"a\\u0000":5,"b":1,"é":3}'
		assert.are.equal(text, json.encode(value))
		local pretty = json.encode(value, { pretty = true })
		assert.truthy(pretty:find('\n  "a": [\n    1,\n', 1, true))
		assert.are.equal(text, json.encode(json.decode(pretty)))
	end)

	it('brings random values back', function()
		local seed = H.seed(1)
		local random = math.random
		local function text()
			local codes = {}
			for index = 1, random(0, 8) do
				local code = random(0, ({ 0x20, 0x7f, 0x7ff, 0xffff, 0x10ffff })[random(5)])
				codes[index] = utf8.char(code >= 0xd800 and code < 0xe000 and 0 or code)
			end
			return table.concat(codes)
		end
		local function value(depth)
			local kind = random(depth > 5 and 5 or 7)
			if kind == 1 then return tl.null end
			if kind == 2 then return random(2) == 1 end
			if kind == 3 then return random(0) end
			if kind == 4 then return (string.unpack('<d', string.pack('<i8', random(0) & ~(1 << 62)))) end
			if kind == 5 then return text() end
			local made = kind == 6 and json.array() or {}
			for index = 1, random(0, 6) do
				made[kind == 6 and index or text()] = value(depth + 1)
			end
			return made
		end
		for _ = 1, 500 do
			local made = value(0)
			local written = json.encode(made)
			local read = decoded(written)
			assert.are.equal(written, json.encode(read), seed)
			assert.are.same(made, read, seed)
		end
	end)

	it('leaves out null where it stands for absence', function()
		local record = core.record '{"a":null,"b":[null,{"c":null}]}'
		assert.is_nil(record.a)
		assert.are.equal(tl.null, record.b[1])
		assert.is_nil(next(record.b[2]))
		local value, err = core.record '{"a":null,"a":1}'
		assert.is_nil(value)
		assert.are.equal('bad_json', err.code)
		value, err = core.record(nil, 'why')
		assert.is_nil(value)
		assert.are.equal('why', err)
	end)
end)

describe('a locale with a decimal comma', function()
	after_each(function()
		os.setlocale 'C'
		H.clean()
	end)

	it('changes neither JSON nor durations nor sizes', function()
		if not H.comma_locale() then
			pending 'no such locale can be made on this machine'
			return
		end
		assert.are.equal('1,5', tostring(1.5))
		assert.are.equal('[1.5,-0.25,1.0e300]', json.encode { 1.5, -0.25, 1e300 })
		assert.are.equal(1.5, json.decode '[1.5]'[1])
		assert.is_nil((json.decode '1,5'))
		assert.are.equal(1500, core.duration(1.5))
		assert.are.equal(1500, core.duration '1.5s')
		assert.are.equal(90000, core.duration '1.5m')
		assert.are.equal(1536, core.size '1.5KiB')
		assert.has_error(function() core.duration '1,5s' end)
	end)
end)

describe('rows', function()
	local node, db

	before_each(function()
		node = assert(tl.open { backend = tl.memory(), sync = false })
		assert(node:add_private_key 'me')
		db = assert(node:new_database({ name = 'rows' }, 'me'))
	end)
	after_each(function() node:close(0) end)

	local function write(fn)
		assert(db:transact(function(tx)
			fn(assert(tx:table 'rows'))
		end))
	end

	it('are any JSON value', function()
		for _, row in ipairs { tl.null, false, true, 0, -0.5, '', 'a\0b', [[\u0000]], 1e15 } do
			write(function(rows) assert(rows:set('k', row)) end)
			assert.are.equal(row, (db:table 'rows':get 'k'))
		end
		write(function(rows) assert(rows:set('k', {})) end)
		assert.are.equal('{}', db:table 'rows':get_json 'k')
		write(function(rows) assert(rows:set('k', tl.list { 1, { a = 'b' } })) end)
		assert.are.equal('[1,{"a":"b"}]', db:table 'rows':get_json 'k')
	end)

	it('survive reading, changing one member and writing back', function()
		local text = '{"a":null,"b":[],"c":{},"d":1618065507111835497,"e":0.1,"f":[null,1.0],"g":"\\u0000"}'
		write(function(rows)
			assert(rows:set_json('k', text))
			local row = assert(rows:get 'k')
			row.h = 'new'
			assert(rows:set('k', row))
		end)
		assert.are.equal(text:sub(1, -2) .. ',"h":"new"}', db:table 'rows':get_json 'k')
	end)

	it('are refused where they cannot be kept, and the error says where', function()
		write(function(rows)
			local ok, err = pcall(rows.set, rows, 'k', { tags = { 'a', 'b', print } })
			assert.is_false(ok)
			assert.truthy(err:find('row.tags[3] is of type function', 1, true))
			ok, err = pcall(rows.insert, rows, { [1] = 1, a = 2 })
			assert.is_false(ok)
			assert.truthy(err:find('row has items and named members', 1, true))
			assert.has_error(function() rows:set 'k' end)
			assert.is_nil((rows:get 'k'))
		end)
		for _, bad in ipairs { '{"a":1,"a":2}', '1e400', '01', '{} {}' } do
			local _, err = db:transact(function(tx)
				return tx:table 'rows':set_json('k', bad)
			end)
			assert.are.equal('bad_json', err.code)
		end
	end)
end)

describe('documents and lists', function()
	it('say where a table cannot be one', function()
		local function says(piece, fn, ...)
			local ok, err = pcall(fn, ...)
			assert.is_false(ok)
			assert.truthy(err:find(piece, 1, true), err)
		end
		says('a.b has a fraction', tl.doc.write, { a = { b = 0.5 } })
		says('a.b is of type function', tl.doc.write, { a = { b = print } })
		says('a.b is refused: a text is not UTF-8', tl.doc.write, { a = { b = '\xff' } })
		says('rows has keys that are no strings', tl.doc.write, { rows = { 'a' } })
		says('the key \'owner\'', tl.list, { 'a', owner = 'x' })
		says('no item 2', tl.list, { [1] = 'a', [3] = 'c' })
		says('[2].x is of type function', tl.list, { 'a', { x = print } })
		local loop = {}
		loop.loop = loop
		says('contains itself', tl.doc.write, loop)
	end)
end)
