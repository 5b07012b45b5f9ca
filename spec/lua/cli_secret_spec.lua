-- Sealed directories: where the program gets their passphrase from.
local H = require 'spec.helper'

local PASSPHRASE = "sesame 'open' \u{e9}"

-- A sealed directory, and files with passphrases.
local function make_sealed()
	local folder = H.folder()
	local data, file = folder .. '/data', H.write(folder .. '/passphrase', PASSPHRASE .. '\n')
	assert.are.equal(0, (H.run('init', '-d', data, '--passphrase-file', file)))
	return data, file, folder
end

local function with_variable(value, ...)
	return H.start({ env = { 'TIDELOCK_PASSPHRASE=' .. value } }, ...):wait()
end

-- What follows `redirect` for the shell.
local function with_shell(redirect, ...)
	return H.start({ program = 'sh' }, '-c', 'exec "$0" "$@" ' .. redirect, H.program, ...):wait()
end

describe('a sealed directory', function()
	teardown(H.clean)

	it('opens by a file, a descriptor or the environment', function()
		local data, file, folder = make_sealed()
		local bare = H.write(folder .. '/bare', PASSPHRASE)
		local dos = H.write(folder .. '/dos', PASSPHRASE .. '\r\n')
		for _, name in ipairs { file, bare, dos } do
			assert.are.equal(0, (H.run('status', '-d', data, '--passphrase-file', name)))
		end
		assert.are.equal(0, (with_variable(PASSPHRASE, 'status', '-d', data)))
		for _, redirect in ipairs { '7<' .. file, '0<' .. file } do
			local fd = redirect:sub(1, 1)
			assert.are.equal(0, (with_shell(redirect, 'status', '-d', data, '--passphrase-fd', fd)))
		end
		assert.are.equal(0, (with_shell("7<" .. file, 'verify', '--passphrase-fd', '7', '-d', data)))
		for _, words in ipairs {
			{ 'db', 'create', 'n' }, { 'db', 'set', 'n', 's', 'k', '1' }, { 'db', 'get', 'n', 's' },
			{ 'db', 'list' }, { 'log', 'n' }, { 'db', 'export', 'n', folder .. '/out' },
			{ 'db', 'import', folder .. '/out' }, { 'backup', folder .. '/copy' }, { 'init' },
		} do
			words[#words + 1], words[#words + 2] = '-d', data
			local status, _, err = with_variable(PASSPHRASE, table.unpack(words))
			assert.are.same({ 0, '' }, { status, err })
		end
	end)

	it('stays closed without, or with another', function()
		local data, _, folder = make_sealed()
		local other = H.write(folder .. '/other', PASSPHRASE .. ' ')
		local status, _, err = H.run('status', '-d', data)
		assert.are.equal(1, status)
		assert.matches('wrong_passphrase', err)
		for _, words in ipairs { { '--passphrase-file', other } } do
			status, _, err = H.run('status', '-d', data, table.unpack(words))
			assert.are.equal(1, status)
			assert.matches('wrong_passphrase', err)
		end
		-- An option goes before the environment.
		assert.are.equal(1, (with_variable(PASSPHRASE, 'status', '-d', data, '--passphrase-file', other)))
		assert.are.equal(1, (with_variable('', 'status', '-d', data)))
	end)

	it('says why a passphrase cannot be read', function()
		local data, file, folder = make_sealed()
		for name, why in pairs {
			[folder .. '/missing'] = 'No such file', [folder] = 'Is a directory',
			['/dev/null'] = 'it is empty', ['/dev/zero'] = 'longer than 4096 bytes',
			[H.write(folder .. '/line', '\n')] = 'it is empty',
			[H.write(folder .. '/long', ('x'):rep(4097))] = 'longer than 4096 bytes',
		} do
			local status, _, err = H.run('status', '-d', data, '--passphrase-file', name)
			assert.are.equal(1, status)
			assert.matches('cannot read the passphrase from .*' .. why, err)
		end
		for _, fd in ipairs { '3', '5', '8', '999999', '99999999999' } do
			local status, _, err = H.run('status', '-d', data, '--passphrase-fd', fd)
			assert.are.equal(1, status)
			assert.matches('descriptor ' .. fd .. ': it is not open', err)
		end
		for _, words in ipairs {
			{ '--passphrase-fd', 'x' }, { '--passphrase-fd=-1' },
			{ '--passphrase-fd', '0', '--passphrase-file', file },
		} do
			assert.are.equal(2, (H.run('status', '-d', data, table.unpack(words))))
		end
	end)

	it('needs no passphrase where an owner has it open', function()
		local data, file, folder = make_sealed()
		local script = H.write(folder .. '/owner.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] })
			print 'open' io.stdout:flush()
			tl.sleep '1h']])
		local owner = H.start({}, 'run', '--passphrase-file', file, script, data)
		H.wait_for(function() return owner.out == 'open\n' end)
		assert.are.equal(0, (H.run('status', '-d', data)))
		assert.are.equal(0, (H.run('db', 'create', 'n', '-d', data)))
		owner:kill 'sigterm'
		owner:wait()
	end)

	it('is opened by a script, whose children learn nothing', function()
		local data, file, folder = make_sealed()
		local script = H.write(folder .. '/script.lua', [[
			local tl = require 'tidelock'
			local node <close> = assert(tl.open { path = arg[1] })
			local memory <close> = assert(tl.open { backend = tl.memory() })
			local wrong, err = tl.open { path = arg[1] .. '2', passphrase = 'its own' }
			assert(wrong, err):close()
			assert(select(2, tl.open { path = arg[1] .. '2' }).code == 'wrong_passphrase')
			print(os.getenv 'TIDELOCK_PASSPHRASE')
			io.stdout:flush()
			os.execute 'env | grep -c PASSPHRASE='
			os.execute "tr '\\0' '\\n' < /proc/$PPID/environ | grep -c sesame"
			os.execute "tr '\\0' '\\n' < /proc/$PPID/cmdline | grep -c sesame"]])
		local expected = 'nil\n0\n0\n0\n'
		local status, out, err = with_variable(PASSPHRASE, 'run', script, data)
		assert.are.same({ 0, '', expected }, { status, err, out })
		os.execute(('rm -rf %q'):format(data .. '2'))
		status, out, err = H.run('run', '--passphrase-file', file, script, data)
		assert.are.same({ 0, '', expected }, { status, err, out })
		os.execute(('rm -rf %q'):format(data .. '2'))
		status, out = with_shell('9<' .. file, 'run', '--passphrase-fd', '9', script, data)
		assert.are.same({ 0, expected }, { status, out })
	end)

	it('gives its passphrase with every byte of it', function()
		local folder = H.folder()
		local one, two = H.write(folder .. '/one', 'a\0b'), H.write(folder .. '/two', 'a\0c')
		assert.are.equal(0, (H.run('init', '-d', folder .. '/data', '--passphrase-file', one)))
		assert.are.equal(1, (H.run('status', '-d', folder .. '/data', '--passphrase-file', two)))
		assert.are.equal(0, (H.run('status', '-d', folder .. '/data', '--passphrase-file', one)))
	end)
end)
