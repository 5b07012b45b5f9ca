-- What kind of script a file's value is, whether it is one, and what its author may not have meant. Runs in
-- cells.
local hook = require 'tidelock.script.hook'
local policy = require 'tidelock.policy'
local preset = require 'tidelock.script.preset'
local rule = require 'tidelock.rule'
local schema = require 'tidelock.script.schema'

-- --- policies -----------------------------------------------------------------------------------

-- The presets in the order in which they are asked; functions are none.
local function flatten(value, into)
	if type(value) == 'table' and value.op == 'first' then
		for _, one in ipairs(value.list) do
			flatten(one, into)
		end
	elseif type(value) == 'table' then
		into[#into + 1] = value
	end
	return into
end

-- Whether whoever is meant by `later` is meant by `earlier` as well.
local function covers_peers(earlier, later)
	if earlier.peer then
		return earlier.peer == later.peer
	end
	return earlier.op == 'deny' or later.op ~= 'deny' or later.peer ~= nil
end

local function covers(earlier, later, kind)
	return earlier.may[kind] and not earlier.database and earlier.encrypted == nil and not earlier.where
		and covers_peers(earlier, later)
end

-- The preset because of which this one never answers.
local function hidden_by(list, at)
	local by
	for kind in pairs(list[at].may) do
		local found
		for i = 1, at - 1 do
			if not found and covers(list[i], list[at], kind) then
				found = list[i]
			end
		end
		if not found then
			return nil
		end
		by = by or found
	end
	return by
end

local function has_star(patterns)
	for _, pattern in ipairs(type(patterns) == 'table' and patterns or { patterns }) do
		if pattern:find('*', 1, true) or pattern:find('?', 1, true) then
			return true
		end
	end
	return false
end

local function check_policy(value, warn)
	local list = flatten(value, {})
	policy.compile(value)
	for i, one in ipairs(list) do
		local by = hidden_by(list, i)
		if by then
			warn(one.at, 'this never answers: what stands at %s comes before it', by.at or 'a place unknown')
		end
		if one.op == 'grant' and not one.peer and one.given.database and has_star(one.given.database) then
			warn(one.at, 'databases are named by their admins: to give every device more than usual, name an id')
		end
		if one.rate or one.page then
			warn(one.at, 'peers of 0.2.0 know no pages: `rate` and `page` do nothing for them')
		end
	end
	return 'policy'
end

-- --- all ----------------------------------------------------------------------------------------

--- 'policy', 'rules' or 'hook', and a list of { where =, text = }; raises for what is none of them.
return function(value)
	local warnings, kind = {}, nil
	local function warn(where, message, ...)
		warnings[#warnings + 1] = { where = where, text = message:format(...) }
	end
	local op = type(value) == 'table' and value.op
	if type(value) == 'function' or preset.ANSWERS[op] or op == 'first' then
		kind = check_policy(value, warn)
	elseif type(value) == 'table' and (value[1] ~= nil or next(value) == nil) then
		rule.check(value)
		kind = 'rules'
	elseif type(value) == 'table' then
		hook(value)
		kind = 'hook'
	else
		schema.refuse(nil, 'a script returns a policy, a list of rules or a hook, and not a %s', type(value))
	end
	return kind, warnings
end
