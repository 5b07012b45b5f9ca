-- What a process inherits, is told by signals, and leaves to its children.
local H = require 'spec.helper'
local uv = require 'luv'

local SIGNALS = { sigint = 130, sigterm = 143, sighup = 129 }

-- A directory with a database `n` of so many entries.
local function make_data(entries)
	local folder = H.folder()
	local script = H.write(folder .. '/fill.lua', [[
		local tl = require 'tidelock'
		local node <close> = assert(tl.open { path = arg[1], sync = false, durability = 'relaxed' })
		assert(node:add_private_key 'me')
		local db = assert(node:new_database({ name = 'n' }, 'me'))
		for n = 2, arg[2] do
			assert(db:transact(function(tx) tx:doc 'd':set('k' .. n % 100, ('x'):rep(500) .. n) end))
		end]])
	assert.are.equal(0, (H.run('run', script, folder .. '/data', tostring(entries))))
	return folder .. '/data', folder
end

local function names_in(folder)
	local names = {}
	for name in function(scan) return (uv.fs_scandir_next(scan)) end, assert(uv.fs_scandir(folder)) do
		names[#names + 1] = name
	end
	return names
end

-- What a command wrote that was ended afterwards.
local function check_whole(command, file, exported)
	if command == 'backup' then
		local restored = H.folder()
		assert(uv.fs_copyfile(file, restored .. '/tidelock.db'))
		assert.are.equal(0, (H.run('verify', '-d', restored)))
	else
		local before, text = assert(io.open(exported)):read 'a', assert(io.open(file)):read 'a'
		before = before:gsub('[^\n]*\n$', '') -- its count; later entries may be there
		assert.are.equal(before, text:sub(1, #before))
		assert.matches('\n{"entries":%d+,"sha256":"%x+"}\n$', text)
	end
end

-- Scripts that say when they are ready.
local function start_script(text, options, ...)
	local script = H.write(H.folder() .. '/script.lua', text)
	local process = H.start(options or {}, 'run', script, ...)
	H.wait_for(function() return process.out:find 'ready\n' or process.status end)
	assert.is_nil(process.status, process.err)
	return process
end

describe('a signal', function()
	teardown(H.clean)

	it('ends a command at any moment, and leaves nothing half-done', function()
		local data, folder = make_data(3000)
		local exported = folder .. '/exported'
		assert.are.equal(0, (H.run('db', 'export', 'n', exported, '-d', data)))
		local outputs, other = H.folder(), folder .. '/other'
		local commands = {
			{ 'verify', '-d', data }, { 'db', 'export', 'n', outputs .. '/out', '-d', data },
			{ 'backup', outputs .. '/out', '-d', data }, { 'status', '-d', data },
			{ 'db', 'import', exported, '--init', '-d', other }, { 'db', 'set', 'n', 'd', 'a', '1', '-d', data },
			{ 'log', 'n', '-d', data },
		}
		for round = 1, 42 do
			local words = commands[round % #commands + 1]
			local signal = ({ 'sigint', 'sigterm', 'sighup' })[round % 3 + 1]
			local command = H.start({}, table.unpack(words))
			uv.sleep(round * 37 % 400)
			command:kill(signal)
			local status, _, err, seconds = command:wait()
			local what = ('%s, %s: %s'):format(table.concat(words, ' '), signal, err)
			assert.is_true(status == SIGNALS[signal] or status == 0, what)
			assert.are.equal('', err, what)
			assert.is_true(seconds < 10, what)
			if uv.fs_stat(outputs .. '/out') then
				check_whole(words[1], outputs .. '/out', exported)
			else
				assert.is_true(status ~= 0 or words[#words - 2] ~= outputs .. '/out', what)
			end
			os.remove(outputs .. '/out')
			assert.are.same({}, names_in(outputs), what)
		end
		assert.are.equal(0, (H.run('verify', '-d', data)))
		local imported = H.run('db', 'import', exported, '--init', '-d', other)
		assert.are.equal(0, imported)
		assert.are.equal(0, (H.run('verify', '-d', other)))
	end)

	it('takes away what a command has just begun to write', function()
		-- The signal comes when the file is there and nobody has it yet: its first use is not reached.
		local place = H.folder() .. '/out'
		local script = H.write(H.folder() .. '/script.lua', [[
			local uv = require 'luv'
			uv.fs_close = function() error('terminated', 0) end
			require 'tidelock.cli.output'.open(arg[1])]])
		local status, _, err = H.run('run', script, place)
		assert.are.same({ 1, 'terminated' }, { status, err:match 'terminated' })
		assert.are.same({}, names_in(place:match '^(.*)/'))
	end)

	it('that kills leaves nothing that looks whole, and what it leaves is taken away the next time', function()
		local data = make_data(3000)
		local outputs = H.folder()
		local out = outputs .. '/out'
		for _, words in ipairs { { 'backup', out, '-d', data }, { 'db', 'export', 'n', out, '-d', data } } do
			local left
			for _ = 1, 200 do -- until it was killed in between
				local command = H.start({}, table.unpack(words))
				while #names_in(outputs) == 0 and not command.status do
					uv.run 'nowait'
				end
				command:kill 'sigkill'
				command:wait()
				left = names_in(outputs)
				if #left > 0 and left[1] ~= 'out' then
					break
				end
				os.remove(out)
			end
			assert.are.equal(1, #left)
			assert.matches('^out%..*partial$', left[1])
			assert.are.same({ 0, '' }, { (H.run(table.unpack(words))), (select(3, H.run('status', '-d', data))) })
			assert.are.same({ 'out' }, names_in(outputs))
			os.remove(out)
		end
	end)

	it('ends a command whose reader or writer does nothing', function()
		local data = make_data(3000)
		local stuck = uv.new_pipe()
		for _, words in ipairs { { 'db', 'import', '-d', data }, { 'db', 'export', 'n', '-d', data } } do
			local command = H.start({ stdin = stuck }, table.unpack(words))
			-- The output is not read meanwhile: the loop does not run.
			uv.sleep(1000)
			command:kill 'sigterm'
			local status, _, err = command:wait()
			assert.are.same({ 143, '' }, { status, err })
		end
		stuck:close()
	end)

	it('keeps the file that an export does not replace', function()
		local data, folder = make_data(3000)
		local out = H.write(folder .. '/out', 'before')
		assert(uv.fs_chmod(out, 416)) -- 0640
		assert(uv.fs_symlink(out, folder .. '/link'))
		local command = H.start({}, 'db', 'export', 'n', folder .. '/link', '-d', data)
		H.wait_for(function() return #names_in(folder) > 4 or command.status end)
		command:kill 'sigterm'
		if command:wait() == 143 then
			assert.are.equal('before', assert(io.open(out)):read 'a')
		end
		assert.are.equal(0, (H.run('db', 'export', 'n', folder .. '/link', '-d', data)))
		assert.are.equal('link', uv.fs_lstat(folder .. '/link').type)
		assert.are.equal(416, uv.fs_stat(out).mode & 511)
		local _, text = H.run('db', 'export', 'n', '-d', data)
		assert.are.equal(text, assert(io.open(out)):read 'a')
		assert.are.equal(0, (H.run('db', 'export', 'n', '/dev/null', '-d', data)))
		assert.matches("cannot write '/no/where': no such file", (select(3, H.run('db', 'export', 'n', '/no/where',
			'-d', data))))
		assert.are.equal(4, #names_in(folder)) -- data, the script, the link and the file
	end)

	local OPENED = [[
		local tl = require 'tidelock'
		local node <close> = assert(tl.open { path = arg[1] .. '/data' })
		local last <close> = setmetatable({}, { __close = function()
			io.open(arg[1] .. '/closed', 'w'):close()
		end })
		print 'ready' io.stdout:flush()
		tl.sleep '1h']]

	it('closes nodes', function()
		for signal, expected in pairs(SIGNALS) do
			local folder = H.folder()
			local script = start_script(OPENED, {}, folder)
			script:kill(signal)
			assert.are.equal(expected, (script:wait()))
			assert.is_nil(uv.fs_stat(folder .. '/data/control.sock'))
			assert.is_nil(uv.fs_stat(folder .. '/data/tidelock.db-wal'))
		end
	end)

	it('ends what never waits without a word, wherever that runs', function()
		if H.keeps_signals then
			pending 'the thread sanitizer keeps the signal back'
			return
		end
		local busy = "local function busy() print 'ready' io.stdout:flush() while true do end end "
		for _, starts in ipairs {
			'busy()',
			'tl.task(busy)',
			"tl.task(function() tl.sleep '1ms' busy() end) tl.sleep '1h'",
			"tl.loop.every('10ms', busy) tl.run()",
			"local t = tl.task(function() tl.sleep '10ms' busy() end) assert(t:wait())",
			"local timer = tl.loop.new_timer() timer:start(10, 0, busy)",
			"local node = assert(tl.open { backend = tl.memory(), passphrase = 'hush hush' }) "
				.. "assert(node:add_private_key 'me') "
				.. "node:on('entry_committed', busy) "
				.. "local db = assert(node:new_database({ name = 'n' }, 'me')) "
				.. "db:transact(function(tx) tx:doc 'd':set('k', 1) end) tl.sleep '1h'",
			"local node = assert(tl.open { backend = tl.memory(), passphrase = 'hush hush' }) "
				.. "assert(node:add_private_key 'me') "
				.. "local db = assert(node:new_database({ name = 'n' }, 'me')) "
				.. "db:add_hook { before_commit = busy } "
				.. "db:transact(function(tx) tx:doc 'd':set('k', 1) end)",
			"tl.log.sink(busy) tl.log.info 'x' tl.sleep '1h'",
		} do
			local script = start_script("local tl = require 'tidelock' " .. busy .. starts, {})
			script:kill 'sigterm'
			assert.are.equal(143, (script:wait()), starts)
			assert.are.equal('', script.err, starts)
		end
	end)

	it('that was ignored at the start stays so', function()
		local folder = H.folder()
		local script = H.write(folder .. '/script.lua', OPENED)
		local data = make_data(3)
		for signal in pairs(SIGNALS) do
			local ended_by = signal == 'sigterm' and 'sigint' or 'sigterm'
			for _, words in ipairs { { 'run', script, folder }, { 'db', 'import', '-d', data } } do
				local stuck = uv.new_pipe()
				local command = H.start({ program = 'sh', stdin = stuck }, '-c',
					'trap "" "$1"; shift; exec "$@"', 'sh', signal:sub(4):upper(), H.program, table.unpack(words))
				H.wait_for(function() -- its handlers are there
					local file <close> = io.open(('/proc/%d/status'):format(command.pid))
					local caught = file and file:read 'a':match 'SigCgt:%s*(%x+)'
					return caught and tonumber(caught, 16) & 1 << 13 ~= 0 and (words[1] ~= 'run' or command.out ~= '')
				end, 30)
				command:kill(signal)
				uv.sleep(200)
				uv.run 'nowait'
				assert.is_nil(command.status)
				command:kill(ended_by)
				assert.are.equal(SIGNALS[ended_by], (command:wait()))
				stuck:close()
			end
		end
	end)

	it('is for a job in the background when it is sent, and not when it is typed', function()
		local folder = H.folder()
		local script = H.write(folder .. '/script.lua', OPENED)
		local shell = H.write(folder .. '/shell', [[
			trap 'typed=yes' INT
			"$@" & job=$!
			until [ "$typed" ]; do sleep 0.1; done
			echo typed
			sleep 0.5
			[ -e "$4/closed" ] || echo 'still there'
			kill -INT $job
			wait $job
			echo "status $?"]])
		local terminal = H.write(folder .. '/terminal', [[
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp('sh', ['sh'] + sys.argv[1:])
out = b''
while b'ready' not in out:
    out += os.read(fd, 1000)
os.write(fd, b'\3')
try:
    while True:
        out += os.read(fd, 1000)
except OSError:
    print(out.decode())]])
		local _, out, err = H.start({ program = 'python3' }, terminal, shell, H.program, 'run', script,
			folder):wait()
		assert.are.equal('', err)
		assert.matches('typed\r\nstill there\r\nstatus 130', out)
	end)
end)

describe('the end of a script', function()
	teardown(H.clean)

	-- Its peer is there and does not answer any more; something is due.
	local AWAY = [[
		local tl = require 'tidelock'
		local function open(name, accept)
			local node = assert(tl.open { path = arg[1] .. '/' .. name, on_commit = false, periodic = 0,
				accept_databases_from = { accept } })
			assert(node:sync():enable_http_transport())
			return node
		end
		local ann = open 'ann'
		local bob = open('bob', ann:device_key())
		assert(bob:sync():start_server '127.0.0.1:0')
		local peer = assert(ann:sync():connect_to_peer(bob:sync():get_server_address()))
		local db = assert(ann:new_database({ name = 'n' }, '_device_key'))
		assert(ann:sync():add_tree_sync(peer, db:root_id()))
		assert(ann:sync():flush())
		assert(bob:sync():stop_server())
		bob:close(0)
		assert(db:transact(function(tx) tx:doc 'd':set('a', 1) end))
		print(peer) print 'ready' io.stdout:flush() ]]

	it('says whom it waits for, and a signal ends the waiting', function()
		local folder = H.folder()
		local script = start_script(AWAY, {}, folder)
		local peer = script.out:match '^[^\n]+'
		H.wait_for(function() return script.err:find 'waiting' end)
		assert.matches('waiting up to 5 s for ' .. peer:gsub('%p', '%%%0'), script.err)
		script:kill 'sigint'
		local status, _, _, seconds = script:wait()
		assert.are.equal(130, status)
		assert.is_true(seconds < 4)
		assert.is_nil(uv.fs_stat(folder .. '/ann/control.sock'))
	end)

	it('asked for by a signal ends its waiting with the second', function()
		local script = start_script(AWAY .. "tl.sleep '1h'", {}, H.folder())
		script:kill 'sigterm'
		H.wait_for(function() return script.err:find 'waiting' end)
		script:kill 'sigint'
		local status, _, _, seconds = script:wait()
		assert.are.equal(143, status)
		assert.is_true(seconds < 4)
	end)
end)

describe('a child of a script', function()
	teardown(H.clean)

	it('has its signals as usual', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local show = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
			io.stdout:setvbuf 'no'
			os.execute(show)
			local pipe = io.popen(show)
			io.write(pipe:read 'a')
			pipe:close()
			tl.task(function()
				local over
				tl.loop.spawn('sh', { args = { '-c', show }, stdio = { nil, 1, 2 } }, function() over = true end)
				repeat tl.sleep '10ms' until over
			end)
			tl.run()]])
		local function masks(...)
			local list = {}
			local _, out = H.start({ program = 'sh' }, '-c', ..., 'sh', H.program, 'run', script):wait()
			for name, mask in out:gmatch '(%a+):%s*(%x+)' do
				list[#list + 1] = name .. (tonumber(mask, 16) & 0x7fffffff) -- without the system's own
			end
			return list
		end
		local usual = { 'SigBlk0', 'SigIgn0', 'SigBlk0', 'SigIgn0', 'SigBlk0', 'SigIgn0' }
		assert.are.same(usual, masks 'exec "$@"')
		assert.are.same(usual, masks 'trap "" PIPE; exec "$@"')
	end)

	it('ends by a closed pipe', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			print(select(2, io.popen 'yes | head -n 1; echo over':read 'a':gsub('over', '')))]])
		assert.are.equal('1\n', select(2, H.run('run', script)))
	end)
end)

describe('a command whose answer nobody reads', function()
	teardown(H.clean)

	it('ends without a word, like a program that SIGPIPE ends', function()
		local data, folder = make_data(1000)
		local script = H.write(folder .. '/script.lua', "for n = 1, 20000 do print(n, 'row') end")
		assert.are.equal(0, (H.run('row', 'set', 'n', 't', 'k', '{}', '-d', data)))
		local file = folder .. '/status'
		for _, words in ipairs {
			'db list', 'db list --json', 'status', 'log n', 'db export n', 'db get n d', 'db get n d k1 --json',
			'row list n t', 'help', 'help db set', 'version', 'verify', 'db set n d k 1', 'db create again',
		} do
			local where = words:find '^help' and '' or words == 'version' and '' or '-d ' .. data
			local command = ('{ sleep 0.1; %q %s %s 2>%q; echo $? >>%q; } | :'):format(H.program, words, where,
				file, file)
			assert.are.equal(0, (H.start({ program = 'sh' }, '-c', command):wait()))
			assert.are.same({ words, '141\n' }, { words, assert(io.open(file)):read 'a' })
		end
		local command = ('{ %q run %q 2>%q; echo $? >>%q; } | head -n 1'):format(H.program, script, file, file)
		local _, out = H.start({ program = 'sh' }, '-c', command):wait()
		assert.are.equal('1\trow\n', out)
		assert.are.equal('141\n', assert(io.open(file)):read 'a')
	end)

	it('fails where it cannot be written for another reason', function()
		local data = make_data(3)
		for _, words in ipairs { 'db list', 'db export n', 'status --json' } do
			local command = ('%q %s -d %q >/dev/full'):format(H.program, words, data)
			local status, _, err = H.start({ program = 'sh' }, '-c', command):wait()
			assert.are.equal(1, status)
			assert.matches('cannot write the answer: No space left', err)
		end
	end)
end)

describe('a program without standard descriptors', function()
	teardown(H.clean)

	it('works as with /dev/null', function()
		local folder = H.folder()
		local script = H.write(folder .. '/script.lua', [[
			local tl = require 'tidelock'
			print 'to nobody'
			io.stderr:write 'to nobody'
			local node <close> = assert(tl.open { path = arg[1] })
			io.stderr:write 'to nobody'
			local links = {}
			for fd = 0, 2 do links[#links + 1] = tl.loop.fs_readlink('/proc/self/fd/' .. fd) end
			local file <close> = assert(io.open(arg[2], 'w'))
			file:write(table.concat(links, ' '), ' ', tostring(io.read()))]])
		local report = folder .. '/report'
		for _, closed in ipairs { '<&-', '>&-', '2>&-', '<&- >&-', '<&- 2>&-', '>&- 2>&-', '<&- >&- 2>&-' } do
			local command = ('%q run %q %q %q %s'):format(H.program, script, folder .. '/data', report, closed)
			assert.are.equal(0, (H.start({ program = 'sh' }, '-c', command):wait()))
			local text = assert(io.open(report)):read 'a'
			local _, count = text:gsub('/dev/null', '')
			assert.is_true(count >= select(2, closed:gsub('&', '')))
			assert.matches('nil$', text)
			assert.is_nil(text:find('tidelock.db', 1, true))
			for _, words in ipairs { 'status', 'verify', 'db list' } do
				command = ('%q %s -d %q %s'):format(H.program, words, folder .. '/data', closed)
				assert.are.equal(0, (H.start({ program = 'sh' }, '-c', command):wait()))
			end
		end
		assert.are.equal(0, (H.run('verify', '-d', folder .. '/data')))
	end)
end)

describe('progress', function()
	teardown(H.clean)

	it('is shown on a terminal alone', function()
		local data, folder = make_data(300)
		local out = folder .. '/out'
		local commands = {
			verify = { 'verify', '-d', data },
			export = { 'db', 'export', 'n', out, '-d', data },
			backup = { 'backup', folder .. '/copy', '-d', data },
			import = { 'db', 'import', out, '--init', '-d', folder .. '/other' },
		}
		local numbers = {
			verify = '301 of 301 entries, %d+ entries/s, 0:00 left',
			export = '300 of 300 entries, %d+ entries/s, 0:00 left',
			import = '300 of 300 entries, %d+ entries/s, 0:00 left',
			backup = '([%d.]+) of %1 MiB, [%d.]+ MiB/s, 0:00 left',
		}
		for _, name in ipairs { 'verify', 'export', 'backup', 'import' } do
			local text = H.run_on_terminal(table.unpack(commands[name]))
			assert.matches('\r\27%[K' .. name .. ': ' .. numbers[name] .. '\r\27%[K', text)
			local _, last = text:find '.*\r\27%[K'
			assert.is_nil(text:find('/s', last, true))
			os.remove(folder .. '/copy')
			local _, _, err = H.run(table.unpack(commands[name]))
			assert.are.equal('', err)
		end
	end)

	it('tells numbers as people read them', function()
		local line = require 'tidelock.cli.progress'.line
		assert.are.equal('verify: 0 entries, 0 entries/s', line('verify', 'entries', 0, 0, 0))
		assert.are.equal('import: 500 entries, 250 entries/s', line('import', 'entries', 500, 0, 2))
		assert.are.equal('verify: 500 of 2000 entries, 250 entries/s, 0:06 left',
			line('verify', 'entries', 500, 2000, 2))
		assert.are.equal('backup: 1.5 of 1024.0 MiB, 1.0 MiB/s, 17:03 left',
			line('backup', 'MiB', 1572864, 1073741824, 1.5))
		assert.are.equal('verify: 1 of 100000 entries, 1 entries/s, 27:46:39 left',
			line('verify', 'entries', 1, 100000, 1))
		assert.are.equal('verify: 7 of 7 entries, 1 entries/s, 0:00 left', line('verify', 'entries', 7, 5, 7))
	end)
end)
