-- Every function and method of the modules with arguments of every kind: each call returns, gives nil and
-- an error object, or raises a Lua error that speaks of the argument. Nothing crashes or hangs.
local H = require 'spec.helper'
local uv = require 'luv'
local tl = require 'tidelock'
local task = require 'tidelock.task'
local core = require 'tidelock.core'

local CALLS = 40 -- with random arguments, for each function
local KEY = tl.crypto.new_secret(('k'):rep(32)):public_key()

local cycle = {}
cycle.cycle = cycle

local node, db, closed, folder

local function new_db()
	if not db then
		db = assert(node:new_database({ name = 'n' }, '_device_key'))
		assert(db:set_default_auth_key '_device_key')
	end
	return db
end

local function gone(handle)
	handle:close()
	return handle
end

-- Servers and listeners keep the loop alive, so transports and nodes are closed after each
-- specification.
local transports = {}

local function transport()
	transports[#transports + 1] = assert(tl.transport.http())
	return transports[#transports]
end

-- How a handle of each type is made: a fresh one, since calls may close it or spoil it.
local makers = {
	['tidelock.node'] = function() return assert(tl.open { backend = tl.memory(), log_level = 'off' }) end,
	['tidelock.op'] = function() return assert(node:sync_start_flush(0)) end,
	['tidelock.database'] = function() return assert(node:load_database(new_db():root_id())) end,
	['tidelock.view'] = function() return assert(new_db():at(assert(new_db():get_tips()))) end,
	['tidelock.transaction'] = function() return assert(new_db():new_transaction()) end,
	['tidelock.doc_store'] = function() return assert(new_db():new_transaction()):doc 'd' end,
	['tidelock.table'] = function() return assert(new_db():new_transaction()):table 't' end,
	['tidelock.settings_store'] = function() return assert(new_db():new_transaction()):settings() end,
	['tidelock.entry'] = function() return assert(new_db():get_entry(new_db():root_id())) end,
	['tidelock.entry_builder'] = function() return assert(tl.entry.builder()) end,
	['tidelock.secret'] = function() return assert(tl.crypto.new_secret()) end,
	['tidelock.store'] = function() return assert(tl.store.open { memory = true }) end,
	['tidelock.list'] = function() return tl.list { 1, 'x' } end,
	['tidelock.http'] = transport,
	['tidelock.http_server'] = function()
		return assert(transport():serve('127.0.0.1:0', function() return {} end))
	end,
}

-- Waits as long as it is told, or for ever, or does not come back: with a number, or at all.
local waits = { sleep = true, after = true, every = true, stop = true }
local never = { run = true }

local function values()
	return {
		nil, true, false, 0, -1, 1.5, 7, math.huge, 0 / 0, math.mininteger, 2 ^ 53, '', 'x', 'a.b', '\0',
		'\xff', ('y'):rep(2000), KEY, new_db():root_id(), 'http:127.0.0.1:1', 'read', 'write:10',
		'sha256:' .. ('0'):rep(64), {}, { 1, 2 }, { a = { b = 1 } }, { {} }, cycle, { 'x' }, { KEY },
		setmetatable({}, { __index = function() error('of a metamethod', 0) end }), tostring,
		function() end, function() error {} end, coroutine.create(print), io.stdout, tl.null,
		tl.deleted, tl.list {}, closed, node, new_db(),
	}, 42
end

local problems

local function describe_call(name, arguments)
	local words = {}
	for at = 1, arguments.n do
		local value = arguments[at]
		words[at] = type(value) == 'string' and ('%q'):format(value:sub(1, 40))
			or type(value) == 'table' and 'a table' or tostring(value)
	end
	return ('%s(%s)'):format(name, table.concat(words, ', '))
end

-- Errors speak of what was called, not of what is below it.
local function speaks_of_inside(text)
	return text:find '^tidelock:[%w_.]+:%d+:' or text:find '%f[%w_]tl_%l' or text:find '%f[%w_]tl__'
		or text:find '%f[%w_]tlua_'
end

local function judge(name, arguments, self, ok, first, second)
	if not ok then
		-- What a value of the wrong kind makes of a method is its caller's to find out.
		local text = type(first) == 'string' and first or ''
		if (self ~= nil or not name:find ':') and speaks_of_inside(text) then
			problems[#problems + 1] = describe_call(name, arguments) .. ' raises ' .. text
		end
	elseif first == nil and second ~= nil and name ~= 'tidelock.json.decode' then
		if type(second) ~= 'table' or type(second.code) ~= 'string' or #second.message == 0 then
			problems[#problems + 1] = describe_call(name, arguments) .. ' gives ' .. tostring(second)
		elseif speaks_of_inside(second.message) then
			problems[#problems + 1] = describe_call(name, arguments) .. ' says ' .. second.message
		end
	end
	local meta = ok and debug.getmetatable(first)
	if meta and meta.__name == 'tidelock.timer' then
		first:stop()
	end
end

local function call(name, fn, self, short)
	local all, count = values()
	local arguments = { n = 0 }
	if self ~= nil then
		arguments[1], arguments.n = self, 1
	end
	for _ = 1, math.random(0, 4) do
		arguments.n = arguments.n + 1
		local value
		repeat
			value = all[math.random(count)]
		until not (waits[short] and (type(value) == 'number' or value == '7'))
		arguments[arguments.n] = value
	end
	judge(name, arguments, self, pcall(fn, table.unpack(arguments, 1, arguments.n)))
end

local function functions_of(object)
	local names = {}
	for name, value in pairs(object) do
		if type(value) == 'function' and not name:find '^__' and not never[name] then
			names[#names + 1] = name
		end
	end
	table.sort(names)
	return names
end

describe('misuse', function()
	local here, on_error = uv.cwd(), task.on_error

	setup(function()
		folder = H.folder()
		uv.chdir(folder) -- some calls write files
	end)

	-- Each specification begins with the same seed: it does not matter which came before.
	before_each(function()
		problems = { seed = H.seed(7) }
		task.on_error = function() end -- of the tasks that calls start
		node, db = assert(tl.open { backend = tl.memory(), log_level = 'off' }), nil
		closed = gone(assert(node:new_database(nil, '_device_key')))
	end)

	after_each(function()
		for _, made in ipairs(transports) do
			made:close()
		end
		for _, made in ipairs(require 'tidelock.node'.open_nodes()) do
			made:close(0)
		end
		transports = {}
		task.report_failures()
		assert.are.same({ seed = problems.seed }, problems)
	end)

	teardown(function()
		task.on_error, task.failed = on_error, nil
		uv.chdir(here)
		H.clean()
	end)

	for _, module in ipairs { 'address', 'crypto', 'doc', 'entry', 'json', 'sim', 'store', 'transport' } do
		it('of the functions of tidelock.' .. module, function()
			for _, name in ipairs(functions_of(tl[module])) do
				for _ = 1, CALLS do
					call('tidelock.' .. module .. '.' .. name, tl[module][name], nil, name)
				end
			end
		end)
	end

	it('of the functions of tidelock', function()
		for _, name in ipairs(functions_of(tl)) do
			for _ = 1, CALLS do
				call('tidelock.' .. name, tl[name], nil, name)
			end
		end
	end)

	it('that are lists, of lengths which there cannot be', function()
		local function list(item, length)
			return setmetatable({}, { __index = function() return item end, __len = function() return length end })
		end
		local db_of, id = new_db(), new_db():root_id()
		local doc = assert(db_of:new_transaction()):doc 'd'
		local lengths = { -1, math.mininteger, math.maxinteger, (1 << 60) - 1, (1 << 61) - 1, (1 << 62) - 1 }
		for _, length in ipairs(lengths) do
			for _, fn in ipairs {
				function() return db_of:at(list(id, length)) end,
				function() return doc:get(list('x', length)) end,
				function() return node:sync_share(id, { addresses = list('http:127.0.0.1:1', length) }) end,
				function() return node:sync_enable_iroh { relay_mode = list({ url = 'https://a' }, length) } end,
				function() return tl.open { backend = tl.memory(), accept_databases_from = list(KEY, length) } end,
			} do
				assert.has_error(fn)
			end
		end
	end)

	it('of the methods of a node\'s sync and of its state', function()
		for _, object in ipairs { node:sync(), node:sync():state() } do
			local name = getmetatable(object).__name:match '[^.]+$'
			local methods = getmetatable(object)
			for _, method in ipairs(functions_of(methods)) do
				for _ = 1, CALLS do
					call(name .. ':' .. method, methods[method], object, method)
				end
				call(name .. ':' .. method, methods[method], nil, method)
			end
		end
		local sync = node:sync()
		node:close(0)
		for _, method in ipairs(functions_of(getmetatable(sync))) do
			call('sync:' .. method, sync[method], sync, method)
		end
	end)

	local type_names = {}
	for type_name in pairs(makers) do
		type_names[#type_names + 1] = type_name
	end
	table.sort(type_names)

	for _, type_name in ipairs(type_names) do
		local make = makers[type_name]
		it('of the methods of ' .. type_name, function()
			local methods = core.methods(type_name)
			if type(methods) ~= 'table' then -- lists look their methods up themselves
				methods = { push = 1, insert = 1, set = 1, remove = 1, totable = 1 }
				for name in pairs(methods) do
					methods[name] = tl.list {}[name]
				end
			end
			for _, name in ipairs(functions_of(methods)) do
				local handle = make()
				for turn = 1, CALLS do
					if tostring(handle):find 'closed' or turn % 10 == 0 then
						handle = make()
					end
					call(type_name .. ':' .. name, methods[name], handle, name)
				end
				if methods.close then
					local shut = gone(make())
					call(type_name .. ':' .. name, methods[name], shut, name)
					gone(shut)
				end
				call(type_name .. ':' .. name, methods[name], nil, name)
			end
		end)
	end
end)
