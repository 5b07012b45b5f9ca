---@meta
-- Nodes, their synchronisation, events and hooks.

---@class tidelock.Node  closes itself at the end of a <close> scope, flushing up to 5 s
local Node = {}
---Flushes for up to 5 s (or `flush`) and closes; closing twice is fine. Its directory is free for others when
---the databases, transactions and stores that it gave out are closed as well, or collected. Blocks.
---@param flush? tidelock.Duration
function Node:close(flush) end
---@return tidelock.Key?, tidelock.Error?
function Node:device_key() end
---@param name string
---@param seed? string  32 bytes, or their text form; random without it
---@return tidelock.Key?, tidelock.Error?  already_exists, bad_key
function Node:add_private_key(name, seed) end
---@param name string
---@param seed string  32 bytes, or the text of export_private_key_text
---@return tidelock.Key?, tidelock.Error?  already_exists, bad_key
function Node:import_private_key(name, seed) end
---@param name string
---@return tidelock.Key?, tidelock.Error?  key_not_found
function Node:get_public_key(name) end
---@param name string
---@return string? seed, tidelock.Error?  32 bytes, as secret as the key
function Node:export_private_key(name) end
---The same as a line for people: 'ed25519-seed:' and 44 characters.
---@param name string
---@return string? text, tidelock.Error?
function Node:export_private_key_text(name) end
---@param name string
---@return true?, tidelock.Error?
function Node:remove_private_key(name) end
---@return string[]?, tidelock.Error?  ascending, without the device key
function Node:list_private_keys() end
---@param settings table?  the database's settings, `name` among them
---@param key_name string  private key that signs and becomes the first admin
---@return tidelock.Database?, tidelock.Error?
function Node:new_database(settings, key_name) end
---@param root tidelock.Id
---@return tidelock.Database?, tidelock.Error?  database_not_found, bad_id
function Node:load_database(root) end
---@param name string
---@return tidelock.Database?, tidelock.Error?  the first by id
function Node:find_database(name) end
---@param with_system? boolean
---@return tidelock.Id[]?, tidelock.Error?
function Node:all_databases(with_system) end
---Reads entries, one a line, the root first and others in any order, verifies and keeps them. What `tidelock
---db export` wrote begins with an empty line and ends with a count: what was cut off or does not fit it gives
---bad_entry. The error counts what entered and stays.
---@param read fun(): string?  the next piece; nil at the end
---@return tidelock.Id?, integer|tidelock.Error  root id, new entries
function Node:import(read) end
---A consistent copy. It grows under this name and `.backup-partial` behind it, and gets its own when it is
---whole; what a process left that was killed is taken away by the next one to the same place.
---@param file string  a new file
---@return true?, tidelock.Error?
function Node:backup(file) end
---`verify` of every database, with the store's file checked once.
---@param options? tidelock.VerifyOptions
---@return tidelock.Finding[]? findings, tidelock.VerifyCounts|tidelock.Error
function Node:verify(options) end
---For the commits to all databases of this node, until it is removed or the node ends.
---@param hook tidelock.Hook
---@return integer? handle, tidelock.Error?  the handle is for remove_hook
function Node:add_hook(hook) end
---What is held, without trust or merging; for reading only (store_read_only). Close it: it keeps the
---node's store open.
---@return tidelock.Store?, tidelock.Error?
function Node:store() end
---Asks a hook file about every commit to databases that are not the library's own, whoever makes it: other
---threads, commands, approvals too. It runs in a cell of its own, on the thread that commits, and refuses
---with hook_failed and its reason. At most 16 files a node; loaded anew whenever the file, or one that it
---requires, changes.
---@param file string
---@return tidelock.Script?, tidelock.Error?  bad_script, io, already_exists, too_large
function Node:load_hook(file) end
---@param handle integer
function Node:remove_hook(handle) end
---@return tidelock.Sync
function Node:sync() end
---@return tidelock.Node self
function Node:with_sync() end
---Calls fn(event) from the loop for each event of this kind; fn may not wait (a task that it starts
---may). Every reader of events (on, events, next_event) sees every event, whatever else waits or reads.
---A reader that is slow is kept at least 10,000, then one `overflow` that counts what was lost. The
---program is kept running, and the node held, until stop() or the end of the node.
---@param kind tidelock.EventKind
---@param fn fun(event: tidelock.Event)
---@return fun()? stop, tidelock.Error?  closed
function Node:on(kind, fn) end
---for event in node:events { kinds } do: waits for each. Leaving the loop ends it, and so does closing
---the node, after the events until then. The program is kept running while somebody waits for the next,
---not by a loop that stands still. Raises `closed` where a host has closed the node.
---@param kinds? tidelock.EventKind[]  all without it; ask for 'overflow' to hear of losses
---@return fun(): tidelock.Event?
function Node:events(kinds) end
---The next event since the first call of this or of fd, or nothing. Never waits.
---@return tidelock.Event?
function Node:next_event() end
---For a loop of your own: descriptor that is readable when dispatch or next_event has something to
---do. A call that waits reads it too: after one, look with next_event first.
---@return integer
function Node:fd() end
---Runs the callbacks of done operations. Never waits.
function Node:dispatch() end

---@alias tidelock.EventKind
---| 'entry_committed'
---| 'entries_received'
---| 'peer_connected'
---| 'peer_disconnected'
---| 'peer_unreachable'
---| 'sync_progress'
---| 'fact_changed'
---| 'peer_changed'
---| 'sync_finished'
---| 'sync_failed'
---| 'sync_stalled'
---| 'access_requested'
---| 'access_granted'
---| 'access_refused'
---| 'server_started'
---| 'server_stopped'
---| 'script_suspended'
---| 'peer_path'
---| 'overflow'

---@class tidelock.Event
---@field kind tidelock.EventKind
---@field number integer   what it counts: tidelock/node.h
---@field time_ms integer  Unix time
---@field text string     for people: an address, the sentence of an error; of sync_progress the JSON of
---a pair's progress
---@field code? string    of the error that it tells of
---@field peer? tidelock.Key
---@field db? tidelock.Id
---@field entry? tidelock.Id

---What is called for local commits, on the thread of the script: nothing in it may wait. A commit that is
---made elsewhere (by a command on the same directory, by another thread of a host) is refused with
---hook_failed as long as a before_commit would have to be asked; without one it passes, and an
---on_entry_committed that misses it is logged (node:on 'entry_committed' hears of every commit).
---@class tidelock.Hook
---nil or true lets the commit pass. false, or nil or false and a reason, refuses it with hook_failed; so
---does an error, with its place in the error's cause, and so does any other answer.
---@field before_commit? fun(ctx: tidelock.HookContext): boolean?, any
---Called when the entry is durable, before commit returns. What it raises is logged; the commit stands.
---@field on_entry_committed? fun(ctx: tidelock.HookContext)

---@class tidelock.HookContext
---@field entry tidelock.Entry
---@field tree_id tidelock.Id
---@field is_root_entry boolean
---@field size integer      bytes
---@field stores string[]
---@field author tidelock.Key

---@class tidelock.Sync
local Sync = {}
---@class tidelock.HttpOptions
---@field certificate? string  PEM file, with key: serve TLS
---@field key? string
---@field ca? string           PEM file trusted when dialling https
---@field proxy? string
---@field max_connections? integer
---@field max_connections_per_address? integer  all of an IPv6 /64 together
---@field idle? tidelock.Duration
---@field dial? tidelock.Duration
---@field min_rate? tidelock.Size  bytes a second
---@param options? tidelock.HttpOptions
---@return true?, tidelock.Error?  server_already_running
function Sync:enable_http_transport(options) end
---@class tidelock.IrohRelay
---@field url string            https:// or http://
---@field quic_port? integer    of address discovery
---@field auth_token? string
---@field root? string          file with a root certificate of its own, DER
---@class tidelock.IrohOptions
---@field relay_mode? 'default'|'disabled'|'staging'|tidelock.IrohRelay[]  'default' without it
---@field lookup? 'none'|'n0'|'mdns'  how ids become addresses; 'none' without it
---@field bind? string          '127.0.0.1:0': the only socket; every address without it
---@field plugin? string        path of the plugin's library; beside this one without it
---@field idle? tidelock.Duration
---@field dial? tidelock.Duration
---Needs the Iroh plugin (`make iroh`). Blocks some milliseconds. The endpoint's key stays with the node.
---@param options? tidelock.IrohOptions
---@return true?, tidelock.Error?  unsupported_transport, server_already_running, server_bind
function Sync:enable_iroh_transport(options) end
---@param config tidelock.IrohOptions  as tl.iroh_transport gives it
---@return true?, tidelock.Error?
function Sync:enable_iroh_transport_with_config(config) end
---A script that decides for a node. It stays when the handle is collected.
---@class tidelock.Script
local Script = {}
---Loads its files again; the same bytes change nothing, but what was suspended goes on. On a failure what was
---loaded before stays. Blocks.
---@return true?, tidelock.Error?  bad_script, io, closed
function Script:reload() end
---Takes it away: without a policy the usual rights decide, relations of rules end, hooks are asked no more.
---Blocks.
---@return true?, tidelock.Error?  closed
function Script:unload() end
---@class tidelock.ScriptStatus
---@field kind 'policy'|'rules'|'hook'
---@field file string
---@field name string  of the file
---stale: the file does not load, what was there decides; suspended: what ran out of its budget ten times in a
---minute, until it is loaded again: a hook refuses, relations of rules stay as they are.
---@field state 'running'|'shadow'|'stale'|'suspended'|'unloaded'
---@field hash? string  of all its files
---@field loaded integer  Unix time in ms
---@field calls integer
---@field failures integer
---@field units_p50 integer  of which half of all calls took no more
---@field units_p99 integer
---@field problem? string  why it is stale, with file and line
---@field differed? integer  of a shadow: how often it answered something else
---@field first? string
---@field last? string
---@field rules? integer
---@field relations? integer  that follow from rules
---@field paused? integer  of these
---@field touched? integer  by the last change
---@return tidelock.ScriptStatus?, tidelock.Error?
function Script:status() end
---@class tidelock.ScriptFailure
---@field where string  'policy.lua:7'
---@field kind string  'error', 'units', 'cpu', 'memory', 'string', 'table'
---@field text string
---@field input string  what was asked
---@field time integer  Unix time in ms
---@field count integer  how often this version failed there
---The last ones, newest first, at most 20.
---@return tidelock.ScriptFailure[]?, tidelock.Error?
function Script:failures() end
---@class tidelock.ScriptDifference
---@field kind string  of the question
---@field peer? tidelock.Key
---@field count integer
---@field first string  a sentence: what was asked, both answers, the line
---@field last string
---Where a shadow answered something else than what decides, by kind and peer, at most 100.
---@return tidelock.ScriptDifference[]?, tidelock.Error?
function Script:differences() end
---A shadow decides from now on; the policy that did is unloaded. Blocks.
---@return true?, tidelock.Error?  bad_state: it is no shadow
function Script:promote() end
---A policy of this file decides from now on who may do what with the node (one a node); whenever the file, or
---one that it asked for, changes, it is loaded anew. A shadow is asked beside it and decides nothing. Blocks
---while it is loaded.
---@param file string
---@param options? { shadow: boolean }
---@return tidelock.Script?, tidelock.Error?  bad_script (with file and line), io, already_exists
function Sync:load_policy(file, options) end
---The rules of this file say from now on what this node starts: which databases are kept in step with which
---peers, how and when (one file a node). They are loaded anew whenever the file, or one that it asked for,
---changes, and asked anew when a peer, a database, a name or a fact changes and each full minute. A process
---that loads no rules has none of their relations. Blocks while they are loaded.
---@param file string
---@return tidelock.Script?, tidelock.Error?  bad_script (file and line), io, already_exists, too_large
function Sync:load_rules(file) end
---Why this database is not in step with this peer, what stands in the way first; one finding, `in_step`,
---where nothing does.
---@param peer tidelock.Key
---@param db tidelock.Id
---@return tidelock.Finding[]?, tidelock.Error?  bad_key, bad_id
function Sync:why(peer, db) end
---@class tidelock.PairConfiguration
---@field direction? 'both'|'pull'|'push'
---@field every? tidelock.Duration|'never'  between exchanges; as the node's without it
---@field rate? tidelock.Size  '2MiB/s', bytes a second
---@field on_commit? boolean  commits are sent, and told to us, as they come
---@field priority? integer  0 to 9, 9 first
---@field paused? boolean  nothing is started, but for a command
---@field reason? string  at most 200 bytes, for people
---How a pair is kept in step, by hand: it is stored, outlives the relation and wins over rules. Without
---options it goes again. There need be no such relation yet.
---@param peer tidelock.Key
---@param db tidelock.Id
---@param options? tidelock.PairConfiguration
---@return true?, tidelock.Error?  peer_not_found, bad_argument, too_large
function Sync:configure_pair(peer, db, options) end
---What the program knows of the world, for rules: ctx.facts.NAME. Not stored; at most 100, name and value
---of 1 KiB together. nil takes it away.
---@param name string
---@param value any  what JSON can hold
---@return true?, tidelock.Error?  too_large, bad_json
function Sync:set_fact(name, value) end
---@return table<string, any>?, tidelock.Error?
function Sync:get_facts() end
---@param bind string  'ip:port', port 0 = chosen
---@param options? { transport: string }
---@return true?, tidelock.Error?  no_transport_enabled, server_already_running, server_bind
function Sync:start_server(bind, options) end
---@return true?, tidelock.Error?  server_not_running
function Sync:stop_server() end
---@return boolean
function Sync:is_server_running() end
---@return tidelock.Address?, tidelock.Error?
function Sync:get_server_address() end
---@return tidelock.Address[]?, tidelock.Error?
function Sync:get_server_addresses() end
---Dials, proves keys both ways, registers the peer as active with this address. Waits.
---@param address tidelock.Address
---@param options? { key: tidelock.Key }  pin: another key gives key_mismatch
---@return tidelock.Key?, tidelock.Error?
function Sync:connect_to_peer(address, options) end
---@param peer tidelock.Key
---@param name? string
---@return true?, tidelock.Error?  peer_already_exists
function Sync:register_peer(peer, name) end
---Another name for it; without one it has none. What the peer says of itself never changes it.
---@param peer tidelock.Key
---@param name? string
---@return true?, tidelock.Error?
function Sync:rename_peer(peer, name) end
---A key that is no peer can be blocked, too: that registers it.
---@param peer tidelock.Key
---@param status 'active'|'inactive'|'blocked'
---@return true?, tidelock.Error?  peer_not_found
function Sync:update_peer_status(peer, status) end
---@param peer tidelock.Key
---@return tidelock.Peer?, tidelock.Error?
function Sync:get_peer_info(peer) end
---The registered ones; with `inbound` those that came to us and proved their key since the node was
---opened, registered or not.
---@param options? { inbound: boolean }
---@return tidelock.Key[]?, tidelock.Error?
function Sync:list_peers(options) end
---@param peer tidelock.Key
---@return true?, tidelock.Error?
function Sync:remove_peer(peer) end
---@param peer tidelock.Key
---@param address tidelock.Address
---@return true?, tidelock.Error?
function Sync:add_peer_address(peer, address) end
---@param peer tidelock.Key
---@param address tidelock.Address
---@return boolean? removed, tidelock.Error?
function Sync:remove_peer_address(peer, address) end
---@param peer tidelock.Key
---@param type? string
---@return tidelock.Address[]?, tidelock.Error?
function Sync:get_peer_addresses(peer, type) end
---Keeps the database in step with the peer from now on; fetches it when it is not held.
---@param peer tidelock.Key
---@param db tidelock.Id
---@return true?, tidelock.Error?
function Sync:add_tree_sync(peer, db) end
---@param peer tidelock.Key
---@param db tidelock.Id
---@return true?, tidelock.Error?
function Sync:remove_tree_sync(peer, db) end
---@param peer tidelock.Key
---@param db tidelock.Id
---@return boolean?, tidelock.Error?
function Sync:is_tree_synced_with_peer(peer, db) end
---@param peer tidelock.Key
---@return tidelock.Id[]?, tidelock.Error?
function Sync:get_peer_trees(peer) end
---@param db tidelock.Id
---@return tidelock.Key[]?, tidelock.Error?
function Sync:get_tree_peers(db) end
---One exchange both ways, now. Waits.
---@param peer tidelock.Key
---@param db? tidelock.Id  all databases of the peer without it
---@return { received: integer, sent: integer }?, tidelock.Error?
function Sync:sync_tree_with_peer(peer, db) end
---Connects, fetches or syncs the database, adds the relation. Waits. All keys of the node are proven while
---it is not held, at most 16, and one that the peer knows is enough; or the one that is named, then and
---from then on.
---@param address tidelock.Address
---@param db tidelock.Id
---@param options? { key_name?: string }  the private key to prove
---@return tidelock.Key?, tidelock.Error?
function Sync:sync_with_peer(address, db, options) end
---Sends everything that is due and asks each peer that can be reached for what it has: then both sides
---hold what either held when it began. Tries at once and then every second. A peer that took all since
---then, was level with us, and is gone when it is asked (two connections fail) is not waited for. Waits.
---@param timeout? tidelock.Duration  5 s; may be left out in front of the options
---@param options? { send_only?: boolean }  nobody is asked for what he has
---@return true?, tidelock.Error?  timeout names what is left
function Sync:flush(timeout, options) end
---Waits until both sides hold the same tips.
---@param peer tidelock.Key
---@param db tidelock.Id
---@param timeout? tidelock.Duration  30 s
---@return true?, tidelock.Error?
function Sync:wait_until_synced(peer, db, timeout) end
---@param options tidelock.SyncOptions  what is left out stays
---@return true?, tidelock.Error?
function Sync:configure(options) end
---Databases the other side offers. Waits.
---@param peer tidelock.Key
---@return { id: tidelock.Id, arrivals: integer, tips: integer }[]?, tidelock.Error?
function Sync:discover_peer_trees(peer) end
---Asks for a permission for one of our keys. Waits. Asking again gives the same request, whatever became
---of it. While it is pending the event access_granted or access_refused tells when the owner has decided;
---what is granted is kept in step with that peer from then on.
---@param address tidelock.Address
---@param db tidelock.Id
---@param key_name string
---@param permission tidelock.Permission
---@return { status: 'granted'|'pending'|'refused', request_id: string? }?, tidelock.Error?
function Sync:request_database_access(address, db, key_name, permission) end
---@return tidelock.AccessRequest[]?, tidelock.Error?
function Sync:pending_bootstrap_requests() end
---@return tidelock.AccessRequest[]?, tidelock.Error?
function Sync:approved_bootstrap_requests() end
---@return tidelock.AccessRequest[]?, tidelock.Error?
function Sync:rejected_bootstrap_requests() end
---What a 0.2.0 node asked for is given over a relation with it, or with the option v0_claims: it proves no
---key. Where neither is there, nothing is given yet, which the hint and the log say.
---@param id string
---@param key_name string  an Admin of that database
---@param record_name? string  under which the key is noted there, when not as the guest calls it
---@return true?, string|tidelock.Error|nil  a hint for the owner behind true, where there is one
function Sync:approve_bootstrap_request(id, key_name, record_name) end
---@param id string
---@param key_name string
---@return true?, tidelock.Error?
function Sync:reject_bootstrap_request(id, key_name) end

---@class tidelock.ShareOptions
---@field permission? tidelock.Permission  'read' without it
---@field key? string  private key that gives it; the first that may without it
---@field expires? tidelock.Duration  from now, more than 0 and at most 30 days; a day without it
---@field addresses? tidelock.Address[]  where this node can be reached; without them where its servers listen

---A text, one word, with which one other node may join the database: its request is granted without asking.
---It gives what its key may give when it is used. Whoever sees it first may use it; it stands in no log. The
---id is what it is revoked by. `server_not_running` where there is no address.
---@param db tidelock.Id
---@param options? tidelock.ShareOptions
---@return string? text, string|tidelock.Error  its id
function Sync:share(db, options) end
---Those made here, oldest first; ended ones for 30 days.
---@return tidelock.Share[]?, tidelock.Error?
function Sync:shares() end
---Nobody can use it from now on. `share_not_found`; `share_used`: somebody has.
---@param id string
---@return true?, tidelock.Error?
function Sync:revoke_share(id) end
---Connects to the node that made the text, gets access for our key, adds the relation and fetches. Waits. Who
---has that access already goes on, and no share is used up. Codes: `bad_share`, `share_not_found`,
---`share_used`, `share_expired`, `own_share`, `not_permitted`, and those of connecting.
---@param text string
---@param options? { key: string? }  which private key; without it the node's first one, or a new one
---@return tidelock.Id?, tidelock.Error?
function Sync:join(text, options) end
---Peers, pairs, servers, transports, databases: tidelock/sync.h.
---@return tidelock.SyncStatus?, tidelock.Error?
function Sync:status() end
---@return tidelock.SyncState
function Sync:state() end
---The `_sync` database, readable by DocStore.
---@return tidelock.Database?, tidelock.Error?
function Sync:sync_tree() end
---@param days integer
---@return integer? removed, tidelock.Error?
function Sync:cleanup_old_history(days) end

---@class tidelock.SyncState  written by the engine after every exchange
local State = {}
---@param peer tidelock.Key
---@param db tidelock.Id
---@return tidelock.SyncCursor?, tidelock.Error?
function State:get_sync_cursor(peer, db) end
---@param peer tidelock.Key
---@return tidelock.SyncMetadata?, tidelock.Error?
function State:get_sync_metadata(peer) end
---@param peer tidelock.Key
---@param limit? integer
---@return tidelock.SyncHistory[]?, tidelock.Error?  newest first
function State:get_sync_history(peer, limit) end
---@return tidelock.Key[]?, tidelock.Error?
function State:get_peers_with_sync_state() end
---@param days integer
---@return integer? removed, tidelock.Error?
function State:cleanup_old_history(days) end

---@class tidelock.SyncMetadata
---@field peer_pubkey tidelock.Key
---@field sync_established? string
---@field last_sync_attempt? string
---@field last_successful_sync? string
---@field successful_sync_count integer
---@field failed_sync_count integer
---@field total_entries_synced integer
---@field total_bytes_synced integer
---@field average_sync_duration_ms number
---@field synced_trees tidelock.Id[]
local Metadata = {}
---@return number  0 to 1
function Metadata:sync_success_rate() end
