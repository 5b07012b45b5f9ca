-- Commands on a directory that others have open: they ask, or wait.
local H = require 'spec.helper'
local uv = require 'luv'

-- Rests on a directory with one database `n`.
local function make_data()
	local data = H.folder() .. '/data'
	assert.are.equal(0, (H.run('db', 'create', 'n', '--init', '-d', data)))
	return data
end

-- A script that opens the directory, says so, and keeps it open until it is ended.
local function start_owner(data)
	local script = H.write(H.folder() .. '/owner.lua', [[
		local tl = require 'tidelock'
		local node <close> = assert(tl.open { path = arg[1] })
		print 'open' io.stdout:flush()
		tl.sleep '1h']])
	local owner = H.start({}, 'run', script, data)
	H.wait_for(function() return owner.out == 'open\n' end)
	return owner
end

-- Sets 40 values at once: each command's status and errors are as they should be, and all are there.
local function set_forty(data)
	local commands = {}
	for n = 1, 40 do
		commands[n] = H.start({}, 'db', 'set', 'n', 's', 'k' .. n, '"v' .. n .. '"', '--wait', '60s', '-d', data)
	end
	for _, command in ipairs(commands) do
		local status, out, err = command:wait(120)
		assert.are.equal('', err)
		assert.are.equal(0, status)
		assert.matches('^sha256:%x+\n$', out)
	end
	local _, all = H.run('db', 'get', 'n', 's', '--json', '-d', data)
	local values = require 'tidelock.json'.decode(all)
	for n = 1, 40 do
		assert.are.equal('v' .. n, values['k' .. n])
	end
end

describe('commands on one directory', function()
	teardown(H.clean)

	it('all succeed at once, where nobody has it open', function()
		set_forty(make_data())
	end)

	it('all succeed at once beside an owner', function()
		local data = make_data()
		local owner = start_owner(data)
		set_forty(data)
		owner:kill 'sigterm'
		assert.are.equal(143, (owner:wait()))
	end)

	it('create databases and one key at once', function()
		local data = make_data()
		local commands = {}
		for n = 1, 10 do
			commands[n] = H.start({}, 'db', 'create', 'm' .. n, '--key', 'new', '--wait', '60s', '-d', data)
		end
		for _, command in ipairs(commands) do
			local status, _, err = command:wait(120)
			assert.are.same({ 0, '' }, { status, err })
		end
		local _, list = H.run('db', 'list', '-d', data)
		assert.are.equal(11, select(2, list:gsub('\n', '')))
	end)

	it('let scripts start, and are answered while they do', function()
		local data = make_data()
		local script = H.write(H.folder() .. '/short.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1], wait = '60s' })
			tl.sleep '20ms']])
		for _ = 1, 5 do
			local node = H.start({}, 'run', script, data)
			repeat
				local poller = H.start({}, 'status', '--wait', '60s', '-d', data)
				local status, _, err = poller:wait(120)
				assert.are.same({ 0, '' }, { status, err })
			until node.status
			local status, _, err = node:wait()
			assert.are.same({ 0, '' }, { status, err })
		end
	end)

	-- One that has the lock and does not answer.
	local function hold_lock(data, text)
		local holder = H.start({ program = 'python3' }, '-c', [[
import fcntl, os, sys, time
f = open(sys.argv[1] + '/lock', 'w')
fcntl.flock(f, fcntl.LOCK_EX)
f.write(sys.argv[2]); f.flush()
print('held', flush=True)
time.sleep(600)]], data, text)
		H.wait_for(function() return holder.out == 'held\n' end)
		return holder
	end

	it('wait as long as they were told, and say who is in the way', function()
		local data = make_data()
		for _, pid in ipairs { '', '0', '-5', 'x', '2147483646' } do
			local holder = hold_lock(data, pid)
			for _, words in ipairs { { 'status' }, { 'init' }, { 'db', 'set', 'n', 's', 'k', '1' } } do
				words[#words + 1], words[#words + 2], words[#words + 3], words[#words + 4] =
					'-d', data, '--wait', '0'
				local status, _, err = H.run(table.unpack(words))
				assert.are.equal(1, status)
				assert.matches('in use by another process; stop', err)
			end
			holder:kill 'sigkill'
			holder:wait()
		end
		local holder = hold_lock(data, tostring(uv.os_getpid()))
		local _, _, err = H.run('status', '-d', data, '--wait', '0')
		assert.matches(('in use by process %d;'):format(uv.os_getpid()), err)
		local since = uv.hrtime()
		assert.are.equal(1, (H.run('status', '-d', data, '--wait', '300ms')))
		assert.is_true(uv.hrtime() - since >= 0.3e9)
		local waiting = H.start({}, 'status', '-d', data, '--wait', '60s')
		uv.sleep(100)
		holder:kill 'sigkill'
		assert.are.equal(0, (waiting:wait()))
	end)

	it('know what a time to wait is', function()
		for _, wait in ipairs { 'x', '', '-1', '5 s', '1e400' } do
			local status, _, err = H.run('status', '--wait=' .. wait, '-d', H.folder())
			assert.are.equal(2, status)
			assert.matches('is no duration', err)
		end
	end)

	it('wait for an owner that is stopped, and say so', function()
		local data = make_data()
		local owner = start_owner(data)
		owner:kill 'sigstop'
		for wait, told in pairs { ['1s'] = 1000, ['300ms'] = 300, ['0'] = 200 } do
			local status, _, err = H.run('db', 'list', '--wait', wait, '-d', data)
			assert.are.equal(1, status)
			assert.matches(('has said nothing for %d ms'):format(told), err)
		end
		owner:kill 'sigcont'
		assert.are.equal(0, (H.run('db', 'list', '--wait', '60s', '-d', data)))
		owner:kill 'sigterm'
		owner:wait()
	end)

	it('end by a signal while they wait', function()
		local data = make_data()
		local holder = hold_lock(data, '')
		for signal, expected in pairs { sigint = 130, sigterm = 143, sighup = 129 } do
			for _, words in ipairs { { 'status' }, { 'init' }, { 'verify' }, { 'db', 'list' } } do
				words[#words + 1], words[#words + 2], words[#words + 3], words[#words + 4] =
					'-d', data, '--wait', '1h'
				local command = H.start({}, table.unpack(words))
				uv.sleep(150)
				command:kill(signal)
				local status, _, err, seconds = command:wait()
				assert.are.same({ expected, '' }, { status, err })
				assert.is_true(seconds < 10)
			end
		end
		local script = H.write(H.folder() .. '/script.lua', [[
			print 'begun' io.stdout:flush()
			require 'tidelock'.open { path = arg[1], wait = arg[2] }]])
		for _, words in ipairs { { '--wait', '1h', script, data }, { script, data, '1h' } } do
			local waiting = H.start({}, 'run', table.unpack(words))
			H.wait_for(function() return waiting.out == 'begun\n' end)
			waiting:kill 'sigterm'
			local status, _, err, seconds = waiting:wait()
			assert.are.same({ 143, '' }, { status, err })
			assert.is_true(seconds < 10)
		end
		holder:kill 'sigkill'
		local owner = start_owner(data)
		owner:kill 'sigstop'
		local command = H.start({}, 'status', '-d', data, '--wait', '1h')
		uv.sleep(150)
		command:kill 'sigint'
		assert.are.equal(130, (command:wait()))
		owner:kill 'sigcont'
		owner:kill 'sigterm'
		owner:wait()
	end)

	it('copy, export and import through an owner', function()
		local data, folder = make_data(), H.folder()
		local owner = start_owner(data)
		assert.are.equal(0, (H.run('db', 'set', 'n', 's', 'k', '1', '-d', data)))
		assert.are.equal(0, (H.run('db', 'export', 'n', folder .. '/out', '-d', data)))
		assert.are.equal(0, (H.run('backup', folder .. '/copy', '-d', data)))
		local status, _, err = H.run('backup', folder .. '/copy', '-d', data)
		assert.are.equal(1, status)
		assert.matches('exists already', err)
		local other = H.folder() .. '/other'
		assert.are.equal(0, (H.run('init', '-d', other)))
		local second = start_owner(other)
		local _, said = H.run('db', 'import', folder .. '/out', '-d', other)
		assert.matches('2 new entries', said)
		assert.are.equal('1\n', select(2, H.run('db', 'get', 'n', 's', 'k', '-d', other)))
		for _, process in ipairs { owner, second } do
			process:kill 'sigterm'
			process:wait()
		end
		assert(uv.fs_mkdir(folder .. '/restored', 448))
		assert(uv.fs_rename(folder .. '/copy', folder .. '/restored/tidelock.db'))
		assert.are.equal('1\n', select(2, H.run('db', 'get', 'n', 's', 'k', '-d', folder .. '/restored')))
	end)
end)
