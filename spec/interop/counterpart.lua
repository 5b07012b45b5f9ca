-- The counterpart: a process with one node of eidetica 0.2.0 in it (src/main.rs), led line by line. And the
-- nodes of ours that the specifications put beside it.
local H = require 'spec.helper'
local assert = require 'luassert'
local tl = require 'tidelock'
local uv = require 'luv'

local C = {}

local program = os.getenv 'TIDELOCK_COUNTERPART'
local CALL_SECONDS = 300 -- the counterpart itself gives a command up before that

--- What makes a case of a specification, of its `it` and `pending`: where the counterpart could not be built,
--- each is skipped by its name.
function C.cases(it, pending)
	return program and it or function(name) pending(name) end
end

-- --- the counterpart ------------------------------------------------------------------------------

local Counterpart = {}
Counterpart.__index = Counterpart
local running = {}

C.there = program ~= nil

--- Starts one; `options.folder` is where `save` keeps what it holds and `load` finds it.
function C.start()
	local stdin = uv.new_pipe()
	local self = setmetatable({ stdin = stdin, asked = 0, read = 1 }, Counterpart)

	self.process = H.start({ program = program, stdin = stdin })
	running[#running + 1] = self
	return self
end

function Counterpart:line()
	local from = self.read
	local stop = self.process.out:find('\n', from, true)
	if not stop then
		return nil
	end
	self.read = stop + 1
	return tl.json.decode(self.process.out:sub(from, stop - 1))
end

--- Asks without waiting; `answer` waits for it.
function Counterpart:ask(verb, arguments)
	self.asked = self.asked + 1
	self.stdin:write(tl.json.encode { id = self.asked, verb = verb, with = arguments or {} } .. '\n')
	return self.asked
end

--- What a command gave, or nil and the sentence with which it failed.
function Counterpart:answer(id)
	local answer
	H.wait_for(function()
		answer = answer or self:line()
		return answer or self.process.status
	end, CALL_SECONDS)
	assert(answer, 'the counterpart ended: ' .. self.process.err)
	assert.are.equal(id, answer.id)
	if answer.error then
		return nil, answer.error
	end
	return answer.ok
end

function Counterpart:try(verb, arguments)
	return self:answer(self:ask(verb, arguments))
end

--- The same for a command that may not fail.
function Counterpart:call(verb, arguments)
	local ok, err = self:try(verb, arguments)
	if err then
		error(('%s: %s'):format(verb, err), 2)
	end
	return ok
end

function Counterpart:kill()
	self.process:kill 'sigkill'
	H.wait_for(function() return self.process.status end)
end

--- Serves at a free port: the address.
function Counterpart:serve()
	self.address = tl.address.http(self:call('serve'))
	return self.address
end

--- A new database that it serves; `options.public` gives the global record, `options.on_commit` pushes.
function Counterpart:database(name, options)
	options = options or {}
	local db = self:call('create', { name = name, public = options.public })
	self:call('share', { db = db, on_commit = options.on_commit or false, interval = options.interval })
	return db
end

function Counterpart:write(db, store, changes)
	changes.db, changes.store = db, store
	return self:call('write', changes)
end

function Counterpart:state(db, store)
	return self:call('state', { db = db, store = store })
end

function Counterpart:tips(db)
	local tips = self:call('tips', { db = db })
	table.sort(tips)
	return tips
end

-- --- ours -----------------------------------------------------------------------------------------

local nodes = {}

--- A node that serves, with a key called `k`: node, its sync, its address.
function C.open(options)
	options = options or {}
	options.backend = not options.path and tl.memory() or nil
	local node = assert(tl.open(options))
	assert(node:sync():enable_http_transport())
	assert(node:sync():start_server '127.0.0.1:0')
	if not node:get_public_key 'k' then
		assert(node:add_private_key 'k')
	end
	nodes[#nodes + 1] = node
	return node, node:sync(), assert(node:sync():get_server_address())
end

--- A database of this node's `k`; `everybody` is the permission of the global record, if any.
function C.database(node, name, everybody)
	local db = assert(node:new_database({ name = name }, 'k'))
	assert(db:set_default_auth_key 'k')
	if everybody then
		assert(db:transact(function(tx) assert(tx:settings():set_global(everybody)) end))
	end
	return db
end

--- `count` commits, k1 = 'x' and so on.
function C.commits(db, count)
	for i = 1, count do
		assert(db:transact(function(tx) tx:doc 'data':set('k' .. i, 'x') end))
	end
end

local servers = {}

--- A way to `host` that counts what dialled nodes are sent: where to dial, and the count in `bytes`.
function C.relay(host)
	local relay, server = { bytes = 0 }, uv.new_tcp()
	local ip, port = host:match '^(.*):(%d+)$'
	servers[#servers + 1] = server
	assert(server:bind('127.0.0.1', 0))
	assert(server:listen(16, function()
		local near, far = uv.new_tcp(), uv.new_tcp()
		local function pass(from, to, count)
			from:read_start(function(_, bytes)
				if not bytes then
					return to:is_closing() or to:close()
				end
				relay.bytes = relay.bytes + (count and #bytes or 0)
				to:write(bytes)
			end)
		end
		server:accept(near)
		far:connect(ip, math.tointeger(port), function(err)
			assert(not err, err)
			pass(near, far, true)
			pass(far, near)
		end)
	end))
	relay.host = '127.0.0.1:' .. server:getsockname().port
	return relay
end

--- What the counterpart dials.
function C.host(address)
	return (address:gsub('^http:', ''))
end

--- Waits until the counterpart holds as many entries as we do.
function C.wait_count(node, other, db)
	H.wait_for(function() return other:call('count', { db = db }) == C.entries(node, db) end)
end

--- A database of the counterpart in which `k` of ours may write, held and kept in step by both: its id and
--- our handle. `options` as for Counterpart:database.
function C.join(other, node, sync, options)
	local address = other.address or other:serve()
	options = options or {}
	options.public = options.public or 'read'
	local db = other:database('theirs', options)
	other:call('grant', { db = db, name = 'k', key = node:get_public_key 'k', permission = 'write:10' })
	assert(sync:sync_with_peer(address, db))
	local held = assert(node:load_database(db))
	assert(held:set_default_auth_key 'k')
	return db, held
end

--- A database of ours in which the counterpart may write, held, kept in step and served by both.
function C.invite(other, node, sync, options)
	options = options or {}
	local address = other.address or other:serve()
	local me = other:call('me')
	local db = C.database(node, 'ours', options.public)
	assert(db:transact(function(tx) assert(tx:settings():add_auth_key(me.key, 'write:10', 'them')) end))
	local peer = assert(sync:connect_to_peer(address))
	assert(sync:add_tree_sync(peer, db:root_id()))
	C.wait_count(node, other, db:root_id())
	other:call('adopt', { db = db:root_id() })
	other:call('share', { db = db:root_id(), on_commit = options.on_commit or false })
	assert(sync:wait_until_synced(peer, db:root_id(), '20s'))
	return db:root_id(), db
end

--- Ends whatever a case started.
function C.clean()
	for _, counterpart in ipairs(running) do
		if not counterpart.process.status then
			counterpart:kill()
		end
		counterpart.stdin:close()
	end
	for _, node in ipairs(nodes) do
		node:close(0)
	end
	for _, server in ipairs(servers) do
		server:close()
	end
	running, nodes, servers = {}, {}, {}
	H.clean()
end

local function plain(value)
	if type(value) ~= 'table' and type(value) ~= 'userdata' then
		return value
	end
	return tl.json.decode(tl.json.encode(value))
end

--- What a store of ours shows, in the form of Counterpart:state.
function C.state(node, db, store)
	local database = assert(node:load_database(db))
	local shown = {}
	for key, value in database:get_store(store):each() do
		shown[key] = plain(value)
	end
	return shown
end

function C.tips(node, db)
	local tips = assert(assert(node:load_database(db)):get_tips())
	table.sort(tips)
	return tips
end

function C.entries(node, db)
	local database = node:load_database(db)
	return database and database:counts().entries or 0
end

--- Waits until both hold the same tips.
function C.wait_equal(node, counterpart, db, seconds)
	local ours, theirs
	local function equal()
		ours, theirs = C.tips(node, db), counterpart:tips(db)
		return table.concat(ours) == table.concat(theirs)
	end
	local done, err = pcall(H.wait_for, equal, seconds or 20)
	if not done then
		error(('%s: %d tips here, %d there'):format(err, #ours, #theirs), 2)
	end
end

--- How a relation of ours stands.
function C.pair(sync, peer, db)
	for _, pair in ipairs(assert(sync:status()).pairs) do
		if pair.peer == peer and pair.db == db then
			return pair
		end
	end
end

return C
