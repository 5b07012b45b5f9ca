-- The commands on rows of Tables.
local H = require 'spec.helper'
local json = require 'tidelock.json'

describe('the commands on rows', function()
	teardown(H.clean)

	local data
	local function run(...)
		local words = { ... }
		words[#words + 1], words[#words + 2] = '-d', data
		return H.run(table.unpack(words))
	end

	before_each(function()
		data = H.folder() .. '/data'
		assert.are.equal(0, (run('db', 'create', 'n')))
	end)

	it('write, read, list and delete, exactly', function()
		for key, row in pairs {
			big = '{"n":9007199254740993,"x":null}', float = '[1.5,2.0,1e+300]', no = 'false',
			text = '"a\\u0000b"', empty = '[[],{}]',
		} do
			assert.are.equal(0, (run('row', 'set', 'n', 't', key, row)))
			assert.are.equal(row .. '\n', select(2, run('row', 'get', 'n', 't', key, '--json')))
		end
		assert.are.equal(0, (run('row', 'set', 'n', 't', 'word', 'hello')))
		local _, key = run('row', 'add', 'n', 't', '-5')
		assert.matches('^%x+%-%x+%-4%x+%-%x+%-%x+\n$', key)
		assert.are.equal('-5\n', select(2, run('row', 'get', 'n', 't', (key:gsub('\n', '')))))
		local _, list = run('row', 'list', 'n', 't', '--json')
		local rows = json.decode(list)
		assert.are.equal(7, #rows)
		for index = 2, #rows do
			assert.is_true(rows[index - 1].key < rows[index].key)
		end
		local _, lines = run('row', 'list', 'n', 't')
		assert.matches('\nbig  {"n":9007199254740993,"x":null}\n', '\n' .. lines)
		assert.matches('\nword  "hello"\n$', lines)
		assert.are.equal('no  false\n', select(2, run('row', 'list', 'n', 't', '--after', 'float', '-n', '1')))
		assert.are.equal(0, (run('row', 'delete', 'n', 't', 'no')))
		for _, words in ipairs { { 'get' }, { 'delete' } } do
			local status, _, err = run('row', words[1], 'n', 't', 'no')
			assert.are.equal(1, status)
			assert.matches('key_not_found', err)
		end
	end)

	it('take back what they show', function()
		assert.are.equal(0, (run('row', 'set', 'n', 't', 'k', '{"a":[1,{"b":"c\\n"}],"d":1.50}')))
		local _, shown = run('row', 'get', 'n', 't', 'k')
		assert.matches('\n.+\n', shown)
		assert.are.equal(0, (run('row', 'set', 'n', 't', 'copy', shown)))
		assert.are.equal(shown, select(2, run('row', 'get', 'n', 't', 'copy')))
		assert.are.equal(0, (run('db', 'set', 'n', 'd', 'k', '{\r\n"a":\n1}')))
		assert.are.equal('{"a":1}\n', select(2, run('db', 'get', 'n', 'd', 'k', '--json')))
	end)

	it('list many, and rows that others spoilt', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] })
			local db <close> = assert(node:find_database 'n')
			assert(db:set_default_auth_key 'default')
			assert(db:transact(function(tx)
				for n = 1, 2500 do tx:table 't':set(('k%04d'):format(n), n) end
				tx:doc 't':set('k9', 'no JSON\27\n')
				tx:doc 't':set('l.a', 1)
			end))]])
		assert.are.same({ 0, '', '' }, { H.run('run', script, data) })
		local _, list = run('row', 'list', 'n', 't', '--json')
		local rows = json.decode(list)
		assert.are.equal(2502, #rows)
		assert.are.same({ key = 'k0001', row = 1 }, rows[1])
		assert.are.same({ key = 'k9', error = 'bad_json', text = 'no JSON\27\n' }, rows[2501])
		assert.are.same({ key = 'l', error = 'bad_json', type = 'doc' }, rows[2502])
		assert.are.equal(1234, select(2, select(2, run('row', 'list', 'n', 't', '-n', '1234')):gsub('\n', '')))
		assert.are.equal('k9  (no JSON) no JSON\\u001b\\n\nl  (no JSON, but of type doc)\n',
			select(2, run('row', 'list', 'n', 't', '--after', 'k2500')))
		for _, key in ipairs { 'k9', 'l' } do
			local status, _, err = run('row', 'get', 'n', 't', key)
			assert.are.equal(1, status)
			assert.matches('bad_json', err)
		end
	end)
end)
