-- tidelock share and tidelock join. What they stand on: share_spec.lua.
local H = require 'spec.helper'
local json = require 'tidelock.json'

-- A process that has a directory open, with a database and a server.
local function host()
	local folder = H.folder()
	local data = folder .. '/host'
	assert.are.equal(0, H.run('db', 'create', '-d', data, 'notes'))
	assert.are.equal(0, H.run('db', 'set', '-d', data, 'notes', 'data', 'x', 'shared'))
	local script = H.write(folder .. '/host.lua', ([[
		local tl = require 'tidelock'
		local node <close> = assert(tl.open { path = %q })
		assert(node:sync():enable_http_transport())
		assert(node:sync():start_server '127.0.0.1:0')
		print 'ready'
		io.stdout:flush()
		tl.run()
	]]):format(data))
	local process = H.start({}, 'run', script)
	H.wait_for(function() return process.out:find 'ready' or process.status end)
	return data, folder, process
end

-- Of the token, which nobody may see but whoever gets the text: it stands behind 65 bytes that are no secret.
local function token_of(text)
	return text:sub(#'tidelock://share/1/' + 89, #'tidelock://share/1/' + 107)
end

local function stop(process)
	process:kill 'sigterm'
	process:wait()
end

describe('tidelock share', function()
	teardown(H.clean)

	it('prints one word, with which another directory joins', function()
		local data, folder, process = host()
		local status, out, err = H.run('share', '-d', data, 'notes', '--permission', 'write:10')
		assert.are.equal(0, status, err)
		local text = assert(out:match '^(tidelock://share/1/[%w_-]+)\n$', out)
		local guest = folder .. '/guest'
		status, out = H.run('join', '-d', guest, text)
		assert.are.equal(1, status)
		assert.are.equal('', out)
		status, out, err = H.run('join', '-d', guest, '--init', ' ' .. text .. '\n')
		assert.are.equal(0, status, err)
		assert.matches('^sha256:%x+\n$', out)
		status, out = H.run('db', 'get', '-d', guest, 'notes', 'data', 'x')
		assert.are.equal(0, status)
		assert.are.equal('shared\n', out)
		assert.are.equal(0, H.run('join', '-d', guest, text)) -- a member goes on
		status, out, err = H.run('join', '-d', folder .. '/late', '--init', '--json', text)
		assert.are.equal(1, status)
		assert.are.equal('', out)
		assert.are.equal('share_used', json.decode(err).error.code)
		assert.is_nil(err:find(token_of(text), 1, true))
		stop(process)
		assert.is_nil((process.out .. process.err):find(token_of(text), 1, true))
	end)

	it('lists them, and takes them back', function()
		local data, folder, process = host()
		local _, out = H.run('share', '-d', data, 'notes', '--json', '--expires', '10m')
		local share = json.decode(out)
		_, out = H.run('share', '-d', data, '--list', '--json')
		local listed = json.decode(out)
		assert.are.equal(1, #listed)
		assert.are.equal(share.id, listed[1].id)
		assert.are.equal('open', listed[1].state)
		assert.are.equal('read', listed[1].permission)
		assert.is_nil(out:find(token_of(share.text), 1, true))
		_, out = H.run('share', '-d', data, '--list')
		assert.matches('^' .. share.id .. '  open     read      sha256:%x+  until ', out)
		_, out = H.run('status', '-d', data, '--json')
		assert.is_nil(out:find(token_of(share.text), 1, true))
		local status
		status, out = H.run('share', '-d', data, '--revoke', share.id)
		assert.are.equal(0, status)
		assert.are.equal('revoked ' .. share.id .. '\n', out)
		local err
		status, _, err = H.run('share', '-d', data, '--revoke', share.id)
		assert.are.equal(1, status)
		assert.matches('share_not_found', err)
		status, _, err = H.run('join', '-d', folder .. '/guest', '--init', share.text)
		assert.are.equal(1, status)
		assert.matches('share_not_found', err)
		stop(process)
	end)

	it('says what is missing', function()
		local folder = H.folder()
		assert.are.equal(0, H.run('db', 'create', '-d', folder .. '/data', 'notes'))
		local status, _, err = H.run('share', '-d', folder .. '/data', 'notes')
		assert.are.equal(1, status)
		assert.matches('server_not_running', err)
		status, _, err = H.run('share', '-d', folder .. '/data')
		assert.are.equal(1, status)
		assert.matches('which database', err)
		status, _, err = H.run('share', '-d', folder .. '/data', 'notes', '--expires', 'soon')
		assert.are.equal(2, status)
		assert.matches('duration', err)
		status, _, err = H.run('share', '-d', folder .. '/data', 'notes', '--expires', '0')
		assert.are.equal(1, status)
		assert.matches('at once', err)
		for _, long in ipairs { '31d', '100000d' } do
			status, _, err = H.run('share', '-d', folder .. '/data', 'notes', '--expires', long)
			assert.are_not.equal(0, status)
			assert.matches('30 days', err)
		end
		status, _, err = H.run('share', '-d', folder .. '/data', 'notes', '--permission', 'all')
		assert.are.equal(1, status)
		assert.matches('permission', err)
		status, _, err = H.run('join', '-d', folder .. '/data', 'tidelock://share/1/AAAA')
		assert.are.equal(1, status)
		assert.matches('bad_share', err)
		for _, words in ipairs {
			{ '--relay', 'disabled' }, { '--lookup', 'none' },
			{ '--transport', 'iroh', '--relay', 'https://r.example', '--relay', 'disabled' },
		} do
			status, _, err = H.run('join', '-d', folder .. '/data', 'x', table.unpack(words))
			assert.are.equal(1, status)
			assert.matches('%-%-relay', err)
		end
		status = H.run('join', '-d', folder .. '/data', '-')
		assert.are.equal(1, status)
	end)

	local linked = io.popen(('ldd %q'):format(H.program)):read 'a'
	local name = 'draws it on a terminal, and nowhere else'
	if not linked:find 'qrencode' then
		print('skipped: ' .. name)
		return
	end
	it(name, function()
		local data, _, process = host()
		local shown = H.run_on_terminal('share', '-d', data, 'notes')
		assert.matches('tidelock://share/1/[%w_-]+\n', shown)
		local widths, lines = {}, 0
		for line in shown:gmatch '\27%[97;40m(.-)\27%[0m' do
			lines = lines + 1
			widths[utf8.len(line)] = true
		end
		local width = next(widths)
		assert.is_nil(next(widths, width)) -- all the same
		assert.are.equal((width + 1) // 2, lines)
		local _, out = H.run('share', '-d', data, 'notes')
		assert.is_nil(out:find '\27')
		stop(process)
	end)
end)
