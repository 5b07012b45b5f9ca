---@meta tidelock
-- Types of require 'tidelock'. Errors: misuse raises; what the world can cause returns nil and an
-- error object. Durations are seconds or texts like '250ms', '10s', '5m'; sizes are bytes or texts
-- like '4MiB'. Keys, ids and addresses are strings in their wire form.

---@alias tidelock.Key string      `ed25519:` and 44 characters of base64
---@alias tidelock.Id string       `sha256:` and 64 hex digits
---@alias tidelock.Address string  `http:host:port`, `https:host:port`
---@alias tidelock.Duration number|string
---@alias tidelock.Size number|string
---@alias tidelock.Permission string  'read', 'write:10', 'admin:0'; a smaller number is stronger
---A string is split at its dots, and empty parts vanish; a table is taken literally.
---@alias tidelock.Path string|string[]
---@alias tidelock.Value boolean|integer|string|table|tidelock.List|tidelock.Constant

---@class tidelock.Constant  `tidelock.null` or `tidelock.deleted`

---@class tidelock.Error
---@field code string     stable; every one is listed in tidelock/error.h
---@field message string  what happened and what to do
---@field cause? tidelock.Error
---@field where? string   file and line in the library
local Error = {}
---@return boolean
function Error:is_sync_error() end
---@return boolean
function Error:is_configuration_error() end
---@return boolean
function Error:is_server_error() end
---@return boolean
function Error:is_network_error() end
---@return boolean
function Error:is_protocol_error() end
---@return boolean
function Error:is_not_found() end
---@return boolean
function Error:is_validation_error() end
---@return boolean
function Error:is_permission_denied() end
---@return boolean
function Error:is_backend_error() end
---The sync error inside: this one, or the first cause that is one.
---@return tidelock.Error?
function Error:sync_error() end

---@class tidelock.StoreType<T>

---@class tidelock
---@field null tidelock.Constant     the value null of documents
---@field deleted tidelock.Constant  a tombstone, as get_all shows it
---@field DocStore tidelock.StoreType<tidelock.DocStore>  store types, for get_store
---@field Table tidelock.StoreType<tidelock.Table>
---@field SettingsStore tidelock.StoreType<tidelock.SettingsStore>
---@field loop tidelock.loop         luv, on this state's loop, with timers and tasks
---@field transport tidelock.transport
---@field sim tidelock.sim
---@field crypto tidelock.crypto
---@field entry tidelock.entry
---@field doc tidelock.doc
---@field json tidelock.json
---@field log tidelock.log
---@field store tidelock.store
---@field address tidelock.address
---@field key tidelock.key
---@field id tidelock.id
local tl = {}

---@class tidelock.OpenOptions : tidelock.SyncOptions
---@field path? string       data directory, created when missing
---@field backend? table     tl.memory() instead of a path
---@field durability? 'full'|'relaxed'  relaxed survives SIGKILL, not power loss
---@field name? string       shown to peers
---@field passphrase? string seals private keys; with a path, `tidelock run` has one from outside
---@field sync? boolean      false: no engine
---@field policy? string  file of a policy that decides from the first question on; see Sync:load_policy
---@field rules? string  file of the rules that say what this node starts; see Sync:load_rules
---@field hooks? string[]  hook files, at most 16, asked from the first commit on; see Node:load_hook
---@field log_level? 'debug'|'info'|'warning'|'error'|'off'  of this node's lines; see tidelock.log
---@field wait? tidelock.Duration  for another process that has the path open; 0, in `tidelock run` 5 s

---@class tidelock.SyncOptions
---@field periodic? tidelock.Duration          default 5 min; 0 = off
---@field connection_check? tidelock.Duration  default 60 s; 0 = off
---@field commit_gap? tidelock.Duration        between sends while commits keep coming; 20 ms
---@field retry_max? tidelock.Duration         longest wait between attempts; 64 s
---@field max_attempts? integer                then a relation is stalled; 10; 0 = unlimited
---@field max_response_bytes? tidelock.Size    1 GiB
---@field on_commit? boolean                   send on commit; true
---@field v0_claims? boolean                   serve on unproven keys, as 0.2.0 does; false
---@field require_encryption? boolean          refuse plain HTTP off loopback; false
---@field allow_tls_proxy? boolean             accept a differing channel; false
---@field max_page_bytes? tidelock.Size        of a message with entries, 64 KiB to 1 MiB; 1 MiB
---@field accept_databases_from? tidelock.Key[] may give us databases we do not know

---Opens a node. Blocks for the store; waits for another process where waiting is possible. Errors:
---already_open (this process still holds a node, store, database or transaction of it), store_locked
---(another process, named), store_damaged, store_newer, store_read_only, wrong_passphrase, io.
---@param options tidelock.OpenOptions
---@return tidelock.Node?, tidelock.Error?
function tl.open(options) end
---@return table backend  keeps everything in memory
function tl.memory() end
---A list of values, with positions.
---@param items? tidelock.Value[]
---@return tidelock.List
function tl.list(items) end
---Starts fn(...) as a task, at once; inside, waiting calls yield. They are refused (would_block, at
---once and always) in a coroutine of the task's own, in hooks, in listeners and in callbacks of the
---loop; a task that those start may wait. A failure that nobody waits for within a second or two is
---told, and `tidelock run` ends with status 1.
---@param fn fun(...: any): any ...
---@param ... any
---@return tidelock.Task
function tl.task(fn, ...) end
---Waits for at least this long: yields in a task, runs the loop in a main chunk.
---@param duration tidelock.Duration
function tl.sleep(duration) end
---Runs the loop until no task, handle or server is left.
function tl.run() end
---Settings for sync:enable_iroh_transport_with_config, which looks at them.
---@param options? tidelock.IrohOptions
---@return tidelock.IrohOptions
function tl.iroh_transport(options) end
---@return string
function tl.version() end

---@class tidelock.key
local key = {}
---The key's text, once it is known to be one.
---@param text string
---@return tidelock.Key?, tidelock.Error?  bad_key
function key.parse(text) end

---@class tidelock.id
local id = {}
---@param text string
---@return tidelock.Id?, tidelock.Error?  bad_id
function id.parse(text) end

---@class tidelock.address
local address = {}
---@param text string  one-line form, `http://host:port`, `host:port`, or one of Iroh
---@return tidelock.Address?, tidelock.Error?
function address.parse(text) end
---@param host_port string
---@return tidelock.Address?, tidelock.Error?
function address.http(host_port) end
---@param host_port string
---@return tidelock.Address?, tidelock.Error?
function address.https(host_port) end
---@param text string  a ticket, an endpoint id, iroh://id@relay, or JSON with node_id
---@return tidelock.Address?, tidelock.Error?  bad_address
function address.iroh(text) end

---@class tidelock.sim  simulated networks: not in this version
local sim = {}
---@param options? table
---@return nil, tidelock.Error  unsupported
function sim.new(options) end

---@class tidelock.Task
local Task = {}
---What the task returned, or nil and its error, also when it failed long before. Waits.
---@return any ...
function Task:wait() end
---Ends it where it waits: its <close> values are closed (in which nothing waits), and what it waited
---for is given up.
---@return boolean ended
function Task:cancel() end

---@class tidelock.List  list[i] is the i-th visible item, #list their number; pairs and ipairs walk them
local List = {}
---@param value tidelock.Value
---@return true?, tidelock.Error?
function List:push(value) end
---@param at integer  1 to #list + 1
---@param value tidelock.Value
---@return true?, tidelock.Error?
function List:insert(at, value) end
---@param at integer
---@param value tidelock.Value
---@return true?, tidelock.Error?
function List:set(at, value) end
---@param at integer
---@return true?, tidelock.Error?
function List:remove(at) end
---@return tidelock.Value[]
function List:totable() end

return tl
