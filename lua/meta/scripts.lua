---@meta
-- What policies and rules are written with. Each works in plain Lua and in the cells in which such scripts
-- run, where only the functions listed in bindings/lua/script/README.md are there. What people write wrongly
-- raises, with the line and the nearest name.

---What is asked. Texts are nil where there is nothing to say; only `peer` and `keys` are proven.
---@class tidelock.Request
---@field kind 'connect'|'list'|'read'|'write'|'create'|'request'|'dial'|'fetch'
---@field peer? tidelock.Key  device key; nil for peers of 0.2.0, which prove none
---@field keys? tidelock.Key[]  further keys that were proven
---@field name? string  as the owner of this node calls the peer
---@field said_name? string  as the peer calls itself
---@field claimed_key? string  what a peer of 0.2.0 says of itself
---@field db? tidelock.Id
---@field db_name? string
---@field address? string
---@field transport? string
---@field protocol? integer
---@field outbound? boolean  this node is the one that asks
---@field related? boolean  a relation gives it
---@field granted? boolean  a proven key has the permission
---@field encrypted? boolean  the channel is
---@field usual? boolean  what would be answered without a policy
---@field now? integer  seconds since 1970
---@field permission? string  of access requests
---@field key_name? string  of access requests

---What a preset is about; what is not said matters not.
---@class tidelock.PresetFields
---@field peer? table|string  a set of keys (as of a keyring), a key, or '*' for all that prove one
---@field database? string|string[]  names with * and ?, ids; usual and grant match connect all the same
---@field may? string|string[]  kinds, and in usual and grant what these need; without it all inbound ones
---@field encrypted? boolean
---@field where? fun(req: tidelock.Request): boolean?
---@field reason? string  at most 200 bytes; told to the owner
---@field rate? string|integer  '1MiB/s', bytes a second; of this peer
---@field page? string|integer  '64KiB', bytes

---@alias tidelock.Policy table|fun(req: tidelock.Request): string?, string?

---@class tidelock.policy
local policy = {}
---Their keys and relations decide, as without a policy.
---@param fields? tidelock.PresetFields
---@return tidelock.Policy
function policy.usual(fields) end
---More than keys and relations give; `may` says what.
---@param fields tidelock.PresetFields
---@return tidelock.Policy
function policy.grant(fields) end
---@param fields? tidelock.PresetFields|string  or the reason
---@return tidelock.Policy
function policy.deny(fields) end
---The first of these that answers; functions return nil, 'usual', 'grant' or 'deny', and a reason.
---@param list tidelock.Policy[]
---@return tidelock.Policy
function policy.first(list) end
---Makes a function for requests of one kind, of the request, the peer, the id and the name of the database,
---and whether the channel is encrypted: the number of a row, a row, or answer, reason and place. Whether it
---looks at the request, and at the database; what it does not may be nil. And the rows, what presets answer:
---answer, reason, place, rate and page in bytes, false for what there is not.
---@param value tidelock.Policy
---@param kind string
---@return fun(...): integer|table|string?, string?, string?
---@return boolean reads_request, boolean reads_database
---@return table[] rows
function policy.compile_kind(value, kind) end
---Makes a function of a policy: answer, reason, place, rate and page in bytes.
---@param value tidelock.Policy
---@return fun(req: tidelock.Request): string?, string?, string?, integer?, integer?
function policy.compile(value) end
---What a policy answers: for tests.
---@param value tidelock.Policy
---@param req tidelock.Request
---@return string? answer, string? reason, string? place  as policy.lua:7; nil where a tail call has hidden it
function policy.decide(value, req) end

---@class tidelock.Rule
---@field name string
---@field direction 'both'|'pull'|'push'
---@field on_commit boolean
---@field every? integer|'never'  seconds
---@field priority? integer  0 to 9, 9 first
---@field rate? integer  bytes a second
---@field discover? boolean
---@field at? string  policy.lua:7

---@class tidelock.RuleMatch
---@field peer table
---@field db table
---@field rule tidelock.Rule
---@field paused boolean

---Calling the module makes a rule: rule { 'its name', databases = …, peers = …, direction =, on_commit =,
---every =, priority =, rate =, when =, discover = }.
---@class tidelock.rule
---@overload fun(fields: table): tidelock.Rule
local rule = {}
---A list of rules as a file returns it; raises for what is none.
---@param rules tidelock.Rule[]
---@return tidelock.Rule[]
function rule.check(rules) end
---What a field that is a function says of a thing: true or false; raises for what is no answer.
---@param one tidelock.Rule
---@param field 'databases'|'peers'|'when'
---@param thing table
---@return boolean
function rule.answer(one, field, thing) end
---Whether a rule rests now.
---@param one tidelock.Rule
---@param ctx table  hour, minute, weekday, now, facts
---@return boolean
function rule.paused(one, ctx) end
---For each pair of a peer and a database that a rule means, the first that does.
---@param rules tidelock.Rule[]
---@param peers table[]  { key =, name = }
---@param dbs table[]  { id =, name = }
---@param ctx table  hour, minute, weekday, now, facts
---@return tidelock.RuleMatch[]
function rule.match(rules, peers, dbs, ctx) end

---Sets of keys by the names and tags in a keyring file, `all` among them; an unknown one raises.
---@alias tidelock.keyring fun(file: string): table<string, table<tidelock.Key, true>>

---@class tidelock.text
local text = {}
---Whether the whole name is like the pattern: * is any text, ? one character.
---@param pattern string
---@param name string
---@return boolean
function text.glob(pattern, name) end
---@param whole string
---@param separator string  not empty
---@return string[]
function text.split(whole, separator) end
---@param whole string
---@return string
function text.trim(whole) end
---@param whole string
---@param part string
---@return boolean
function text.starts(whole, part) end
---@param whole string
---@param part string
---@return boolean
function text.ends(whole, part) end

---What a hook file returns.
---@class tidelock.HookFile
---Names with * and ?, ids; without it all databases but the library's own.
---@field databases? string|string[]
---Nothing or true lets the commit pass; false, or nil and a reason, refuses it. An error, or any other
---answer, refuses too.
---@field before_commit fun(ctx: tidelock.CommitContext): boolean?, string?
---What the next version of the file is to have: plain data.
---@field save? fun(): any
---Called with that before the next version is asked.
---@field restore? fun(saved: any)

---What a hook file is told of a commit, during the call.
---@class tidelock.CommitContext
---@field entry tidelock.Id
---@field tree_id tidelock.Id  the database; of a new one the id it gets
---@field db_name? string
---@field stores string[]
---@field author tidelock.Key
---@field size integer  bytes
---@field is_root_entry boolean
---@field changes tidelock.Change[]  at most 10,000; where there are more, reading them raises
---@field now integer  seconds since 1970
local CommitContext = {}
---What is there now, before the commit: nil for nothing and for null.
---@param store string
---@param path string|string[]  'a.b', or keys as they are
---@return any
function CommitContext:get(store, path) end

---A place that the commit writes.
---@class tidelock.Change
---@field store string
---@field path string[]  the row's key alone in a Table; empty where the store is no Doc
---@field value any  nil for null and where something is deleted; of a List its items, of a row its JSON
---@field deleted? boolean
