-- Misuse is told with the line of the caller and the name of the method, also where a Lua half lies
-- between the two.
local H = require 'spec.helper'
local tl = require 'tidelock'

local key = tl.crypto.new_secret(('k'):rep(32)):public_key()

describe('misuse', function()
	local node, db, tx, sync, http

	before_each(function()
		node = assert(tl.open { backend = tl.memory(), log_level = 'off' })
		db = assert(node:new_database({ name = 'n' }, '_device_key'))
		tx, sync = assert(db:new_transaction()), node:sync()
		http = assert(tl.transport.http())
	end)

	after_each(function()
		http:close()
		node:close(0)
	end)

	teardown(H.clean)

	-- Each call stands on one line with the position that it is to be told with.
	local function told(fn)
		local line = debug.getinfo(fn, 'S').linedefined
		local ok, err = pcall(fn)
		assert.is_false(ok)
		assert.are.equal('string', type(err))
		local position = ('spec/lua/blame_spec.lua:%d: '):format(line)
		assert.are.equal(position, err:sub(1, #position))
		return err:sub(#position + 1)
	end

	it('names the caller and the method', function()
		local doc, rows = tx:doc 'd', tx:table 't'
		for name, fn in pairs {
			["bad argument #1 to 'sleep' (a duration"] = function() tl.sleep 'never' end,
			["bad argument #1 to 'after' (a duration"] = function() tl.loop.after('soon', print) end,
			["bad argument #2 to 'after' (function"] = function() tl.loop.after(1) end,
			["bad argument #1 to 'every' (a period"] = function() tl.loop.every(0, print) end,
			["bad argument #1 to 'task' (function"] = function() tl.task(5) end,
			["bad argument #1 to 'run' ('default'"] = function() tl.loop.run 'often' end,
			["bad argument #1 to 'open' (a table"] = function() tl.open 'notes' end,
			["bad argument #1 to 'open' (unknown option 'pat', did you mean 'path'"] =
				function() return tl.open { pat = 'notes' }, 1 end,
			["bad argument #1 to 'load_database' (string expected, got no value"] =
				function() node:load_database() end,
			["bad argument #1 to 'on' (the kind"] = function() node:on(5, print) end,
			["bad argument #2 to 'on' (function"] = function() node:on('overflow', 5) end,
			["bad argument #1 to 'on' (there is no event 'overfow'"] = function() node:on('overfow', print) end,
			["bad argument #1 to 'events' (there is no event"] = function() node:events { 'overfow' } end,
			["bad argument #1 to 'add_hook' (a hook"] = function() db:add_hook(5) end,
			["bad argument #1 to 'close' (a duration"] = function() node:close 'now' end,
			["bad argument #1 to 'get_store' (string expected, got table"] =
				function() return db:get_store({}, tl.Table), 1 end,
			["bad argument #2 to 'get_store' (a store type"] = function() db:get_store('d', 'tree') end,
			["bad argument #1 to 'transact' (function"] = function() db:transact(5) end,
			["bad argument #1 to 'changes' (unknown option 'sinc'"] = function() db:changes { sinc = 1 } end,
			["bad argument #1 to 'changes' (since"] = function() db:changes { since = -1 } end,
			["bad argument #2 to 'history_of' (a path"] = function() db:history_of('d', 5) end,
			["bad argument #1 to 'history_of' (string expected, got boolean"] =
				function() db:history_of(true, 'x') end,
			["bad argument #2 to 'modify' (function"] = function() doc:modify 'x' end,
			["bad argument #1 to 'search' (function"] = function() rows:search(5) end,
			["bad argument #1 to 'flush' (a duration"] = function() sync:flush 'soon' end,
			["bad argument #2 to 'wait_until_synced' (string expected, got boolean"] =
				function() sync:wait_until_synced(key, true) end,
			["bad argument #1 to 'connect_to_peer' (string expected, got table"] =
				function() sync:connect_to_peer {} end,
			["bad argument #2 to 'connect_to_peer' (unknown option 'kye'"] =
				function() sync:connect_to_peer('http:h:1', { kye = key }) end,
			["bad argument #1 to 'start_server' (string expected, got nil"] =
				function() sync:start_server() end,
			["bad argument #1 to 'enable_http_transport' (unknown option"] =
				function() sync:enable_http_transport { tsl = true } end,
			["bad argument #1 to 'request' (unknown option 'adress'"] =
				function() http:request { adress = 'x' } end,
			["bad argument #1 to 'serve' (string expected"] = function() http:serve({}, print) end,
			["bad argument #2 to 'serve' (function"] = function() http:serve 'x' end,
			["bad argument #3 to 'serve' (unknown option 'idel'"] =
				function() http:serve('127.0.0.1:0', print, { idel = 1 }) end,
			["bad argument #1 to 'flush' (tidelock.sync expected, got string"] =
				function() sync.flush '5s' end,
		} do
			local text = told(fn)
			assert.are.equal(name, text:sub(1, #name))
		end
	end)

	it('names them also where the call does not show them', function()
		local function line() return debug.getinfo(2, 'l').currentline end
		local function check(name, at, ok, err)
			assert.is_false(ok)
			local expected = ('spec/lua/blame_spec.lua:%d: %s'):format(at, name)
			assert.are.equal(expected, err:sub(1, #expected))
		end
		check("bad argument #1 to 'sleep'", line(), pcall(tl.sleep, 'never'))
		check("bad argument #1 to 'transact'", line(), pcall(db.transact, db, 5))
		check("bad argument #1 to 'load_database'", line(), pcall(node.load_database, node))
		check("bad argument #1 to 'flush'", line(), pcall(sync.flush, sync, 'soon'))
		check("bad argument #1 to 'sha256'", line(), pcall(tl.crypto.sha256))
		check("calling 'get_tips' on bad self", line(), pcall(db.get_tips, {}))
		local ok, err = pcall(function() return tl.sleep 'never' end)
		assert.is_false(ok)
		assert.matches("^spec/lua/blame_spec.lua:%d+: bad argument #1 to 'sleep'", err)
	end)

	it('never names what lies below', function()
		local offline <close> = assert(tl.open { backend = tl.memory(), sync = false })
		for name, method in pairs(getmetatable(offline:sync())) do
			if type(method) == 'function' and not name:find '^__' and name ~= 'enable_http_transport' then
				local _, err = select(2, pcall(method, offline:sync(), key, db:root_id(), 'x', 'read'))
				local text = type(err) == 'table' and err.message or tostring(err)
				assert.is_nil(text:find 'tl_', name .. ': ' .. text)
			end
		end
	end)
end)
