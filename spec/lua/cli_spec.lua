local H = require 'spec.helper'
local uv = require 'luv'

local function run(...)
	return H.run(...)
end

describe('the program', function()
	teardown(H.clean)

	it('works on a data directory', function()
		local data = H.folder() .. '/data'
		assert.are.equal(0, (run('init', '-d', data)))
		local status, id = run('db', 'create', 'notes', '-d', data)
		assert.are.equal(0, status)
		id = id:gsub('%s+$', '')
		assert.matches('^sha256:%x+$', id)
		assert.are.equal(0, (run('db', 'set', 'notes', 'data', 'a.b', '"x"', '-d', data)))
		assert.are.equal(0, (run('db', 'set', id, 'data', 'n', '5', '-d', data)))
		local _, value = run('db', 'get', 'notes', 'data', 'a.b', '-d', data)
		assert.are.equal('x\n', value)
		local _, all = run('db', 'get', 'notes', 'data', '--json', '-d', data)
		assert.are.same({ a = { b = 'x' }, n = 5 }, require 'tidelock.json'.decode(all))
		local _, list = run('db', 'list', '-d', data)
		assert.matches('notes', list)
		local _, log = run('log', '--graph', 'notes', '-d', data)
		assert.matches('^%*  %x+', log)
		assert.are.equal(3, select(2, log:gsub('%*', '')))
		local verified, text = run('verify', '-d', data)
		assert.are.equal(0, verified)
		assert.matches('0 findings', text)

		local file = H.folder() .. '/export'
		assert.are.equal(0, (run('db', 'export', 'notes', file, '-d', data)))
		local other = H.folder() .. '/other'
		local imported, said = run('db', 'import', file, '--init', '-d', other)
		assert.are.equal(0, imported)
		assert.matches('3 new entries', said)
		local _, again = run('db', 'get', id, 'data', 'a.b', '-d', other)
		assert.are.equal('x\n', again)
	end)

	it('loses nothing of a value on its way to the terminal', function()
		local data = H.folder() .. '/data'
		assert.are.equal(0, (run('init', '-d', data)))
		assert.are.equal('[]\n', select(2, run('db', 'list', '--json', '-d', data)))
		assert.are.equal(0, (run('db', 'create', 'n', '-d', data)))
		for key, value in pairs {
			f = 'false', big = '9007199254740993', l = [=[[[],{},[1,null,"a\"\\"]]]=],
		} do
			assert.are.equal(0, (run('db', 'set', 'n', 'data', key, value, '-d', data)))
			local status, shown = run('db', 'get', 'n', 'data', key, '--json', '-d', data)
			assert.are.equal(0, status)
			assert.are.equal(value .. '\n', shown)
		end
		local _, shown = run('db', 'get', 'n', 'data', '-d', data)
		assert.are.equal([[
{
  "big": 9007199254740993,
  "f": false,
  "l": [
    [],
    {},
    [
      1,
      null,
      "a\"\\"
    ]
  ]
}
]], shown)
		assert.matches('"pairs":%[%]', select(2, run('status', '--json', '-d', data)))
	end)

	it('tells what is wrong, with its exit status', function()
		local data = H.folder() .. '/data'
		assert.are.equal(0, (run('init', '-d', data)))
		local status, _, err = run('db', 'get', 'nothing', 'data', '-d', data)
		assert.are.equal(1, status)
		assert.matches("no database 'nothing'", err)
		assert.is_nil(err:find('traceback', 1, true))
		assert.are.equal(0, (run('db', 'create', 'n', '-d', data)))
		for _, path in ipairs { 'a..b', '.a', 'a.', '' } do
			status, _, err = run('db', 'set', 'n', 'data', path, '1', '-d', data)
			assert.are.equal(1, status)
			assert.matches('bad_path: the path "' .. path:gsub('%.', '%%.') .. '" has an empty component',
				err)
			status, _, err = run('db', 'get', 'n', 'data', path, '-d', data)
			assert.are.equal(1, status)
			assert.matches('bad_path', err)
		end
		for _, limit in ipairs { '0', '1.5', 'x' } do
			status, _, err = run('log', 'n', '-n', limit, '-d', data)
			assert.are.equal(2, status)
			assert.matches('is no whole number above 0', err)
		end
		assert.are.equal(2, (run 'dance'))
		assert.are.equal(2, (run()))
		assert.are.equal(0, (run 'version'))
	end)

	it('gives a script its arguments, whatever they look like', function()
		local file = H.write(H.folder() .. '/script.lua', "print(arg[0] == ..., #arg, ...)")
		for _, arguments in ipairs { {}, { 'a', '-v', '--help', '--', '-d' } } do
			local status, out = run('run', file, table.unpack(arguments))
			assert.are.equal(0, status)
			assert.are.equal(table.concat({ 'false', #arguments, table.unpack(arguments) }, '\t') .. '\n', out)
		end
	end)

	it('says so when its answer cannot be written', function()
		local line = ("%q version 2>&1 >/dev/full"):format(H.program)
		local pipe = assert(io.popen(line))
		assert.matches('cannot write the answer', pipe:read 'a')
		assert.are.equal(1, (select(3, pipe:close())))
	end)

	it('takes a limit on files for an error, like a full disk', function()
		local folder = H.folder()
		local script = H.write(folder .. '/fill.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1], sync = false, durability = 'relaxed' })
			assert(node:add_private_key 'me')
			local db = assert(node:new_database({ name = 'n' }, 'me'))
			for n = 1, 100 do
				local id, err = db:transact(function(tx) tx:doc 'data':set('k', ('x'):rep(20000) .. n) end)
				if not id then
					print(err.code)
					return
				end
			end]])
		local pipe = assert(io.popen(('ulimit -f 600; %q run %q %q 2>&1'):format(H.program, script,
			folder .. '/data')))
		assert.are.equal('io\n', pipe:read 'a')
		assert.are.equal(0, (select(3, pipe:close())))
		assert.are.equal(0, (run('verify', '-d', folder .. '/data')))
	end)

	it('checks a long history with little memory', function()
		local folder = H.folder()
		local script = H.write(folder .. '/fill.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1], sync = false, durability = 'relaxed' })
			assert(node:add_private_key 'me')
			local db = assert(node:new_database({ name = 'n' }, 'me'))
			for n = 1, 15000 do
				assert(db:transact(function(tx) tx:table 'rows':insert { n = n } end))
			end]])
		-- One arena: each further one, made when threads meet, reserves 64 MiB of addresses unused.
		local function limited(words)
			local pipe = assert(io.popen(('ulimit -v 150000; MALLOC_ARENA_MAX=1 %q %s 2>&1'):format(H.program,
				words)))
			local text = pipe:read 'a'
			return (select(3, pipe:close())), text
		end

		if limited '--version' ~= 0 then
			pending 'a build with a sanitizer takes more address space than the limit'
			return
		end
		assert.are.equal(0, (run('run', script, folder .. '/data')))
		local status, text = limited(('verify -d %q'):format(folder .. '/data'))
		assert.are.equal(0, status, text)
		assert.matches('^15002 entries, 0 findings', text)
	end)

	it('reports scripts that fail', function()
		local folder = H.folder()
		local syntax = H.write(folder .. '/syntax.lua', 'local = 1')
		local status, _, err = run('run', syntax)
		assert.are.equal(1, status)
		assert.matches('syntax.lua:1', err)
		local raising = H.write(folder .. '/raising.lua', "local x = nil\nreturn x.y")
		status, _, err = run('run', raising)
		assert.are.equal(1, status)
		assert.matches('raising.lua:2', err)
		local task = H.write(folder .. '/task.lua',
			"require 'tidelock'.task(function() error 'in a task' end)")
		status, _, err = run('run', task)
		assert.are.equal(1, status)
		assert.matches('in a task', err)
		assert.are.equal(1, (run('run', folder .. '/missing.lua')))
	end)

	-- Starts a script and ends it by a signal once it has printed a line: its status and what it said.
	local function terminate(text, signal_name)
		local file, input = H.write(H.folder() .. '/script.lua', text), uv.new_pipe()
		local script = H.start({ stdin = input }, 'run', file, H.folder())
		H.wait_for(function() return script.out ~= '' or script.status end)
		script:kill(signal_name or 'sigterm')
		local status, _, err = script:wait()
		input:close()
		return status, err
	end

	it('ends by SIGTERM wherever a script is', function()
		if H.keeps_signals then
			pending 'the thread sanitizer keeps the signal back'
			return
		end
		for _, text in ipairs {
			"print 'busy' io.stdout:flush() while true do end",
			"print 'asleep' io.stdout:flush() require 'tidelock'.sleep '1h'",
			[[local tl = require 'tidelock'
			local node <close> = tl.open { path = arg[1] .. '/d' }
			node:sync():enable_http_transport()
			assert(node:sync():start_server '127.0.0.1:0')
			print 'serving' io.stdout:flush()
			tl.run()]],
			[[local tl = require 'tidelock'
			tl.task(function() tl.sleep '1h' end)
			print 'task' io.stdout:flush()]],
			[[local tl = require 'tidelock'
			tl.task(function()
				tl.sleep '1ms'
				print 'busy task' io.stdout:flush()
				while true do end
			end)]],
			[[local tl = require 'tidelock'
			tl.loop.new_timer():start(1, 0, function()
				print 'busy callback' io.stdout:flush()
				while true do end
			end)]],
			[[local tl = require 'tidelock'
			print 'stubborn' io.stdout:flush()
			while true do pcall(tl.sleep, 1) end]],
			[[local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] .. '/d' })
			assert(node:add_private_key 'k')
			local db = assert(node:new_database({ name = 'n' }, 'k'))
			node:add_hook { before_commit = function()
				print 'busy hook' io.stdout:flush()
				while true do end
			end }
			db:transact(function(tx) tx:doc 'd':set('a', 1) end)]],
		} do
			local status, err = terminate(text)
			assert.are.equal(143, status)
			assert.is_nil(err:find('did not end', 1, true), err)
		end
	end)

	it('ends by SIGINT the same way', function()
		assert.are.equal(130, (terminate("print 'x' io.stdout:flush() require 'tidelock'.sleep '1h'", 'sigint')))
	end)

	it('ends by SIGTERM after a while where nothing reaches a script', function()
		if H.keeps_signals then
			pending 'the thread sanitizer keeps the signal back'
			return
		end
		local status, err = terminate "print 'reading' io.stdout:flush() io.read()"
		assert.are.equal(143, status)
		assert.matches('the script did not end; its nodes were not flushed', err)
	end)
end)
