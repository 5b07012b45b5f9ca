---@meta
-- tidelock.store: a backend by itself, without trust, merging or synchronisation. It judges nothing
-- and shows what was stored. A data directory has one opener: a node or a store.

---@class tidelock.store
local store = {}
---Errors: already_open, store_locked, store_damaged, store_newer, store_read_only, io.
---@param options { path?: string, memory?: boolean, durability?: 'full'|'relaxed' }
---@return tidelock.Store?, tidelock.Error?
function store.open(options) end

---@class tidelock.StoreDatabase
---@field id tidelock.Id
---@field chain string       hash over the ids in order of arrival, hex
---@field arrivals integer   entries in the DAG
---@field void_entries integer  of those, the ones that contribute nothing
---@field void_bytes integer
---@field pending integer    set aside, outside the DAG
---@field quarantined integer

---@class tidelock.StoreEntry
---@field id tidelock.Id
---@field verdict 'verified'|'void'|'invalid'|'pending'
---@field bytes string       canonical
---@field arrival? integer   not of one set aside
---@field height? integer    not of one set aside
---@field parents? tidelock.Id[]  not of one set aside
---@field sender? string     of one set aside: who sent it
---@field reason? string     of one set aside: the error code that says why

---@class tidelock.StorePosition  an item of a list
---@field numerator integer
---@field denominator integer  from 2^63 on negative, as Lua shows unsigned numbers
---@field uuid string          32 hex digits

---@alias tidelock.StorePath string|(string|tidelock.StorePosition)[]  a string is split at its dots

---Of the rows of one path the one with the greatest (height, id) is what is there.
---@class tidelock.StoreStateRow
---@field path (string|tidelock.StorePosition)[]
---@field kind 'doc'|'list'|'leaf'
---@field height integer     of the writing entry in this store
---@field id tidelock.Id     the writing entry
---@field value? string      JSON of a leaf

---@class tidelock.Store
local Store = {}
function Store:close() end
---System databases too.
---@return tidelock.StoreDatabase[]?, tidelock.Error?
function Store:databases() end
---@param db tidelock.Id
---@return tidelock.StoreDatabase?, tidelock.Error?  database_not_found
function Store:database(db) end
---Those of the ids that are held, in the DAG or aside, in no particular order.
---@param db tidelock.Id
---@param ids tidelock.Id[]
---@return tidelock.StoreEntry[]?, tidelock.Error?
function Store:entries(db, ids) end
---In order of arrival; both ends included.
---@param db tidelock.Id
---@param from? integer  1
---@param to? integer
---@param limit? integer
---@return tidelock.StoreEntry[]?, tidelock.Error?
function Store:arrivals(db, from, to, limit) end
---Oldest first.
---@param db tidelock.Id
---@param verdict 'pending'|'invalid'
---@return tidelock.StoreEntry[]?, tidelock.Error?
function Store:aside(db, verdict) end
---@param db tidelock.Id
---@param name? string  of this store instead of the database
---@return tidelock.Id[]?, tidelock.Error?
function Store:tips(db, name) end
---Names of the stores that any entry carries.
---@param db tidelock.Id
---@return string[]?, tidelock.Error?
function Store:names(db) end
---Derived state at and below a path.
---@param db tidelock.Id
---@param name string
---@param prefix? tidelock.StorePath
---@return tidelock.StoreStateRow[]?, tidelock.Error?
function Store:state(db, name, prefix) end
---Local documents: small values (1 MiB at most) that stay on this device. In a node's directory
---the names beside your own are the engine's.
---@param key string
---@return string?, tidelock.Error?  not_found
function Store:get(key) end
---@param key string
---@param value string
---@return true?, tidelock.Error?
function Store:put(key, value) end
---@param key string
---@return true?, tidelock.Error?
function Store:remove(key) end
---@param prefix? string
---@return { key: string, value: string }[]?, tidelock.Error?
function Store:list(prefix) end
---Reads everything; each finding is a sentence.
---@return string[]?, tidelock.Error?
function Store:check() end
---@param file string  must not exist
---@return true?, tidelock.Error?
function Store:backup(file) end
