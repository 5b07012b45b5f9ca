-- The program and data directories: which it makes, which it refuses, and what it says of them.
local H = require 'spec.helper'
local json = require 'tidelock.json'
local tl = require 'tidelock'
local uv = require 'luv'

local function run(data, ...)
	local words = { ... }
	words[#words + 1], words[#words + 2] = '-d', data
	return H.run(table.unpack(words))
end

-- A file with the entries of a database `n` with two values.
local function exported(folder)
	local data, file = folder .. '/data', folder .. '/export'
	for _, words in ipairs {
		{ 'init' }, { 'db', 'create', 'n' }, { 'db', 'set', 'n', 'd', 'a', 'one' },
		{ 'db', 'set', 'n', 'd', 'b', 'two' }, { 'db', 'export', 'n', file },
	} do
		assert.are.equal(0, (run(data, table.unpack(words))))
	end
	local handle <close> = assert(io.open(file))
	return data, file, handle:read 'a'
end

describe('data directories', function()
	teardown(H.clean)

	it('are not made where they are mistyped', function()
		local folder = H.folder()
		local data, file = exported(folder)
		for _, mistyped in ipairs { 'dta', 'dta/', 'no/where' } do
			for _, words in ipairs {
				{ 'status' }, { 'verify' }, { 'log', 'n' }, { 'db', 'list' }, { 'db', 'get', 'n', 's' },
				{ 'db', 'set', 'n', 's', 'k', '1' }, { 'db', 'export', 'n' }, { 'db', 'create', 'm' },
				{ 'db', 'import', file }, { 'row', 'list', 'n', 't' },
			} do
				local status, _, err = run(folder .. '/' .. mistyped, table.unpack(words))
				assert.are.equal(1, status)
				assert.matches('no data directory', err)
			end
		end
		assert.is_nil(uv.fs_stat(folder .. '/dta'))
		assert(uv.fs_mkdir(folder .. '/dat', 448)) -- is none
		for mistyped, said in pairs {
			['/dta'] = "; did you mean '" .. data .. "'? ", ['/dat'] = "; did you mean '" .. data .. "'? ",
			['/dataa//'] = "; did you mean '" .. data .. "'? ", ['x/data'] = "; did you mean '" .. data .. "'? ",
			['/other'] = ", beside it is 'data'; ", ['/no/where'] = "where'; `", ['/x'] = ", beside it is 'data'; ",
		} do
			local _, _, err = run(folder .. mistyped, 'status')
			assert.is_truthy(err:find(said, 1, true), err)
		end
		for _, nowhere in ipairs { '', '/', '//' } do
			assert.is_nil(select(3, run(nowhere, 'status')):find 'did you mean')
		end
		local near = H.start({ cwd = folder }, 'status', '-d', 'dta')
		assert.matches("'dta'; did you mean 'data'%?", (select(3, near:wait())))
		assert.are.equal(0, (run(data, 'status')))
	end)

	it('that are mistyped are told the same neighbour every time', function()
		local folder = H.folder()
		for _, name in ipairs { 'node-d', 'node-b', 'node-e', 'node-a', 'node-c' } do
			assert(uv.fs_mkdir(folder .. '/' .. name, 448))
			H.write(folder .. '/' .. name .. '/tidelock.db', '')
		end
		for _ = 1, 5 do -- each process has another order of tables
			assert.matches("beside it is 'node%-a'", (select(3, run(folder .. '/x', 'status'))))
			assert.matches("did you mean '.*/node%-a'", (select(3, run(folder .. '/node-x', 'status'))))
		end
	end)

	it('are made by init, by --init, and by the first database of a place', function()
		local folder = H.folder()
		local _, file = exported(folder)
		assert.are.equal(0, (run(folder .. '/second', 'db', 'create', 'm', '--init')))
		assert.are.equal(0, (run(folder .. '/third', 'db', 'import', file, '--init')))
		assert.are.equal('one\n', select(2, run(folder .. '/third', 'db', 'get', 'n', 'd', 'a')))
		assert.are.equal(0, (run(H.folder() .. '/first', 'db', 'create', 'm')))
		assert.are.equal(0, (run(H.folder(), 'db', 'create', 'm'))) -- empty
		assert.are.equal(1, (run(H.folder() .. '/first', 'db', 'import', file)))
		local other = H.folder()
		H.write(other .. '/letter', 'dear')
		assert.are.equal(1, (run(other, 'db', 'create', 'm')))
		assert.is_nil(uv.fs_stat(other .. '/tidelock.db'))
	end)

	it('are stopped where nobody has them open, and running where somebody has', function()
		local data = exported(H.folder())
		local status, out = run(data, 'status')
		assert.are.equal(0, status)
		assert.matches('stopped\n', out)
		assert.matches('database   %x+  n +3 entries', out)
		local told = json.decode(select(2, run(data, 'status', '--json')))
		assert.are.same({ 'stopped', tl.null }, { told.state, told.pid })
		local node <close> = assert(tl.open { path = data })
		status, out = run(data, 'status')
		assert.are.equal(0, status)
		assert.matches(('running, pid %d\n'):format(uv.os_getpid()), out)
		told = json.decode(select(2, run(data, 'status', '--json')))
		assert.are.same({ 'running', uv.os_getpid(), (node:device_key()) },
			{ told.state, told.pid, told.device_key })
	end)

	it('show every registered peer, also one that shares nothing yet', function()
		local data = exported(H.folder())
		local key = tl.crypto.new_secret():public_key()
		do
			local node <close> = assert(tl.open { path = data })
			assert(node:sync():register_peer(key, 'far\27away'))
			assert(node:sync():add_peer_address(key, 'http:192.0.2.1:7'))
		end
		local _, out = run(data, 'status')
		assert.is_truthy(out:find('peer       ' .. key .. [[  far\u001baway]], 1, true), out)
		assert.matches('disconnected, at http:192.0.2.1:7\n', out)
		assert.is_nil(out:find('relation', 1, true))
		local told = json.decode(select(2, run(data, 'status', '--json')))
		assert.are.equal(key, told.sync.peers[1].pubkey)
	end)

	-- As another user where this one is root, whom nothing is forbidden.
	local function run_without_right(...)
		local other = uv.getuid() == 0 and 'setpriv --reuid=65534 --regid=65534 --clear-groups ' or ''
		local words = {}
		for _, word in ipairs { ... } do
			words[#words + 1] = ('%q'):format(word)
		end
		local pipe = assert(io.popen(('env -u LUA_CPATH %s%q %s 2>&1'):format(other, H.program,
			table.concat(words, ' '))))
		local out = pipe:read 'a'
		return select(3, pipe:close()), out
	end

	it('are said to be forbidden when they are', function()
		local folder = H.folder()
		local data = exported(folder)
		assert(uv.fs_chmod(folder, 493)) -- 0755
		local function forbidden()
			for _, words in ipairs { { 'status' }, { 'db', 'list' }, { 'verify' }, { 'init' } } do
				words[#words + 1], words[#words + 2] = '-d', data
				local status, out = run_without_right(table.unpack(words))
				assert.are.equal(1, status)
				assert.matches('no permission', out)
			end
		end
		assert(uv.fs_chmod(data, 0))
		forbidden()
		assert(uv.fs_chmod(data, 511)) -- 0777
		assert(uv.fs_chmod(data .. '/tidelock.db', 0))
		forbidden()
		assert(uv.fs_chmod(data .. '/lock', 0))
		forbidden()
	end)
end)

describe('an import', function()
	teardown(H.clean)

	local folder, text
	before_each(function()
		folder = H.folder()
		text = select(3, exported(folder))
	end)

	-- What an import of this text into a fresh directory gives, and how many entries are there afterwards.
	local function import(name, lines)
		local file, into = H.write(folder .. '/' .. name, lines), folder .. '/into-' .. name
		local status, out, err = run(into, 'db', 'import', '--init', file)
		local held = json.decode(select(2, run(into, 'db', 'list', '--json')))
		return status, out, err, held[1] and held[1].entries or 0
	end

	it('of a damaged file keeps what is verified, and says what is wrong', function()
		for name, case in pairs {
			altered = { text:gsub('"two', '"tow'), 'bad_signature: line 4 is bad', 2 },
			root = { text:gsub('\\"n\\"', '\\"m\\"', 1), 'bad_signature: line 2 is bad', 0 },
			cut = { text:gsub('..\n[^\n]*\n$', ''), 'bad_json: line 4 is bad', 2 },
			cut_at_the_end_of_a_line = { text:gsub('[^\n]*\n$', ''), 'bad_entry: it was cut off behind line 4', 3 },
			cut_before_the_end_of_a_line = { text:gsub('\n[^\n]*\n$', ''),
				'bad_entry: it was cut off behind line 4', 3 },
			cut_behind_the_second_entry = { text:gsub('[^\n]*\n[^\n]*\n$', ''),
				'bad_entry: it was cut off behind line 3', 2 },
			leaf_missing = { text:gsub('[^\n]*\n([^\n]*\n)$', '%1'),
				'bad_entry: line 4 is bad: it counts 3 entries, and 2 came before it', 2 },
			leaf_doubled = { text:gsub('([^\n]*\n)([^\n]*\n)$', '%1%1%2'),
				'bad_entry: line 6 is bad: it counts 3 entries, and 4 came before it', 3 },
			count_damaged = { text:sub(1, -5) .. '\n', 'bad_entry: line 5 is bad', 3 },
			cut_behind_the_root = { text:match '^\n[^\n]*\n', 'bad_entry: it was cut off behind line 2', 1 },
			nothing_but_the_begin = { '\n', 'bad_entry: there are no entries to import', 0 },
			garbage = { text .. 'garbage\n', 'bad_json: line 6 is bad', 3 },
			missing = { text:gsub('(\n[^\n]+)\n[^\n]+', '%1', 1), 'waits_for_parent: line 3 is bad', 1 },
			empty = { '', 'bad_entry: there are no entries to import', 0 },
			torso = { text:gsub('^\n[^\n]*\n', ''), 'bad_entry: line 1 is bad', 0 },
		} do
			local said, count = case[#case - 1], case[#case]
			local status, out, err, held = import(name, case[1])
			assert.are.same({ 1, '' }, { status, out })
			assert.is_truthy(err:find(said, 1, true), err)
			assert.is_truthy(err:find(('%d entries entered and are kept'):format(count), 1, true), err)
			assert.are.equal(count, held)
		end
	end)

	it('takes what is whole in any order, and says what it cannot know', function()
		local root, one, two = text:match '^\n([^\n]+\n)([^\n]+\n)([^\n]+\n)'
		local swapped = '\n' .. root .. two .. one .. text:match '[^\n]*\n$'
		for name, lines in pairs {
			as_it_is = text, swapped = swapped, twice = text .. text, with_gaps = text:gsub('\n', '\n\n'),
		} do
			local status, out, err, held = import(name, lines)
			assert.are.same({ 0, '', 3 }, { status, err, held })
			assert.matches('3 new entries\n$', out)
		end
		for name, lines in pairs {
			of_0_2 = root .. one .. two, of_0_2_without_a_leaf = root .. one,
			between_empty_lines = '\n' .. root .. one .. two .. '\n',
		} do
			local status, _, err, held = import(name, lines)
			assert.are.same({ 0, name == 'of_0_2_without_a_leaf' and 2 or 3 }, { status, held })
			assert.matches('does not count its entries.*cannot be told', err)
		end
		local file = H.write(folder .. '/piped', text)
		local told = json.decode(select(2, run(folder .. '/json', 'db', 'import', '--init', '--json', file)))
		assert.are.same({ 3, true }, { told.entered, told.counted })
	end)
end)
