-- What binding_memory_spec does while memory runs out. Each scenario is prepared with memory enough,
-- run, and finished with memory enough again: then what it used must be free.
local uv = require 'luv'
local tl = require 'tidelock'
local nodes = require 'tidelock.node'
local task = require 'tidelock.task'

local SEED = ('s'):rep(32)
local KEY = tl.crypto.new_secret(SEED):public_key()

local scenarios = {}

local function nothing() end

-- A callback of the loop that has no memory is told of; who it was to wake may wait for ever then.
local failed
function task.on_error(err)
	failed = failed or err
	task.stop 'a callback had no memory'
end

local function forget()
	failed, task.failed, task.stopped = nil, nil, nil
end

local function raise_kept()
	local err = failed
	forget()
	if err then
		error(err, 0)
	end
end

local function add(run, prepare, finish)
	scenarios[#scenarios + 1] = { run = run, prepare = prepare or nothing, finish = finish or nothing }
end

-- With handles of luv: there only the core runs out of memory. luv itself does not survive it: it leaves
-- a handle half made, and ends the process when a callback cannot begin.
local function add_with_luv(...)
	add(...)
	local scenario = scenarios[#scenarios]
	local run = scenario.run
	scenario.luv = true
	function scenario.run(context)
		forget() -- of the run before
		run(context)
		raise_kept()
	end
end

-- --- without a node -----------------------------------------------------------------------------

add(function()
	local secret <close> = assert(tl.crypto.new_secret(SEED))
	local signature = assert(secret:sign 'message')
	assert(tl.crypto.verify(secret:public_key(), 'message', signature))
	assert(tl.crypto.base64_decode(tl.crypto.base64_encode(tl.crypto.sha256 'x' .. tl.crypto.random(9))))
	assert(tl.key.parse(KEY) and tl.id.parse(tl.crypto.id_of 'x'))
	assert(not tl.key.parse 'x' and tostring(secret))
end)

add(function()
	local secret <close> = assert(tl.crypto.new_secret(SEED))
	local builder = assert(tl.entry.builder())
	builder:tree(''):metadata '{}':store('_root', '{}'):store('d', '{"children":{}}'):key(KEY)
	local entry = assert(builder:finish(secret))
	local again = assert(tl.entry.parse(entry:bytes()))
	assert(again:verify(KEY) and again:id() == entry:id() and again:is_root())
	assert(#again:stores() == 2 and again:signer().sig and again:metadata() and #again:parents() == 0)
	assert(not tl.entry.parse 'no entry')
end)

add(function()
	local list = tl.list { 1, 'two', { a = true }, tl.null, tl.list { 5 } }
	assert(list:insert(2, 'between') and list:push { b = tl.list {} } and list:remove(1) and list:set(1, 'x'))
	local doc = { list = list, deep = { er = { text = 'x', none = tl.null } }, n = 1 }
	local text = assert(tl.doc.write(doc))
	local merged = assert(tl.doc.merge(assert(tl.doc.parse(text)), { n = tl.deleted, more = 'y' }))
	assert(#merged.list:totable() == 6 and tl.doc.to_json(merged) and merged.list[1] == 'x')
	assert(not tl.doc.parse '{')
	assert(not pcall(tl.doc.write, { a = { b = 1.5 } }))
end)

add(function()
	local text = tl.json.encode({ a = { 1, 2.5, 'x', tl.null, false }, b = { c = {} }, l = tl.list { 1 } })
	local value = assert(tl.json.decode(text))
	assert(value.a[3] == 'x' and value.a[4] == tl.null)
	assert(not tl.json.decode '{"a":' and not pcall(tl.json.encode, { print }))
end)

add(function()
	local store <close> = assert(tl.store.open { memory = true })
	assert(store:put('k', 'v') and store:get 'k' == 'v' and #store:list() == 1)
	assert(#store:databases() == 0 and store:remove 'k' and #store:check() == 0)
	assert(not store:get 'k')
end)

add(function()
	for _, text in ipairs { 'host:1', 'https:host:1', 'http:host' } do
		tl.address.parse(text)
	end
	assert(tl.address.http 'host:1')
	assert(not pcall(tl.open, { pat = 'x' }))
	assert(not pcall(tl.sleep, 'never'))
end)

-- --- tasks, timers, HTTP by itself ---------------------------------------------------------------

local function settle()
	forget()
	uv.run 'nowait'
	forget()
end

add_with_luv(function()
	local timer <close> = tl.loop.every('1h', nothing)
	local later <close> = tl.loop.after('1h', nothing)
	local child <close> = tl.task(function()
		local inner <close> = tl.task(tl.sleep, '1h')
		assert(later and tostring(inner))
		tl.sleep '1h'
	end)
	local done = tl.task(function() return 'done' end)
	assert(done:wait() == 'done' and not done:cancel() and tostring(child) and tostring(timer))
	assert(timer:stop() and child:cancel())
end, nil, settle)

add_with_luv(function()
	local seen = 0
	local timer <close> = tl.loop.every('1ms', function() seen = seen + 1 end)
	local child <close> = tl.task(function()
		tl.sleep '1ms'
		return 'done'
	end)
	tl.sleep '3ms'
	child:wait()
	assert(timer:stop())
end, nil, settle)

add(function()
	local http <close> = assert(tl.transport.http())
	assert(http and not tl.transport.http { ca = '/nowhere\0' })
end)

add_with_luv(function()
	local http <close> = assert(tl.transport.http())
	local server <close> = assert(http:serve('127.0.0.1:0', nothing))
	assert(server:address())
end, nil, settle)

add_with_luv(function()
	local http <close> = assert(tl.transport.http())
	local server <close> = assert(http:serve('127.0.0.1:0', function(question)
		return { status = 200, body = question.body }
	end))
	-- Without memory for a request a server ends its connection, or answers so.
	local answer, err = http:request { address = server:address(), path = '/', body = 'x' }
	if answer then
		assert(answer.body == 'x' or answer.status >= 500)
	else
		assert(err.code == 'out_of_memory' or err.code == 'connection_failed', err)
	end
	assert(not http:request { address = 'nowhere', path = '/' })
	server:stop()
end, nil, settle)

-- --- nodes ---------------------------------------------------------------------------------------

local function close_all()
	forget()
	for _, node in ipairs(nodes.open_nodes()) do
		node:close(0)
	end
	forget()
end

add(function()
	local node <close> = assert(tl.open { backend = tl.memory(), sync = false, log_level = 'off' })
	assert(node:add_private_key('k', SEED) == KEY and node:get_public_key 'k' == KEY)
	assert(#node:list_private_keys() == 1 and node:export_private_key 'k' == SEED)
	assert(node:import_private_key('l', node:export_private_key_text 'k') and node:remove_private_key 'l')
	assert(node:device_key())
	assert(not node:get_public_key 'none')
end, nil, close_all)

-- A directory that is free again proves that the node in it was closed.
add(function(folder)
	local node <close> = assert(tl.open { path = folder .. '/data', log_level = 'off', on_commit = false })
	assert(node:sync())
end, function()
	return assert(uv.fs_mkdtemp((os.getenv 'TMPDIR' or '/tmp') .. '/tidelock-spec-XXXXXX'))
end, function(folder)
	assert(tl.open { path = folder .. '/data', log_level = 'off' }):close(0)
	os.execute(('rm -rf %q'):format(folder))
end)

local function with_database()
	local node = assert(tl.open { backend = tl.memory(), log_level = 'off', on_commit = false, periodic = 0 })
	assert(node:add_private_key('k', SEED))
	local db = assert(node:new_database({ name = 'n' }, 'k'))
	assert(db:set_default_auth_key 'k')
	assert(db:transact(function(tx)
		assert(tx:doc 'd':set('list', tl.list { 'a', 'b' }))
		assert(tx:doc 'd':set('in', { deep = { x = 1 } }))
		for n = 1, 3 do
			assert(tx:table 't':set('row' .. n, { n = n, text = 'x' }))
		end
	end))
	return { node = node, db = db, sync = node:sync() }
end

local function drop(context)
	forget()
	context.node:close(0)
	forget()
end

local function on_database(run)
	add(run, with_database, drop)
end

on_database(function(c)
	local new <close> = assert(c.node:new_database({ name = 'other', more = { a = tl.list { 1 } } }, 'k'))
	assert(c.node:load_database(new:root_id()) and c.node:find_database 'other')
	assert(#c.node:all_databases() > 1 and not c.node:load_database('sha256:' .. ('0'):rep(64)))
end)

on_database(function(c)
	local store = assert(c.db:get_store 'd')
	assert(store:get 'list':totable()[2] == 'b' and store:get_as('in.deep.x', 'int') == 1)
	assert(store:get_all()['in'] and store:contains_key 'list' and not store:get_option 'none')
	for _, value in store:each 'in' do
		assert(value.x == 1)
	end
	assert(not store:get 'none' and store:name() == 'd')
end)

on_database(function(c)
	local tx <close> = assert(c.db:new_transaction())
	local store = tx:doc 'd'
	assert(store:set('in.deep', { y = 2, l = tl.list { 1, { z = 1 } } }) and store:merge('in', { other = 'x' }))
	assert(store:delete 'in.deep.y' and store:get_or_insert('fresh', { a = 1 }).a == 1)
	store:insert('key', 'x')
	assert(store:insert('key', 'y') == 'x' and store:set_string('text', 'z'))
	assert(tx:table 't':insert { any = { 'row' } } and tx:table 't':delete 'row1' and tx:tips())
	assert(not pcall(store.set, store, 'list.0', 'x'))
end)

on_database(function(c)
	local id = assert(c.db:transact(function(tx) tx:doc 'd':set('n', 1) end))
	local entry = assert(c.db:get_entry(id))
	assert(entry:id() == id and c.db:has(id) and #c.db:get_tips() == 1)
	local view = assert(c.db:at { id })
	assert(view:doc 'd':get 'n' == 1 and #c.db:store_names() > 1)
	assert(c.db:log(2) and c.db:counts() and c.db:arrival() and #c.db:history_of('d', 'n') > 0)
end)

on_database(function(c)
	local rows = 0
	for key, row in c.db:table 't':each() do
		assert(key and row.n)
		rows = rows + 1
	end
	assert(rows == 3 and #c.db:table 't':search(function(row) return row.n == 2 end) == 1)
	assert(c.db:table 't':get 'row1'.text == 'x' and c.db:table 't':count() == 3)
	for change in c.db:changes { since = c.db:arrival() - 1 } do
		assert(change.arrival)
	end
end)

on_database(function(c)
	local settings = c.db:get_settings()
	assert(settings:get_name() == 'n' and settings:get_all() and #settings:list_auth_keys() == 1)
	local tx <close> = assert(c.db:new_transaction())
	local own = tx:settings()
	assert(own:set_global 'read' and own:set_auth_key(KEY, 'write:10', 'some') and own:set('x.y', 'z'))
	assert(not own:get_auth_key 'none' and c.db:find_sigkeys(KEY) and c.db:default_auth_key() == 'k')
end)

on_database(function(c)
	local called = 0
	local handle = c.db:add_hook {
		before_commit = function(context)
			called = called + (context.entry:id() and #context.stores > 0 and 1 or 0)
			return true
		end,
	}
	local id, err = c.db:transact(function(tx) tx:doc 'd':set('n', 2) end)
	c.db:remove_hook(handle)
	if not id then
		error(err, 0)
	end
	assert(called == 1)
end)

on_database(function(c)
	local lines = {}
	assert(c.db:export(function(line) lines[#lines + 1] = line end))
	local store = c.node:store()
	assert(#store:arrivals(c.db:root_id(), 1, 2) == 2 and #store:tips(c.db:root_id()) == 1)
	assert(#store:state(c.db:root_id(), 'd', 'in') > 0 and store:database(c.db:root_id()).arrivals > 0)
	assert(c.db:verify() and store:names(c.db:root_id()))
end)

on_database(function(c)
	local sync = c.sync
	sync:register_peer(KEY, 'p')
	assert(sync:add_peer_address(KEY, 'host:1') and sync:add_tree_sync(KEY, c.db:root_id()))
	assert(sync:get_peer_info(KEY).pubkey == KEY and #sync:get_peer_addresses(KEY) == 1)
	assert(sync:status().peers and sync:list_peers()[1] and sync:get_tree_peers(c.db:root_id()))
	assert(sync:state():get_sync_metadata(KEY):sync_success_rate() == 0)
	assert(sync:configure { periodic = 0, accept_databases_from = { KEY } })
	assert(sync:update_peer_status(KEY, 'inactive') and sync:pending_bootstrap_requests())
	assert(sync:remove_peer_address(KEY, 'host:1') and sync:remove_tree_sync(KEY, c.db:root_id()))
	assert(sync:remove_peer(KEY) and not sync:get_peer_info(KEY))
end)

on_database(function(c)
	c.node:next_event()
	assert(c.db:transact(function(tx) tx:doc 'd':set('n', 3) end))
	local seen
	for event in c.node.next_event, c.node do
		seen = seen or event.kind == 'entry_committed'
	end
	assert(seen)
end)

add_with_luv(function(c)
	local heard = 0
	local stop = c.node:on('entry_committed', function() heard = heard + 1 end)
	assert(c.db:transact(function(tx) tx:doc 'd':set('n', 4) end))
	assert(c.sync:flush '60s')
	tl.sleep '1ms'
	stop()
end, with_database, drop)

-- --- more than a mebibyte -------------------------------------------------------------------------

local large = {}

local function add_large(run)
	large[#large + 1] = { run = run, prepare = function()
		local c = with_database()
		for part = 1, 4 do
			assert(c.db:transact(function(tx)
				local list = tl.list()
				for n = 1, 500 do
					assert(tx:table 'large':set(('row%d-%04d'):format(part, n), { n = n, text = ('x'):rep(800) }))
					assert(list:push(('y'):rep(800) .. part .. n))
				end
				tx:doc 'large_doc':set('list' .. part, list)
			end))
		end
		return c
	end, finish = drop }
end

add_large(function(c)
	local all = {}
	for _, row in c.db:table 'large':each() do
		all[#all + 1] = row
	end
	assert(#all == 2000)
end)

add_large(function(c)
	local items = {}
	for _, list in c.db:doc 'large_doc':each() do
		table.move(list:totable(), 1, #list, #items + 1, items)
	end
	assert(#items == 2000)
end)

add_large(function(c)
	local texts = {}
	assert(c.db:export(function(line) texts[#texts + 1] = line .. #texts end))
	local rows = c.node:store():state(c.db:root_id(), 'large')
	assert(#rows >= 2000)
end)

add_large(function(c)
	local events, text = {}, ('z'):rep(4000)
	c.node:next_event()
	for n = 1, 400 do
		assert(c.db:transact(function(tx) tx:doc 'd':set('n', n) end))
	end
	for event in c.node.next_event, c.node do
		events[#events + 1] = { event, text .. #events }
	end
	assert(#events >= 400)
end)

-- Walks that keep nothing need no memory, whatever they walk over.
scenarios.large = large
return scenarios
