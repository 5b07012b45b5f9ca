---@meta
-- The modules that are usable alone.

---@class tidelock.crypto
local crypto = {}
---@class tidelock.Secret  a private key; closing wipes it
local Secret = {}
function Secret:close() end
---@return tidelock.Key
function Secret:public_key() end
---@param message string
---@return string? signature, tidelock.Error?
function Secret:sign(message) end
---Takes about 0.1 s.
---@param passphrase string
---@return string? sealed, tidelock.Error?
function Secret:seal(passphrase) end
---@param seed? string  32 bytes, or their text form; random without it
---@return tidelock.Secret?, tidelock.Error?  bad_key
function crypto.new_secret(seed) end
---@param sealed string
---@param passphrase string
---@return tidelock.Secret?, tidelock.Error?  wrong_passphrase, bad_key
function crypto.unseal(sealed, passphrase) end
---@param key tidelock.Key
---@param message string
---@param signature string  64 bytes
---@return true?, tidelock.Error?  bad_signature, bad_key
function crypto.verify(key, message, signature) end
---@param text string
---@return tidelock.Key?, tidelock.Error?  bad_key
function crypto.parse_key(text) end
---@param text string
---@return tidelock.Id?, tidelock.Error?  bad_id
function crypto.parse_id(text) end
---@param bytes string
---@return string digest  32 bytes
function crypto.sha256(bytes) end
---@param bytes string
---@return tidelock.Id
function crypto.id_of(bytes) end
---@param count integer
---@return string
function crypto.random(count) end
---@param bytes string
---@return string
function crypto.base64_encode(bytes) end
---@param text string
---@return string?, tidelock.Error?  bad_base64
function crypto.base64_decode(text) end

---@class tidelock.entry
local entry = {}
---@param text string
---@param form? 'canonical'|'foreign'
---@return tidelock.Entry?, tidelock.Error?
function entry.parse(text, form) end
---@return tidelock.EntryBuilder?, tidelock.Error?
function entry.builder() end

---@class tidelock.Entry
local Entry = {}
---@return tidelock.Id
function Entry:id() end
---@return string  canonical bytes
function Entry:bytes() end
---@return string  id of the database; '' in a root
function Entry:tree() end
---@return string[]
function Entry:parents() end
---@return string?
function Entry:metadata() end
---@return { name: string, data: string, parents: string[] }[]
function Entry:stores() end
---@return { key: string?, pubkey: string?, sig: string? }
function Entry:signer() end
---@return boolean
function Entry:is_root() end
---@return true?, tidelock.Error?
function Entry:check() end
---@param key tidelock.Key
---@return true?, tidelock.Error?
function Entry:verify(key) end

---@class tidelock.EntryBuilder  setters return it; the first error comes from finish
local EntryBuilder = {}
---@param root tidelock.Id
---@return tidelock.EntryBuilder
function EntryBuilder:tree(root) end
---@param id tidelock.Id
---@return tidelock.EntryBuilder
function EntryBuilder:parent(id) end
---@param text string
---@return tidelock.EntryBuilder
function EntryBuilder:metadata(text) end
---@param name string
---@param data string
---@return tidelock.EntryBuilder
function EntryBuilder:store(name, data) end
---@param name string
---@param id tidelock.Id
---@return tidelock.EntryBuilder
function EntryBuilder:store_parent(name, id) end
---@param name string  under which the database knows the key
---@param pubkey? tidelock.Key
---@return tidelock.EntryBuilder
function EntryBuilder:key(name, pubkey) end
---@param secret? tidelock.Secret
---@return tidelock.Entry?, tidelock.Error?
function EntryBuilder:finish(secret) end

---@class tidelock.doc
---@field null tidelock.Constant
---@field deleted tidelock.Constant
---@field list fun(items?: table): tidelock.List
local doc = {}
---@param text string
---@return table?, tidelock.Error?
function doc.parse(text) end
---@param value table
---@return string?, tidelock.Error?
function doc.write(value) end
---@param base table
---@param later table
---@return table?, tidelock.Error?
function doc.merge(base, later) end
---Plain JSON for people.
---@param value tidelock.Value
---@return string?, tidelock.Error?
function doc.to_json(value) end

---JSON without loss: what decode gives, encode writes again.
---
---* null is tidelock.null, also as a member, and false is false.
---* An array becomes a table that is marked as one (by its metatable), so that `[]` stays `[]`, also
---  after its last item is taken out. An object becomes a plain table; an empty plain table is `{}`.
---* An integer of 64 bits is a Lua integer; one beyond them is refused, not rounded. A number with a
---  fraction or exponent, and `-0`, is a float: `1.0` and `1e15` stay floats.
---* Any locale gives the same texts.
---@class tidelock.json
local json = {}
---One JSON value and nothing else. Refused are, beyond what the grammar has not: a member that comes
---twice, numbers too large (`1e400`), invalid UTF-8, lone surrogates, more than 127 levels.
---@param text string
---@return any, tidelock.Error?  bad_json
function json.decode(text) end
---Keys in ascending order of their bytes. A table is a sequence or has text keys only; a tidelock.list
---may stand anywhere. Raises for everything JSON cannot hold (other tables, functions, NaN, bytes that
---are not UTF-8, cycles) and says where: `rows.tags[3] is a function`. Metamethods are not asked.
---@param value any
---@param options? { pretty: boolean }  indented by two spaces a level
---@return string
function json.encode(value, options) end
---Marks a table as an array, so that an empty one is written as [].
---@param items? table
---@return table
function json.array(items) end

---A line of a script, a node, a store or a transport; tostring(line) is how it stands on stderr:
---`2026-01-31T10:00:00.123+00:00 info sync: text`.
---@class tidelock.log.line
---@field time_ms integer  Unix
---@field level 'debug'|'info'|'warning'|'error'
---@field part string      where it comes from: 'script', 'sync', 'store', …
---@field text string      escaped: one line, nothing that a terminal obeys; holds no secret

---Lines go to stderr. At 'info' nodes tell the start and end of servers, contacts on both sides, exchanges
---that moved something, failures with their reason and access requests, at 'debug' each exchange, at
---'warning' what needs somebody. Whom a peer came to says so at its first words and at each hello, once a
---minute at most.
---@class tidelock.log
local log = {}
---The least level that is told: of scripts' lines, and of nodes, stores and transports that are opened
---from now on without a level of their own. As long as it is not called (in the program: by `--log`)
---scripts tell everything, all else warnings and errors.
---@param level 'debug'|'info'|'warning'|'error'|'off'
function log.level(level) end
---From here on every line goes to fn(line) instead of stderr; nil ends that. fn is called from the loop
---and when a node closes, on this thread. At most 1,000 lines wait for it: a line of its own counts those
---lost.
---@param fn? fun(line: tidelock.log.line)
function log.sink(fn) end
---One line of the values, each as `print` shows it, with a blank between them. None raises.
---@param ... any
function log.debug(...) end
---@param ... any  as log.debug
function log.info(...) end
---@param ... any  as log.debug
function log.warning(...) end
---@param ... any  as log.debug
function log.error(...) end
