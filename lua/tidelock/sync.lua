-- node:sync(): the guide's synchronisation calls. Waiting calls follow lua/tidelock/task.lua.
local core = require 'tidelock.core'
local crypto = require 'tidelock.crypto'
local json = require 'tidelock.json'
local misuse = require 'tidelock.misuse'
local pump = require 'tidelock.pump'
local why = require 'tidelock.why'
local node_methods = core.methods 'tidelock.node'

local Sync = {}
Sync.__index = Sync
Sync.__name = 'tidelock.sync'

function Sync:__tostring()
	return ('tidelock.sync of %s'):format(tostring(self.node))
end

local function node_of(self)
	misuse.check_self(self, Sync)
	return self.node
end

-- Not a tail call: what C says of an argument is told under the name of the method that was called.
local function whole(...)
	return ...
end

-- --- plain calls: the same name and arguments on the node ---------------------------------------

for _, name in ipairs {
	'start_server', 'stop_server', 'is_server_running', 'get_server_address',
	'get_server_addresses', 'register_peer', 'rename_peer', 'update_peer_status', 'remove_peer',
	'add_peer_address', 'remove_peer_address', 'get_peer_addresses', 'add_tree_sync',
	'remove_tree_sync', 'is_tree_synced_with_peer', 'configure', 'cleanup_old_history', 'share',
	'revoke_share',
} do
	local method = node_methods['sync_' .. name]
	Sync[name] = function(self, ...)
		return whole(method(node_of(self), ...))
	end
end

Sync.enable_http_transport = function(self, options)
	return whole(node_of(self):sync_enable_http(options))
end

--- enable_iroh_transport([{ relay_mode =, lookup =, bind =, … }])
Sync.enable_iroh_transport = function(self, options)
	return whole(node_of(self):sync_enable_iroh(options))
end

--- The same with what tl.iroh_transport made.
Sync.enable_iroh_transport_with_config = function(self, config)
	return whole(node_of(self):sync_enable_iroh(config))
end

Sync.approve_bootstrap_request = function(self, id, key_name, record_name)
	return whole(node_of(self):sync_approve(id, key_name, record_name))
end

Sync.reject_bootstrap_request = function(self, id, key_name)
	return whole(node_of(self):sync_reject(id, key_name))
end

--- start_server('127.0.0.1:0' [, { transport = 'http' }])
function Sync:start_server(bind, options)
	local transport = misuse.option(3, options, 'transport')
	return whole(node_of(self):sync_start_server(bind, transport))
end

--- The `_sync` database, readable by DocStore.
function Sync:sync_tree()
	return node_of(self):sync_tree()
end

-- --- JSON records as tables ---------------------------------------------------------------------

local decoded = core.record

for _, name in ipairs {
	'get_peer_info', 'get_peer_trees', 'get_tree_peers', 'status', 'get_facts', 'shares',
} do
	local method = node_methods['sync_' .. name]
	Sync[name] = function(self, ...)
		return decoded(method(node_of(self), ...))
	end
end

--- Why this database is not in step with this peer: a list of findings.
function Sync:why(peer, db)
	local key, err = crypto.parse_key(peer)
	local id, status
	if key then id, err = crypto.parse_id(db) end
	if id then status, err = self:status() end
	if not status then return nil, err end
	return why.explain(status, key, id)
end

--- list_peers([{ inbound = true }])
function Sync:list_peers(options)
	local node = node_of(self)
	if misuse.option(2, options, 'inbound') then return decoded(node:sync_list_inbound()) end
	return decoded(node:sync_list_peers())
end

for _, state in ipairs { 'pending', 'approved', 'rejected' } do
	Sync[state .. '_bootstrap_requests'] = function(self)
		return decoded(node_of(self):sync_bootstrap_requests(state))
	end
end

-- --- how pairs are kept in step, and facts --------------------------------------------------------

local configure_pair = node_methods.sync_configure_pair
--- By hand, which wins over rules: configure_pair(peer, db, { direction =, every =, rate =, on_commit =,
--- priority =, paused =, reason = }); without options they go again.
function Sync:configure_pair(peer, db, options)
	if type(options) == 'table' and type(options.rate) == 'string' then
		local given = options
		options = {}
		for name, value in pairs(given) do
			options[name] = value
		end
		options.rate = given.rate:gsub('/s$', '')
	end
	return whole(configure_pair(node_of(self), peer, db, options))
end

local set_fact = node_methods.sync_set_fact
--- What rules may look at, as ctx.facts.NAME: set_fact('metered', true). nil takes it away.
function Sync:set_fact(name, value)
	local text, err
	if value ~= nil then
		text, err = json.encode(value)
		if not text then
			return nil, err
		end
	end
	return whole(set_fact(node_of(self), name, text))
end

-- --- what waits --------------------------------------------------------------------------------

-- What waits for the operation that a call of the node starts.
local function waiting(what, start)
	local method = node_methods['sync_start_' .. start]
	return function(self, ...)
		return whole(pump.wait(what, node_of(self), method, ...))
	end
end

local function truth(text, err)
	if not text then
		return nil, err
	end
	return true
end

local connect = waiting('connect_to_peer', 'connect')
--- connect_to_peer(address [, { key = K }]) -> the peer's key
function Sync:connect_to_peer(address, options)
	local key = misuse.option(3, options, 'key')
	return whole(connect(self, address, key))
end

local sync_tree = waiting('sync_tree_with_peer', 'tree')
--- One exchange both ways now: { received =, sent = }.
function Sync:sync_tree_with_peer(peer, db)
	return decoded(sync_tree(self, peer, db))
end

local with_peer = waiting('sync_with_peer', 'with_peer')
--- Connects, fetches or syncs the database, adds the relation -> the peer's key.
--- sync_with_peer(address, db [, { key_name = 'the one to prove' }])
function Sync:sync_with_peer(address, db, options)
	local key_name = misuse.option(4, options, 'key_name')
	return whole(with_peer(self, address, db, key_name))
end

local flush = waiting('flush', 'flush')
--- Sends everything that is due and asks each peer for what it has; true, or nil and `timeout`, which
--- names what is left. flush([timeout] [, { send_only = true }])
function Sync:flush(timeout, options)
	if type(timeout) == 'table' then
		timeout, options = nil, timeout
	end
	return truth(flush(self, timeout, misuse.option(3, options, 'send_only')))
end

local wait_until_synced = waiting('wait_until_synced', 'wait')
function Sync:wait_until_synced(peer, db, timeout)
	return truth(wait_until_synced(self, peer, db, timeout))
end

local discover = waiting('discover_peer_trees', 'discover')
function Sync:discover_peer_trees(peer)
	return decoded(discover(self, peer))
end

local request_access = waiting('request_database_access', 'request_access')
--- { status = 'granted' | 'pending' | 'refused', request_id = }
function Sync:request_database_access(address, db, key_name, permission)
	return decoded(request_access(self, address, db, key_name, permission))
end

local join = waiting('join', 'join')
--- join(text [, { key = 'name' }]) -> the database's id
function Sync:join(text, options)
	local key = misuse.option(3, options, 'key')
	return whole(join(self, text, key))
end

-- --- sync state --------------------------------------------------------------------------------

local State = {}
State.__index = State
State.__name = 'tidelock.sync_state'

local function node_of_state(self)
	misuse.check_self(self, State)
	return self.node
end

local Metadata = {}
Metadata.__index = Metadata

--- Successes of all attempts, 0 to 1; 0 when there were none.
function Metadata:sync_success_rate()
	local total = self.successful_sync_count + self.failed_sync_count
	return total == 0 and 0.0 or self.successful_sync_count / total
end

function State:get_sync_cursor(peer, db)
	return decoded(node_of_state(self):sync_get_sync_cursor(peer, db))
end

function State:get_sync_metadata(peer)
	local metadata, err = decoded(node_of_state(self):sync_get_sync_metadata(peer))
	return metadata and setmetatable(metadata, Metadata), err
end

function State:get_sync_history(peer, limit)
	return decoded(node_of_state(self):sync_get_sync_history(peer, limit))
end

function State:get_peers_with_sync_state()
	return decoded(node_of_state(self):sync_get_peers_with_sync_state())
end

function State:cleanup_old_history(days)
	return whole(node_of_state(self):sync_cleanup_old_history(days))
end

--- Written by the engine after every exchange.
function Sync:state()
	return setmetatable({ node = node_of(self) }, State)
end

-- --- scripts that decide -----------------------------------------------------------------------

local load_script = node_methods.load_script
node_methods.load_script = nil

local script = core.methods 'tidelock.script_handle'
for _, name in ipairs { 'status', 'failures', 'differences' } do
	local method = script[name]
	script[name] = function(self)
		return decoded(method(self))
	end
end

--- A policy of this file decides from now on: load_policy(file [, { shadow = true }]). It is loaded anew
--- whenever the file changes.
function Sync:load_policy(file, options)
	local shadow = misuse.option(3, options, 'shadow')
	return whole(load_script(node_of(self), 'policy', file, shadow))
end

--- Asks this file's before_commit about every commit, whoever makes it. It is loaded anew whenever the file
--- changes.
function node_methods:load_hook(file)
	return whole(load_script(self, 'hook', file))
end

--- The rules of this file say from now on what this node starts: load_rules(file). They are loaded anew
--- whenever the file changes.
function Sync:load_rules(file)
	return whole(load_script(node_of(self), 'rules', file))
end

return Sync
