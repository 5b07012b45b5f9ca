-- How the program reads its command line, and how it says what is wrong with it.
local H = require 'spec.helper'
local json = require 'tidelock.json'

-- A directory with a database `n`; run(...) works on it.
local function prepared()
	local data = H.folder() .. '/data'
	local function run(...)
		local words = { ... }
		local at = 1 -- before a '--', behind which nothing is an option
		while words[at] and words[at] ~= '--' do
			at = at + 1
		end
		table.insert(words, at, '-d')
		table.insert(words, at + 1, data)
		return H.run(table.unpack(words))
	end
	assert.are.equal(0, (run('db', 'create', 'n')))
	return run, data
end

describe('the command line', function()
	teardown(H.clean)

	it('has help for the program and for each command', function()
		for _, words in ipairs { { 'help' }, { '-h' }, { '--help' } } do
			local status, out = H.run(table.unpack(words))
			assert.are.equal(0, status)
			assert.matches('Usage: tidelock', out)
			assert.matches('\n   status ', out)
		end
		for _, words in ipairs { { 'help', 'db', 'set' }, { 'db', 'set', '-h' }, { 'db', 'set', 'n', '--help' } } do
			local status, out = H.run(table.unpack(words))
			assert.are.equal(0, status)
			assert.matches('^Usage: tidelock db set %[OPTIONS%] <db> <store> <path> ... <value>\n', out)
		end
		local status, _, err = H.run('help', 'db', 'sett')
		assert.are.equal(2, status)
		assert.are.equal("tidelock: unknown command 'sett'; did you mean 'set'?\n", err)
		local version = 'tidelock ' .. require 'tidelock'.version() .. '\n'
		for _, words in ipairs { { 'version' }, { '--version' } } do
			assert.are.same({ 0, version, '' }, { H.run(table.unpack(words)) })
		end
	end)

	it('names the nearest of what it does not know, in one line', function()
		for words, expected in pairs {
			['stats'] = "unknown command 'stats'; did you mean 'status'?",
			['verfiy'] = "unknown command 'verfiy'; did you mean 'verify'?",
			['db craete n'] = "unknown command 'craete'; did you mean 'create'?",
			['row lits n t'] = "unknown command 'lits'; did you mean 'list'?",
			['status --jsno'] = "unknown option '--jsno'; did you mean '--json'?",
			['status --dta x'] = "unknown option '--dta'; did you mean '--data'?",
			['db get n d --litteral x'] = "unknown option '--litteral'; did you mean '--literal'?",
			['dance'] = "unknown command 'dance'; `tidelock help` lists them",
			['db set n d k -x'] = "unknown option '-x'; a value that begins with a dash goes behind '--'",
			[''] = 'a command is required; `tidelock help` lists them',
			['db'] = 'a command is required; `tidelock help` lists them',
			['db get n'] = "missing argument 'store'",
			['log n -n -5'] = "'-5' is no whole number above 0",
			['status --log loud'] = "'loud' is no level of the log; use debug, info, warning, error or off",
		} do
			local list = {}
			for word in words:gmatch '%S+' do
				list[#list + 1] = word
			end
			local status, out, err = H.run(table.unpack(list))
			assert.are.same({ 2, '', 'tidelock: ' .. expected .. '\n' }, { status, out, err })
		end
	end)

	it('takes options before the command as well', function()
		local _, data = prepared()
		for _, words in ipairs {
			{ '-d', data, 'db', 'list', '--json' }, { '--json', '--data=' .. data, 'db', 'list' },
			{ 'db', '-d', data, '--json', 'list' }, { '--wait', '2s', '-d', data, '--json', 'db', 'list' },
			{ '-d' .. data, 'db', '--log', 'off', 'list', '--json' },
		} do
			local status, out, err = H.run(table.unpack(words))
			assert.are.same({ 0, '' }, { status, err })
			assert.are.equal('n', json.decode(out)[1].name)
		end
		local script = H.write(H.folder() .. '/script.lua', 'print(...)')
		assert.are.same({ 0, '-d\tx\n', '' },
			{ H.run('--log', 'info', '--wait=1s', 'run', script, '-d', 'x') })
		assert.matches('^Usage: tidelock db list', select(2, H.run('-d', data, 'db', 'list', '--help')))
		for words, said in pairs {
			['-d x'] = 'a command is required; `tidelock help` lists them',
			['-d'] = 'a command is required', ['--json -d'] = 'a command is required',
			['db --jsno list'] = "unknown option '--jsno'; did you mean '--json'?",
			['--dta x db list'] = "unknown option '--dta'; did you mean '--data'?",
			['-d x db lits'] = "unknown command 'lits'; did you mean 'list'?",
			['-d x stats'] = "did you mean 'status'?", ['--dta=x status'] = "option '--dta'; did you mean '--data'?",
			['--jsno'] = "did you mean '--json'?", ['-d x db'] = 'a command is required',
		} do
			local list = {}
			for word in words:gmatch '%S+' do
				list[#list + 1] = word
			end
			local status, _, err = H.run(table.unpack(list))
			assert.are.equal(2, status)
			assert.is_truthy(err:find(said, 1, true), words .. ': ' .. err)
		end
	end)

	it('takes for options only what looks like one', function()
		local run = prepared()
		for _, value in ipairs {
			'-5', '-1', '-9223372036854775808', '-0.5', '-1e3', '-', '- milk', '-5 degrees',
		} do
			assert.are.equal(0, (run('db', 'set', 'n', 'd', 'k', value)))
			assert.are.equal(value .. '\n', select(2, run('db', 'get', 'n', 'd', 'k')))
		end
		for _, value in ipairs { '-x', '--json', '-d', '--' } do
			assert.are.equal(0, (run('db', 'set', 'n', 'd', 'k', '--', value)))
			assert.are.equal(value .. '\n', select(2, run('db', 'get', 'n', 'd', 'k')))
		end
		assert.are.equal(0, (run('db', 'set', 'n', 'd', '-1', '-2')))
		assert.are.equal('-2\n', select(2, run('db', 'get', 'n', 'd', '-1')))
		assert.are.equal(0, (run('db', 'create', '-7')))
		assert.are.equal(0, (run('db', 'get', '-7', 'd')))
	end)

	it('keeps numbers as they are typed', function()
		local run = prepared()
		for value, stored in pairs {
			['5'] = '5', ['-5'] = '-5', ['9223372036854775807'] = '9223372036854775807',
			['1.50'] = '"1.50"', ['-0.5'] = '"-0.5"', ['1e3'] = '"1e3"', ['"5"'] = '"5"', ['1.x'] = '"1.x"',
			['1.5e2'] = '"1.5e2"', ['2024-01-31'] = '"2024-01-31"', ['1.2.3'] = '"1.2.3"', ['5 apples'] = '"5 apples"',
			['0x10'] = '"0x10"', ['.'] = '"."', ['+'] = '"+"', ['e5'] = '"e5"',
		} do
			assert.are.equal(0, (run('db', 'set', 'n', 'd', 'k', value)))
			assert.are.equal(stored .. '\n', select(2, run('db', 'get', 'n', 'd', 'k', '--json')))
		end
		local status, _, err = run('db', 'set', 'n', 'd', 'k', '{"price":1.5}')
		assert.are.equal(1, status)
		assert.matches('whole numbers', err)
	end)

	it('refuses what looks like JSON and is none, and takes it as a text when told to', function()
		local run = prepared()
		for value, reason in pairs {
			['[1,'] = 'ends too early', ['{"a":1,"a":2}'] = 'comes twice', ['{a:1}'] = 'malformed',
			['"unclosed'] = 'ends too early', ['"a" b'] = 'data after', [' [1] x'] = 'data after', ['01'] = 'number',
			['-01'] = 'number', ['1.'] = 'number', ['.5'] = 'malformed', ['+5'] = 'malformed',
			['1e400'] = 'too large for a double', ['18446744073709551615'] = 'does not fit 64 bits',
			['[18446744073709551615]'] = 'does not fit 64 bits', ['{}}'] = 'data after',
		} do
			for _, words in ipairs {
				{ 'db', 'set', 'n', 'd', 'k' }, { 'row', 'set', 'n', 't', 'k' }, { 'row', 'add', 'n', 't' },
			} do
				words[#words + 1] = value
				local status, out, err = run(table.unpack(words))
				assert.are.same({ 1, '' }, { status, out })
				assert.matches('the value looks like JSON and is none: .*' .. reason .. '.*%-%-text', err)
				table.insert(words, 3, '--text')
				assert.are.equal(0, (run(table.unpack(words))))
			end
			for _, words in ipairs { { 'db', 'get', 'n', 'd', 'k' }, { 'row', 'get', 'n', 't', 'k' } } do
				words[#words + 1] = '--json'
				assert.are.equal(value, json.decode(select(2, run(table.unpack(words)))))
			end
		end
		for _, value in ipairs { '5', 'null', '"quoted"', '[1]', '1.5' } do
			assert.are.equal(0, (run('row', 'set', 'n', 't', 'k', value, '--text')))
			assert.are.equal(value, json.decode(select(2, run('row', 'get', 'n', 't', 'k', '--json'))))
		end
	end)

	it('reads paths with dots, and literal keys', function()
		local run = prepared()
		assert.are.equal(0, (run('db', 'set', 'n', 'd', 'a.b', '1')))
		assert.are.equal(0, (run('db', 'set', 'n', 'd', '--literal', 'a.b', '2')))
		assert.are.equal(0, (run('db', 'set', 'n', 'd', 'x.y', 'z.w', '3')))
		assert.are.same({ a = { b = 1 }, ['a.b'] = 2, ['x.y'] = { ['z.w'] = 3 } },
			json.decode(select(2, run('db', 'get', 'n', 'd'))))
		assert.are.equal('1\n', select(2, run('db', 'get', 'n', 'd', 'a.b')))
		assert.are.equal('1\n', select(2, run('db', 'get', 'n', 'd', 'a', 'b')))
		assert.are.equal('2\n', select(2, run('db', 'get', 'n', 'd', 'a.b', '--literal')))
		assert.are.equal('3\n', select(2, run('db', 'get', 'n', 'd', 'x.y', 'z.w')))
		assert.are.equal(0, (run('db', 'set', 'n', 'd', 'x.y', 'z.w', 'null')))
		assert.are.equal(1, (run('db', 'get', 'n', 'd', 'x.y', 'z.w')))
		assert.are.equal(2, (run('db', 'set', 'n', 'd', 'only-a-path')))
	end)

	it('answers in JSON, errors too', function()
		local run = prepared()
		local function failure(...)
			local status, out, err = run(...)
			assert.are.equal('', out)
			local told = json.decode(err).error
			return status, told.code, told.message
		end
		assert.are.same({ 1, 'database_not_found' }, { (select(1, failure('db', 'get', 'x', 'd', '--json'))),
			(select(2, failure('db', 'get', 'x', 'd', '--json'))) })
		local status, code, message = failure('db', 'get', 'n', 'd', 'k', '--json')
		assert.are.same({ 1, 'key_not_found' }, { status, code })
		assert.is_nil(message:find('key_not_found', 1, true))
		status, code = failure('db', 'get', '--json')
		assert.are.same({ 2, 'bad_argument' }, { status, code })
		status, code = failure('db', 'set', 'n', 'd', 'k', '\xff', '--json')
		assert.are.same({ 1, 'bad_argument' }, { status, code })
		status, code = failure('db', 'get', 'n', 'd', '\xff', '--json')
		assert.are.same({ 1, 'bad_argument' }, { status, code })
	end)

	it('takes directory and log level from the environment', function()
		local _, data = prepared()
		local function with(environment, words)
			local pipe = assert(io.popen(('env -u LUA_CPATH %s %q %s 2>&1'):format(environment, H.program, words)))
			local out = pipe:read 'a'
			return select(3, pipe:close()), out
		end
		local status, list = with('TIDELOCK_DATA=' .. data, 'db list')
		assert.are.equal(0, status)
		assert.matches(' n ', list)
		assert.are.equal(1, (with('TIDELOCK_DATA=/nowhere', 'db list')))
		assert.are.equal(0, (with('TIDELOCK_DATA=/nowhere', 'db list -d ' .. data)))
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { backend = tl.memory() })
			node:sync():enable_http_transport()
			node:sync():start_server '127.0.0.1:0'
			tl.log.info 'from the script'
			node:sync():stop_server()]])
		local _, quiet = with('TIDELOCK_LOG=', 'run ' .. script)
		assert.matches('info script: from the script\n$', quiet)
		assert.is_nil(quiet:find('serving', 1, true))
		for _, said in ipairs {
			(select(2, with('TIDELOCK_LOG=info', 'run ' .. script))),
			(select(2, with('TIDELOCK_LOG=off', 'run --log info ' .. script))),
			(select(2, with('', 'run --log=info ' .. script .. ' --log off'))),
		} do
			assert.matches('info server: serving at http:', said)
			assert.matches('info script: from the script', said)
			assert.matches('info server: serves no more', said)
		end
		assert.are.equal('', select(2, with('TIDELOCK_LOG=warning', 'run ' .. script)))
		assert.are.equal(2, (with('TIDELOCK_LOG=loud', 'run ' .. script)))
	end)
end)
