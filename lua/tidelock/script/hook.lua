-- Hook files: a table of moments, and which databases they are about. Runs in cells.
local schema = require 'tidelock.script.schema'

local FIELDS = { before_commit = 'function', save = 'function', restore = 'function' }
local KNOWN = { before_commit = true, save = true, restore = true, databases = true }
local PATTERNS_MAX, PATTERN_MAX = 1000, 255

-- Moments that hook files do not have yet, and what does the same.
local LATER = {
	on_entry_committed = "use node:add_hook, or node:on 'entry_committed'",
	on_entry_received = "use node:on 'entries_received' and db:changes",
	on_access_request = "use node:on 'access_requested'",
	on_conflict = 'compare entries of db:changes',
	from = 'it belongs to on_entry_committed and on_entry_received',
}

local function check_field(name, one)
	if LATER[name] then
		schema.refuse(nil, '`%s` in a hook file is not part of this version; %s', name, LATER[name])
	elseif not KNOWN[name] then
		schema.refuse(nil, 'a hook has no `%s`%s', tostring(name), schema.hint(name, KNOWN))
	elseif FIELDS[name] and type(one) ~= FIELDS[name] then
		schema.refuse(nil, '`%s` of a hook is a %s, and not a %s', name, FIELDS[name], type(one))
	end
end

local function patterns_of(databases)
	local function refuse(message, ...)
		schema.refuse(nil, '`databases` of a hook ' .. message, ...)
	end
	local list = schema.list(databases, refuse)
	schema.databases(list, refuse)
	if #list > PATTERNS_MAX then
		refuse('names at most %d', PATTERNS_MAX)
	end
	for _, pattern in ipairs(list) do
		if #pattern > PATTERN_MAX then
			refuse('has texts of at most %d bytes', PATTERN_MAX)
		end
	end
	return list
end

--- The names and ids of the databases that a hook file's value is about, none for all; raises for what is no
--- hook.
return function(value)
	if type(value) ~= 'table' or value.op or value[1] ~= nil then
		schema.refuse(nil, 'a hook file returns a table of moments, like { before_commit = function(ctx) … end }')
	end
	for name, one in pairs(value) do
		check_field(name, one)
	end
	if not value.before_commit then
		schema.refuse(nil, 'a script returns a policy, a list of rules or a hook, and this table is none: '
			.. 'a hook has `before_commit`')
	end
	return value.databases ~= nil and patterns_of(value.databases) or {}
end
