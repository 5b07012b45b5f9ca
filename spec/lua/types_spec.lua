-- Every call that Lua has is described in lua/meta, and nothing else is.
local H = require 'spec.helper'
local core = require 'tidelock.core'
local tl = require 'tidelock'

local FILES = { 'tidelock', 'node', 'records', 'database', 'modules', 'backend', 'transport',
	'scripts', 'luv' }

-- Class name -> set of its functions, and of its other fields, as the meta files tell them; and the
-- words of each alias that lists some.
local function described()
	local classes, fields, optional, aliases, alias = {}, {}, {}, {}, nil
	for _, file in ipairs(FILES) do
		local named, pending = {}, nil
		for line in io.lines('lua/meta/' .. file .. '.lua') do
			local class = line:match '^%-%-%-@class ([%w_.]+)'
			if class then
				pending = class
				classes[class] = classes[class] or {}
				fields[class], optional[class] = fields[class] or {}, optional[class] or {}
			end
			alias = line:match '^%-%-%-@alias ([%w_.]+)' or line:find '^%-%-%-|' and alias
			for word in alias and line:gmatch "'([%w_]+)'" or function() end do
				aliases[alias] = aliases[alias] or {}
				aliases[alias][word] = true
			end
			local variable = line:match '^local ([%w_]+) = {}'
			if variable then
				named[variable] = assert(pending, file .. ': ' .. line)
			end
			local owner, method = line:match '^function ([%w_]+)[.:]([%w_]+)'
			if owner then
				classes[assert(named[owner], line)][method] = true
			end
			local field = line:match '^%-%-%-@field ([%w_]+)%??%s+fun'
			if field and pending then
				classes[pending][field] = true
			end
			local plain, may = line:match '^%-%-%-@field ([%w_]+)(%??)'
			if plain and pending and not field then
				fields[pending][plain], optional[pending][plain] = true, may == '?'
			end
		end
	end
	return classes, fields, optional, aliases
end

local function functions_of(object)
	local names = {}
	for name, value in pairs(object) do
		if type(value) == 'function' and not name:find '^__' then
			names[name] = true
		end
	end
	return names
end

-- Calls that only the Lua half uses.
local function without_sync(names)
	for name in pairs(names) do
		if name:find '^sync_' then
			names[name] = nil
		end
	end
	return names
end

describe('types', function()
	local classes, fields, optional, aliases = described()
	local timer = tl.loop.after(0, function() end)
	local finished = tl.task(function() end)
	local node = assert(tl.open { backend = tl.memory() })
	local state = node:sync():state()
	timer:stop()
	node:close(0)

	for class, object in pairs {
		['tidelock.Node'] = without_sync(functions_of(core.methods 'tidelock.node')),
		['tidelock.Database'] = functions_of(core.methods 'tidelock.database'),
		['tidelock.View'] = functions_of(core.methods 'tidelock.view'),
		['tidelock.Transaction'] = functions_of(core.methods 'tidelock.transaction'),
		['tidelock.DocStore'] = functions_of(core.methods 'tidelock.doc_store'),
		['tidelock.Table'] = functions_of(core.methods 'tidelock.table'),
		['tidelock.SettingsStore'] = functions_of(core.methods 'tidelock.settings_store'),
		['tidelock.Entry'] = functions_of(core.methods 'tidelock.entry'),
		['tidelock.EntryBuilder'] = functions_of(core.methods 'tidelock.entry_builder'),
		['tidelock.Secret'] = functions_of(core.methods 'tidelock.secret'),
		['tidelock.Error'] = functions_of(core.methods 'tidelock.error'),
		['tidelock.Task'] = functions_of(getmetatable(finished)),
		['tidelock.Timer'] = functions_of(getmetatable(timer)),
		['tidelock.SyncState'] = functions_of(getmetatable(state)),
		['tidelock.Sync'] = functions_of(require 'tidelock.sync'),
		['tidelock.crypto'] = functions_of(tl.crypto),
		['tidelock.entry'] = functions_of(tl.entry),
		['tidelock.json'] = functions_of(tl.json),
		['tidelock.log'] = functions_of(tl.log),
		['tidelock.doc'] = functions_of(tl.doc),
		['tidelock.store'] = functions_of(tl.store),
		['tidelock.Store'] = functions_of(core.methods 'tidelock.store'),
		['tidelock.transport'] = functions_of(tl.transport),
		['tidelock.Http'] = functions_of(core.methods 'tidelock.http'),
		['tidelock.HttpServer'] = functions_of(core.methods 'tidelock.http_server'),
		['tidelock.Script'] = functions_of(core.methods 'tidelock.script_handle'),
		['tidelock.policy'] = functions_of(require 'tidelock.policy'),
		['tidelock.rule'] = functions_of(require 'tidelock.rule'),
		['tidelock.text'] = functions_of(require 'tidelock.text'),
		['tidelock.loop'] = functions_of(tl.loop),
		['tidelock.sim'] = functions_of(tl.sim),
		['tidelock.address'] = functions_of(tl.address),
		['tidelock'] = functions_of(tl),
	} do
		it('describe ' .. class, function()
			assert.is_not_nil(classes[class])
			assert.are.same(object, classes[class])
		end)
	end

	it('describe the fields of tidelock', function()
		local found = {}
		for name, value in pairs(tl) do
			if type(value) ~= 'function' then
				found[name] = true
			end
		end
		assert.are.same(found, fields['tidelock'])
	end)

	it('describe every argument', function()
		for _, file in ipairs(FILES) do
			local told = {}
			for line in io.lines('lua/meta/' .. file .. '.lua') do
				local name, list = line:match '^function ([%w_.:]+)%((.*)%)'
				for argument in (list or ''):gmatch '[^, ]+' do
					assert.is_true(told[argument], ('%s: %s'):format(name, argument))
				end
				local param = line:match '^%-%-%-@param ([%w_.]+)'
				if param then
					told[param] = true
				elseif not line:find '^%-%-%-' then
					told = {}
				end
			end
		end
	end)

	it('describe luv', function()
		local uv = require 'luv'
		local functions = functions_of(uv)
		functions.run = nil -- it is tidelock.loop's own
		assert.are.same(functions, classes['luv'])
		for class, handle in pairs {
			Timer = 'uv_timer', Tcp = 'uv_tcp', Udp = 'uv_udp', Pipe = 'uv_pipe', Tty = 'uv_tty',
			Poll = 'uv_poll', Process = 'uv_process', Signal = 'uv_signal', FsEvent = 'uv_fs_event',
			FsPoll = 'uv_fs_poll', Idle = 'uv_idle', Prepare = 'uv_prepare', Check = 'uv_check',
			Async = 'uv_async',
		} do
			for name in pairs(debug.getregistry()[handle].__index) do
				assert.is_true(classes['luv.' .. class][name] or classes['luv.Handle'][name]
					or classes['luv.Stream'][name], class .. ':' .. name)
			end
		end
	end)

	-- What calls return has only members that are described, and all of those that are always there.
	local function fits(class, record)
		assert.are.equal('table', type(record), class)
		for name in pairs(record) do
			assert.is_true(fields['tidelock.' .. class][name], ('%s.%s'):format(class, name))
		end
		for name in pairs(fields['tidelock.' .. class]) do
			assert.is_true(record[name] ~= nil or optional['tidelock.' .. class][name] == true,
				('%s.%s is missing'):format(class, name))
		end
		return record
	end

	it('describe what calls return', function()
		local function open(accept)
			local opened = assert(tl.open { backend = tl.memory(), periodic = 0,
				accept_databases_from = { accept } })
			assert(opened:sync():enable_http_transport())
			assert(opened:sync():start_server '127.0.0.1:0')
			return opened, opened:sync()
		end
		local ann <close>, sync = open()
		local bob <close>, other = open(ann:device_key())
		local db = assert(ann:new_database({ name = 'n' }, '_device_key'))
		local seen
		ann:on('entry_committed', function(event) seen = event end)
		local peer = assert(sync:connect_to_peer(other:get_server_address()))
		assert(sync:add_tree_sync(peer, db:root_id()))
		assert(db:transact(function(tx) tx:doc 'd':set('k', 1) end))
		assert(sync:sync_tree_with_peer(peer, db:root_id()))
		assert(bob:add_private_key 'k')
		assert(other:request_database_access(sync:get_server_address(), db:root_id(), 'k', 'write:5'))
		H.wait_for(function() return seen and sync:pending_bootstrap_requests()[1] end)
		fits('Event', seen)
		local status = fits('SyncStatus', sync:status())
		fits('SyncPair', status.pairs[1])
		fits('DatabaseStatus', status.databases[1])
		fits('PeerAddress', fits('Peer', status.peers[1]).addresses[1])
		fits('Peer', sync:get_peer_info(peer))
		fits('SyncCursor', sync:state():get_sync_cursor(peer, db:root_id()))
		fits('SyncMetadata', sync:state():get_sync_metadata(peer))
		H.wait_for(function() return sync:state():get_sync_history(peer)[1] end)
		fits('SyncHistory', sync:state():get_sync_history(peer)[1])
		local request = fits('AccessRequest', sync:pending_bootstrap_requests()[1])
		assert(sync:approve_bootstrap_request(request.request_id, '_device_key'))
		fits('AuthKey', fits('AccessRequest', sync:approved_bootstrap_requests()[1]).present)
		fits('AuthKey', db:get_settings():list_auth_keys()[1])
		fits('AuthKey', db:get_settings():get_auth_key(ann:device_key()))
		fits('DatabaseCounts', db:counts())
		fits('HistoryStep', db:history_of('d', 'k')[1])
		fits('EntryInfo', db:log(1)[1])
		local context
		db:add_hook { before_commit = function(given) context = given end }
		assert(db:transact(function(tx) tx:doc 'd':set('k', 2) end))
		fits('HookContext', context)
	end)

	it('list the events', function()
		assert.are.same(core.event_kinds, aliases['tidelock.EventKind'])
	end)

	-- An option that is not known is refused by its name, whatever its value.
	local function takes(call, name)
		local ok, err = pcall(call, { [name] = setmetatable({}, { __name = 'nonsense' }) })
		return ok or not tostring(err):find 'unknown option'
	end

	it('list options that exist, and the sources have no others', function()
		local opened <close> = assert(tl.open { backend = tl.memory() })
		local http <close> = assert(tl.transport.http())
		local function take_all(class, call)
			for name in pairs(fields[class]) do
				assert.is_true(takes(call, name), class .. '.' .. name)
			end
			assert.is_false(takes(call, 'nonsense'))
		end
		take_all('tidelock.OpenOptions', tl.open)
		take_all('tidelock.SyncOptions', function(options) return opened:sync():configure(options) end)
		take_all('tidelock.SyncOptions', tl.open)
		take_all('tidelock.HttpOptions', function(options)
			return opened:sync():enable_http_transport(options)
		end)
		take_all('tidelock.HttpRequest', function(options)
			return http:request(setmetatable(options, { __index = { address = 'x', path = '/' } }))
		end)
		take_all('tidelock.HttpServeOptions', function(options)
			return http:serve('127.0.0.1:0', function() end, options)
		end)
		for file, lists in pairs {
			['bindings/lua/module/options.h'] = { { 'SYNC_OPTIONS(.-)\n\n', 'SyncOptions' } },
			['bindings/lua/module/options.c'] = { { 'names%[%] = {"path", "memory"(.-)};', 'OpenOptions' } },
			['bindings/lua/module/sync.c'] = { { 'names%[%] = {"certificate"(.-)};', 'HttpOptions' } },
			['bindings/lua/http/http_call.c'] = {
				{ 'names%[%] = {%s*"address"(.-)};', 'HttpRequest' },
			},
			['bindings/lua/http/http_server.c'] = {
				{ 'names%[%] = {"certificate"(.-)};', 'HttpServeOptions' },
			},
		} do
			local source <close> = assert(io.open(file))
			local text = source:read 'a'
			for _, list in ipairs(lists) do
				for name in assert(text:match(list[1]), file):gmatch '"([%w_]+)"' do
					assert.is_true(fields['tidelock.' .. list[2]][name], list[2] .. '.' .. name)
				end
			end
		end
	end)
end)
