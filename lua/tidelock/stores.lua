-- The Lua half of stores: store types, iteration, rows as tables, read-change-set.
local core = require 'tidelock.core'
local misuse = require 'tidelock.misuse'
local unsupported = require 'tidelock.unsupported'

local M = { DocStore = 'doc_store', Table = 'table', SettingsStore = 'settings_store' }

-- Which method opens a store of each type, on transactions, databases and views alike.
local openers = { doc_store = 'doc', table = 'table', settings_store = 'settings' }

-- Not a tail call: what C says of an argument is told under the name of the method that was called.
local function whole(...)
	return ...
end

local function get_store(self, name, kind)
	local opener = openers[kind or M.DocStore]
	if not opener then
		misuse.argument(3, 'a store type is tl.DocStore, tl.Table or tl.SettingsStore')
	end
	if opener == 'settings' then
		if name ~= '_settings' then
			misuse.argument(2, 'a SettingsStore is called _settings')
		end
		return self:settings()
	end
	return whole(self[opener](self, name))
end

for _, type_name in ipairs { 'tidelock.transaction', 'tidelock.database', 'tidelock.view' } do
	local methods = core.methods(type_name)
	methods.get_store = get_store
	methods.get_subtree = get_store
end

-- --- DocStore ----------------------------------------------------------------------------------

local doc = core.methods 'tidelock.doc_store'

--- Reads, changes, sets: fn gets the value and returns the new one.
function doc:modify(path, fn)
	misuse.check_function(3, fn)
	local value, err = self:get(path)
	if value == nil then
		return nil, err
	end
	return whole(self:set(path, fn(value)))
end
doc.modify_path = doc.modify

--- The same, starting from `initial` when nothing is there.
function doc:modify_or_insert(path, initial, fn)
	misuse.check_function(4, fn)
	local value, err = self:get_option(path)
	if err then
		return nil, err
	end
	if value == nil then
		value = initial
	end
	return whole(self:set(path, fn(value)))
end
doc.modify_or_insert_path = doc.modify_or_insert

--- Not in this version: the changed paths of a store.
function doc.watch()
	return unsupported('store:watch', 'use db:changes or node:on')
end

-- --- Table -------------------------------------------------------------------------------------

local rows = core.methods 'tidelock.table'

--- Rows that match(row, key) says true to, as an array of { key =, row = }; and those that are no
--- JSON, of which it is not asked, as an array of { key =, err = }.
function rows:search(match)
	misuse.check_function(2, match)
	local found, unreadable = {}, {}
	for key, row, err in self:each() do
		if err then
			unreadable[#unreadable + 1] = { key = key, err = err }
		elseif match(row, key) then
			found[#found + 1] = { key = key, row = row }
		end
	end
	return found, unreadable
end

function rows.watch()
	return unsupported('store:watch', 'use db:changes or node:on')
end

-- --- Database ----------------------------------------------------------------------------------

local database = core.methods 'tidelock.database'

local CHANGES_PAGE = 1000

--- Change feed over arrival numbers: for change in db:changes { since = n } do. It ends at the
--- present; go on later from the last change.arrival seen.
function database:changes(options)
	local since, index = misuse.option(2, options, 'since') or 0, 1
	if math.type(since) ~= 'integer' or since < 0 then
		misuse.argument(2, 'since is an arrival number: a whole number, not below 0')
	end
	-- Read at once: whether it can begin there shows here and not in the middle of a loop.
	local page = assert(self:changes_page(since, CHANGES_PAGE))
	return function()
		if index > #page then
			page, index = assert(self:changes_page(since, CHANGES_PAGE)), 1
		end
		local change = page[index]
		if change then
			index, since = index + 1, change.arrival
			return change
		end
	end
end

local function components(path)
	if type(path) == 'table' then
		return path
	elseif type(path) ~= 'string' then
		misuse.argument(3, 'a path is a string or a table of strings')
	end
	local parts = {}
	for part in path:gmatch '[^.]+' do
		parts[#parts + 1] = part
	end
	return parts
end

--- Who wrote what at a path of a store, oldest first.
function database:history_of(store, path)
	return whole(self:history_at(store, components(path)))
end

-- What fn gave, once the transaction is decided.
local function decide(tx, ...)
	local first, reason = ...
	if first == false or first == nil and reason ~= nil then
		return ... -- the transaction rolls back when it leaves its scope
	end
	local id, err = tx:commit()
	if not id and err.code ~= 'already_committed' then -- by fn itself: the entry stands
		return nil, err
	elseif first == nil then
		return id or true
	end
	return ...
end

--- Runs fn(tx) in a transaction and commits: what fn returned, or the entry's id when it returned
--- nothing; nil and the error when the commit fails. fn rolls back by raising, by returning false, or
--- nil and a reason, and that is passed on.
function database:transact(fn)
	misuse.check_function(2, fn)
	local opened, err = self:new_transaction()
	if not opened then
		return nil, err
	end
	local tx <close> = opened
	return decide(tx, fn(tx))
end

return M
