---@meta
-- Databases, transactions and stores.

---@class tidelock.Database
local Database = {}
function Database:close() end
---@return tidelock.Id
function Database:root_id() end
---@return string?, tidelock.Error?
function Database:get_name() end
---@param key_name string
---@return true?, tidelock.Error?
function Database:set_default_auth_key(key_name) end
function Database:clear_default_auth_key() end
---@return string?
function Database:default_auth_key() end
---@param name string
---@return tidelock.Permission?, tidelock.Error?
function Database:get_sigkey_permission(name) end
---@param key tidelock.Key
---@return { name: string, permission: tidelock.Permission }[]?, tidelock.Error?
function Database:find_sigkeys(key) end
---@return tidelock.Id[]?, tidelock.Error?
function Database:get_tips() end
---@return string[]?, tidelock.Error?
function Database:store_names() end
---@param id tidelock.Id
---@return boolean?, tidelock.Error?
function Database:has(id) end
---@param id tidelock.Id
---@return tidelock.Entry?, tidelock.Error?
function Database:get_entry(id) end
---Change feed: for change in db:changes { since = n } do. Ends at the present. Raises the error
---index_out_of_bounds when the database does not reach as far as `since`.
---@param options? { since: integer }
---@return fun(): tidelock.EntryInfo?
function Database:changes(options) end
---One page of the change feed.
---@param since? integer
---@param limit? integer
---@return tidelock.EntryInfo[]?, tidelock.Error?
function Database:changes_page(since, limit) end
---The newest entries, parents before children.
---@param limit? integer
---@return tidelock.EntryInfo[]?, tidelock.Error?
function Database:log(limit) end
---@return integer?, tidelock.Error?
function Database:arrival() end
---@return tidelock.DatabaseCounts?, tidelock.Error?
function Database:counts() end
---fn gets the canonical bytes of each entry, in arrival order.
---@param fn fun(bytes: string)
---@return true?, tidelock.Error?
function Database:export(fn) end
---Who wrote what at a path, oldest first.
---@param store string
---@param path tidelock.Path
---@return tidelock.HistoryStep[]?, tidelock.Error?
function Database:history_of(store, path) end
---@param store string
---@param components string[]
---@return tidelock.HistoryStep[]?, tidelock.Error?
function Database:history_at(store, components) end
---Rechecks everything held; without a finding all is well. Reads the whole database and blocks
---meanwhile. Fails with `cancelled` when `progress` said so.
---@param options? tidelock.VerifyOptions
---@return tidelock.Finding[]? findings, tidelock.VerifyCounts|tidelock.Error
function Database:verify(options) end

---@class tidelock.VerifyOptions
---Asked some ten times a second with entries rechecked and entries there are; false ends the check,
---an error does too and is raised.
---@field progress? fun(done: integer, total: integer): boolean?

---@class tidelock.Finding
---@field text string           a sentence
---@field db tidelock.Id?       none when it concerns the store's file
---@field entry tidelock.Id?    none when it concerns no single one

---@class tidelock.VerifyCounts
---@field entries integer      rechecked
---@field pending integer      set aside: they wait for something they name
---@field quarantined integer  set aside: judged invalid
---A read-only store at the present.
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.Database, name: string): tidelock.DocStore?, tidelock.Error?
function Database:get_store(name, kind) end
---The same as get_store.
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.Database, name: string): tidelock.DocStore?, tidelock.Error?
function Database:get_subtree(name, kind) end
---@param name string
---@return tidelock.DocStore?, tidelock.Error?
function Database:doc(name) end
---@param name string
---@return tidelock.Table?, tidelock.Error?
function Database:table(name) end
---@return tidelock.SettingsStore?, tidelock.Error?
function Database:settings() end
---@return tidelock.SettingsStore?, tidelock.Error?
function Database:get_settings() end
---The database as these entries saw it.
---@param tips tidelock.Id[]
---@return tidelock.View?, tidelock.Error?
function Database:at(tips) end
---@param tips? tidelock.Id[]
---@return tidelock.Transaction?, tidelock.Error?
function Database:new_transaction(tips) end
---@param tips tidelock.Id[]
---@return tidelock.Transaction?, tidelock.Error?
function Database:new_transaction_with_tips(tips) end
---fn(tx) in a transaction, then commit. Returns what fn returned, or the entry's id when it returned
---nothing or nil; nil and the error when the commit fails. Raising in fn, returning false, or nil and a
---reason rolls back, and that is passed on. fn may wait.
---@param fn fun(tx: tidelock.Transaction): ...any
---@return any ...
function Database:transact(fn) end
---For the commits to this database, by whichever handle of this node, until it is removed or the node
---ends; it does not depend on this handle.
---@param hook tidelock.Hook
---@return integer? handle, tidelock.Error?
function Database:add_hook(hook) end
---A hook of this database, added by whichever handle.
---@param handle integer
function Database:remove_hook(handle) end

---@class tidelock.EntryInfo
---@field id tidelock.Id
---@field arrival integer
---@field height integer
---@field size integer
---@field is_void boolean
---@field parents tidelock.Id[]

---@class tidelock.View
local View = {}
function View:close() end
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.View, name: string): tidelock.DocStore?, tidelock.Error?
function View:get_store(name, kind) end
---The same as get_store.
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.View, name: string): tidelock.DocStore?, tidelock.Error?
function View:get_subtree(name, kind) end
---@param name string
---@return tidelock.DocStore?, tidelock.Error?
function View:doc(name) end
---@param name string
---@return tidelock.Table?, tidelock.Error?
function View:table(name) end
---@return tidelock.SettingsStore?, tidelock.Error?
function View:settings() end
---@return tidelock.SettingsStore?, tidelock.Error?
function View:get_settings() end

---@class tidelock.Transaction  leaving its <close> scope without commit rolls back
local Transaction = {}
function Transaction:close() end
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.Transaction, name: string): tidelock.DocStore?, tidelock.Error?
function Transaction:get_store(name, kind) end
---The same as get_store.
---@generic T
---@param name string
---@param kind tidelock.StoreType<T>  tl.DocStore without it; a tl.SettingsStore is called `_settings`
---@return T?, tidelock.Error?
---@overload fun(self: tidelock.Transaction, name: string): tidelock.DocStore?, tidelock.Error?
function Transaction:get_subtree(name, kind) end
---@param name string
---@return tidelock.DocStore?, tidelock.Error?
function Transaction:doc(name) end
---@param name string
---@return tidelock.Table?, tidelock.Error?
function Transaction:table(name) end
---@return tidelock.SettingsStore?, tidelock.Error?
function Transaction:settings() end
---@return tidelock.SettingsStore?, tidelock.Error?
function Transaction:get_settings() end
---Stages opaque data, for formats of which only bytes are kept.
---@param name string
---@param data string
---@return true?, tidelock.Error?
function Transaction:set_data(name, data) end
---@param key_name string
---@return true?, tidelock.Error?
function Transaction:set_auth_key(key_name) end
---@return string?
function Transaction:auth_key_name() end
---@return tidelock.Id[]?, tidelock.Error?
function Transaction:tips() end
---For the commit of this transaction.
---@param hook tidelock.Hook
---@return true?, tidelock.Error?
function Transaction:add_hook(hook) end
---Builds, signs, checks and stores the entry; returns when it is durable. Setter errors are sticky:
---the first one comes from here.
---@return tidelock.Id?, tidelock.Error?
function Transaction:commit() end
---Drops everything staged; the transaction is over. In a `before_commit` hook it refuses the commit.
function Transaction:rollback() end

---@class tidelock.DocStore
local DocStore = {}
function DocStore:close() end
---@return string
function DocStore:name() end
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?  key_not_found
function DocStore:get(path) end
---The same as get.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?  key_not_found
function DocStore:get_value(path) end
---The same as get.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?  key_not_found
function DocStore:get_result(path) end
---The same as get.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?  key_not_found
function DocStore:get_path(path) end
---The same as get.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?  key_not_found
function DocStore:get_at_path(path) end
---Absent is nil without an error.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?
function DocStore:get_option(path) end
---The same as get_option.
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?
function DocStore:get_path_option(path) end
---@param path string
---@param type 'null'|'bool'|'int'|'text'|'doc'|'list'
---@return tidelock.Value?, tidelock.Error?  type_mismatch
function DocStore:get_as(path, type) end
---The same as get_as.
---@param path string
---@param type 'null'|'bool'|'int'|'text'|'doc'|'list'
---@return tidelock.Value?, tidelock.Error?  type_mismatch
function DocStore:get_path_as(path, type) end
---@param path string
---@return string?, tidelock.Error?
function DocStore:get_string(path) end
---@param path string
---@return integer?, tidelock.Error?
function DocStore:get_int(path) end
---@param path string
---@return boolean?, tidelock.Error?
function DocStore:get_bool(path) end
---@param path string
---@return tidelock.List?, tidelock.Error?
function DocStore:get_list(path) end
---@param path string
---@return table?, tidelock.Error?
function DocStore:get_node(path) end
---The whole document, tombstones included.
---@return table?, tidelock.Error?
function DocStore:get_all() end
---@param path tidelock.Path
---@return boolean?, tidelock.Error?
function DocStore:contains_key(path) end
---The same as contains_key.
---@param path tidelock.Path
---@return boolean?, tidelock.Error?
function DocStore:contains_path(path) end
---Visible children of the Doc at `path` in key order, read in pages:
---for key, value in store:each() do. See tidelock.WalkOptions.
---@param path? string  of the store itself without it
---@param options? tidelock.WalkOptions
---@return fun(): string?, tidelock.Value?
function DocStore:each(path, options) end
---Changed paths: not in this version.
---@param path tidelock.Path
---@param fn fun()
---@return nil, tidelock.Error  unsupported
function DocStore:watch(path, fn) end
---Replaces what is visible there. A path through a list raises, here and in every call that changes:
---get the list, change it (list:set, list:insert, list:remove) and set it back.
---@param path tidelock.Path
---@param value tidelock.Value
---@return true?, tidelock.Error?
function DocStore:set(path, value) end
---The same as set.
---@param path tidelock.Path
---@param value tidelock.Value
---@return true?, tidelock.Error?
function DocStore:set_value(path, value) end
---The same as set.
---@param path tidelock.Path
---@param value tidelock.Value
---@return true?, tidelock.Error?
function DocStore:set_path(path, value) end
---The same as set.
---@param path tidelock.Path
---@param value tidelock.Value
---@return true?, tidelock.Error?
function DocStore:set_at_path(path, value) end
---@param path string
---@param text string
---@return true?, tidelock.Error?
function DocStore:set_string(path, text) end
---@param path string
---@param list tidelock.List
---@return true?, tidelock.Error?
function DocStore:set_list(path, list) end
---@param path string
---@param node table
---@return true?, tidelock.Error?
function DocStore:set_node(path, node) end
---Under the literal key; returns the visible value replaced.
---@param key string
---@param value tidelock.Value
---@return tidelock.Value?, tidelock.Error?
function DocStore:insert(key, value) end
---The same as insert.
---@param key string
---@param value tidelock.Value
---@return tidelock.Value?, tidelock.Error?
function DocStore:set_result(key, value) end
---Keys left out stay.
---@param path tidelock.Path
---@param doc table
---@return true?, tidelock.Error?
function DocStore:merge(path, doc) end
---@param path tidelock.Path
---@return boolean? existed, tidelock.Error?
function DocStore:delete(path) end
---@return true?, tidelock.Error?
function DocStore:clear() end
---@param path string
---@param value tidelock.Value
---@return tidelock.Value?, tidelock.Error?
function DocStore:get_or_insert(path, value) end
---The same as get_or_insert.
---@param path string
---@param value tidelock.Value
---@return tidelock.Value?, tidelock.Error?
function DocStore:get_or_insert_path(path, value) end
---fn gets the value and returns the new one.
---@param path tidelock.Path
---@param fn fun(value: tidelock.Value): tidelock.Value
---@return true?, tidelock.Error?
function DocStore:modify(path, fn) end
---The same as modify.
---@param path tidelock.Path
---@param fn fun(value: tidelock.Value): tidelock.Value
---@return true?, tidelock.Error?
function DocStore:modify_path(path, fn) end
---@param path tidelock.Path
---@param initial tidelock.Value
---@param fn fun(value: tidelock.Value): tidelock.Value
---@return true?, tidelock.Error?
function DocStore:modify_or_insert(path, initial, fn) end
---The same as modify_or_insert.
---@param path tidelock.Path
---@param initial tidelock.Value
---@param fn fun(value: tidelock.Value): tidelock.Value
---@return true?, tidelock.Error?
function DocStore:modify_or_insert_path(path, initial, fn) end

---What a walk gives. Over a transaction it sees the transaction as it is at each step, what the loop
---itself stages included: a row set or deleted ahead comes or stays away, one behind is not given
---again. Over a database it sees what is there when a page of it is read: a row that is there all the
---time comes exactly once, one written meanwhile may come or not. For one state throughout, walk over
---a view or a transaction. An error of the store while it goes on is raised.
---@class tidelock.WalkOptions
---@field prefix? string  keys that begin with it
---@field after? string  keys after this one, which need not be there
---@field limit? integer  how many at most

---@class tidelock.Table  rows are any JSON value (see tidelock.json), most often tables
local Table = {}
function Table:close() end
---@return string
function Table:name() end
---Under a new key. Raises for what JSON cannot hold.
---@param row any
---@return string? key, tidelock.Error?
function Table:insert(row) end
---@param key string
---@param row any
---@return true?, tidelock.Error?
function Table:set(key, row) end
---@param key string
---@return any row, tidelock.Error?  key_not_found; bad_json when another writer left no JSON
function Table:get(key) end
---@param key string
---@return boolean?, tidelock.Error?
function Table:contains(key) end
---@param key string
---@return boolean? existed, tidelock.Error?
function Table:delete(key) end
---Rows in key order, read in pages: for key, row in table:each { prefix = 'a' } do. What another writer left
---there that is no JSON (some other text, or no text at all) comes as key, nil, error, and the walk goes on.
---See tidelock.WalkOptions.
---@param options? tidelock.WalkOptions
---@return fun(): string?, any, tidelock.Error?
function Table:each(options) end
---The same with the rows' texts as they are; what is no text comes as key, nil, error.
---@param options? tidelock.WalkOptions
---@return fun(): string?, string?, tidelock.Error?
function Table:each_json(options) end
---How many rows `each` with these options would give, those that are no JSON included. Reads them, a page at
---a time.
---@param options? tidelock.WalkOptions
---@return integer?, tidelock.Error?
function Table:count(options) end
---@param path tidelock.Path
---@param fn fun()
---@return nil, tidelock.Error  unsupported
function Table:watch(path, fn) end
---Rows that match says true to, and those that are no JSON, of which it is not asked.
---@param match fun(row: any, key: string): boolean
---@return { key: string, row: any }[] found, { key: string, err: tidelock.Error }[] unreadable
function Table:search(match) end
---@param row string  JSON
---@return string?, tidelock.Error?
function Table:insert_json(row) end
---@param key string
---@param row string
---@return true?, tidelock.Error?
function Table:set_json(key, row) end
---@param key string
---@return string?, tidelock.Error?
function Table:get_json(key) end

---@class tidelock.SettingsStore
local SettingsStore = {}
function SettingsStore:close() end
---@return string?, tidelock.Error?
function SettingsStore:get_name() end
---@param name string
---@return true?, tidelock.Error?
function SettingsStore:set_name(name) end
---@param path tidelock.Path
---@return tidelock.Value?, tidelock.Error?
function SettingsStore:get(path) end
---@param path tidelock.Path
---@param value tidelock.Value
---@return true?, tidelock.Error?
function SettingsStore:set(path, value) end
---@return table?, tidelock.Error?
function SettingsStore:get_all() end
---@param name string
---@return tidelock.AuthKey?, tidelock.Error?
function SettingsStore:get_auth_key(name) end
---@return tidelock.AuthKey[]?, tidelock.Error?
function SettingsStore:list_auth_keys() end
---@param key tidelock.Key
---@param permission tidelock.Permission
---@param name? string  the key's text without it, which is the best name
---@return true?, tidelock.Error?
function SettingsStore:add_auth_key(key, permission, name) end
---@param key tidelock.Key
---@param permission tidelock.Permission
---@param name? string
---@param status? 'active'|'revoked'
---@return true?, tidelock.Error?
function SettingsStore:set_auth_key(key, permission, name, status) end
---@param name string
---@return true?, tidelock.Error?
function SettingsStore:revoke_auth_key(name) end
---@param name string
---@return true?, tidelock.Error?
function SettingsStore:remove_auth_record(name) end
---@param permission tidelock.Permission  granted to every key
---@param status? 'active'|'revoked'
---@return true?, tidelock.Error?
function SettingsStore:set_global(permission, status) end
---@param name string
---@param root tidelock.Id
---@param max tidelock.Permission
---@param options? { min: tidelock.Permission, tips: tidelock.Id[] }
---@return true?, tidelock.Error?
function SettingsStore:add_delegated_tree(name, root, max, options) end
