-- What the program shows of texts that others wrote.
local H = require 'spec.helper'
local tl = require 'tidelock'

local NASTY = 'a\27[2J\27]0;title\7\nsha256:0000 forged\r\u{9b}\u{202e}b\u{2028}c\u{2066}\u{200b}\u{7f}'
local ESCAPED = [[a\u001b[2J\u001b]0;title\u0007\nsha256:0000 forged\r\u009b\u202eb\u2028c\u2066\u200b\u007f]]

local function has_hidden(text)
	return text:find '[%z\1-\9\11-\31\127]' or text:find '\u{9b}' or text:find '\u{202e}'
		or text:find '\u{2028}' or text:find '\u{2066}' or text:find '\u{200b}'
end

-- A directory with one database: its name, a store, a key and a text are NASTY.
local function nasty_node()
	local data = H.folder() .. '/data'
	local node <close> = assert(tl.open { path = data, sync = false })
	assert(node:add_private_key 'me')
	local db <close> = assert(node:new_database({ name = NASTY }, 'me'))
	assert(db:transact(function(tx)
		tx:doc(NASTY):set({ NASTY }, NASTY)
		tx:doc 'd':set('text', NASTY)
	end))
	return data, db:root_id()
end

describe('what the program shows', function()
	teardown(H.clean)

	it('holds nothing that a terminal obeys, and one line for one thing', function()
		local data, id = nasty_node()
		for _, words in ipairs {
			{ 'db', 'list' }, { 'status' }, { 'log', id }, { 'log', '--graph', id }, { 'verify' },
			{ 'db', 'list', '--json' }, { 'db', 'get', id, 'd' }, { 'db', 'get', id, NASTY },
			{ 'db', 'get', id, 'd', '--json' }, { 'db', 'get', id, 'd', NASTY },
			{ 'db', 'get', NASTY, 'none' }, { 'db', 'get', 'no ' .. NASTY, 'd' }, { NASTY },
			{ 'status', '--' .. NASTY }, { 'db', 'get', id, 'd', 'a' .. NASTY },
		} do
			words[#words + 1], words[#words + 2] = '-d', data
			local _, out, err = H.run(table.unpack(words))
			assert.is_nil(has_hidden(out), words[1] .. ' ' .. (words[2] or ''))
			assert.is_nil(has_hidden(err), words[1] .. ' ' .. (words[2] or ''))
			assert.is_nil(('\n' .. out .. '\n' .. err):find('\nsha256:0000', 1, true))
		end
		local _, list = H.run('db', 'list', '-d', data)
		assert.is_truthy(list:find(ESCAPED, 1, true))
		assert.are.equal(1, select(2, list:gsub('\n', '')))
	end)

	it('is exact in JSON', function()
		local data, id = nasty_node()
		local _, list = H.run('db', 'list', '--json', '-d', data)
		assert.are.equal(NASTY, tl.json.decode(list)[1].name)
		local _, doc = H.run('db', 'get', id, 'd', '--json', '-d', data)
		assert.are.equal(NASTY, tl.json.decode(doc).text)
		local _, shown = H.run('db', 'get', id, 'd', '-d', data)
		assert.are.equal(NASTY, tl.json.decode(shown).text)
	end)

	it('is the text itself for a program, and escaped on a terminal', function()
		local data, id = nasty_node()
		assert.are.equal(NASTY .. '\n', select(2, H.run('db', 'get', id, 'd', 'text', '-d', data)))
		assert.are.equal(ESCAPED .. '\n', H.run_on_terminal('db', 'get', id, 'd', 'text', '-d', data))
		local _, entries = H.run('db', 'export', id, '-d', data)
		assert.is_truthy(entries:find '\u{202e}')
		assert.is_nil(has_hidden(H.run_on_terminal('db', 'export', id, '-d', data)))
	end)

	it('tells a backslash from an escape, and leaves JSON as it is', function()
		local data = H.folder() .. '/data'
		local name, feed, letters = 'a\\b', 'x\ny', 'x\\ny'
		assert.are.equal(0, (H.run('db', 'create', name, '-d', data)))
		for key, text in pairs { feed = feed, letters = letters } do
			assert.are.equal(0, (H.run('db', 'set', name, 'd', key, text, '-d', data)))
			assert.are.equal(0, (H.run('row', 'set', name, 't', text, tl.json.encode(text), '-d', data)))
			assert.are.equal(text .. '\n', select(2, H.run('db', 'get', name, 'd', key, '-d', data)))
		end
		assert.are.equal('x\\ny\n', H.run_on_terminal('db', 'get', name, 'd', 'feed', '-d', data))
		assert.are.equal('x\\\\ny\n', H.run_on_terminal('db', 'get', name, 'd', 'letters', '-d', data))
		for _, words in ipairs { { 'db', 'list' }, { 'status' } } do
			assert.matches('  a\\\\b ', H.run_on_terminal(words[1], words[2] or '-d', table.unpack(
				words[2] and { '-d', data } or { data })))
		end
		assert.are.equal([[x\ny  "x\ny"]] .. '\n' .. [[x\\ny  "x\\ny"]] .. '\n',
			H.run_on_terminal('row', 'list', name, 't', '-d', data))
		for _, run in ipairs { H.run_on_terminal, function(...) return (select(2, H.run(...))) end } do
			assert.are.same({ feed = feed, letters = letters },
				tl.json.decode(run('db', 'get', name, 'd', '--json', '-d', data)))
			assert.are.equal(name, tl.json.decode(run('db', 'list', '--json', '-d', data))[1].name)
		end
	end)

	it('holds nothing that a terminal obeys also where the program cannot begin', function()
		local folder = H.folder()
		H.write(folder .. '/argparse.lua', [[error('a\27[31m\nforged ' .. ('x'):rep(10000), 0)]])
		local failed = H.start({ env = { 'LUA_PATH=' .. folder .. '/?.lua;;' } }, 'status')
		local status, out, err = failed:wait()
		assert.are.same({ 70, '' }, { status, out })
		assert.matches([[^tidelock: a\u001b%[31m\nforged x+]] .. '\n$', err)
		assert.is_true(#err < 5000)
	end)

	it('tells errors of scripts in lines of their own', function()
		local script = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			tl.log.info('a\nforged \27[31m')
			error(setmetatable({}, { __tostring = function() return 'b\nforged \27[31m' end }))]])
		local _, _, err = H.run('run', script)
		assert.is_nil(has_hidden(err:gsub('\t', '')))
		assert.is_nil(err:find('\nforged', 1, true))
		assert.matches('%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%+00:00 info script: '
			.. 'a\\nforged \\u001b%[31m\n', err)
	end)
end)
