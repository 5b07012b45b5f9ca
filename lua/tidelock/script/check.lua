-- What kind of script a file's value is, whether it is one, and what its author may not have meant. Runs in
-- cells.
local cover = require 'tidelock.script.cover'
local hook = require 'tidelock.script.hook'
local policy = require 'tidelock.policy'
local preset = require 'tidelock.script.preset'
local rule = require 'tidelock.rule'
local schema = require 'tidelock.script.schema'

local COMPARED_MAX = 100 -- presets, or rules, that are looked at for what hides them

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

-- Of these no database is known, so that a denial by database does not speak of them.
local NAMELESS = { connect = true, dial = true }

local function speaks_of(one, kind)
	return one.may[kind] and not (NAMELESS[kind] and one.op == 'deny' and one.database)
end

-- Whether whoever is meant by `later` is meant by `earlier` as well.
local function covers_peers(earlier, later)
	if earlier.peer then
		return cover.peers(earlier.peer, later.peer, later.given.peer)
	end
	return earlier.op == 'deny' or later.op ~= 'deny' or later.peer ~= nil
end

local function covers_databases(earlier, later, kind)
	return NAMELESS[kind] or not earlier.database
		or later.database and cover.databases(earlier.given.database, later.given.database)
end

local function covers(earlier, later, kind)
	return speaks_of(earlier, kind) and not earlier.where
		and (earlier.encrypted == nil or earlier.encrypted == later.encrypted)
		and covers_peers(earlier, later) and covers_databases(earlier, later, kind)
end

local function first_that_covers(list, at, kind)
	for i = 1, at - 1 do
		if covers(list[i], list[at], kind) then
			return i
		end
	end
	return nil
end

-- Why this preset never answers; nil: it may. Several may hide it together, the last of which is named.
local function why_silent(list, at)
	local one, by, speaks = list[at], 1, false
	if cover.is_empty(one.peer) then
		return 'this answers nobody: its set of keys is empty'
	end
	for kind in pairs(one.may) do
		if speaks_of(one, kind) then
			local found = first_that_covers(list, at, kind)
			if not found then
				return nil
			end
			by, speaks = math.max(by, found), true
		end
	end
	local where = list[by].at or 'a place unknown'
	return speaks and ('this never answers: what stands at %s comes before it'):format(where)
		or 'this never answers: no database is known yet when somebody connects'
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
		local why = i <= COMPARED_MAX and why_silent(list, i)
		if why then
			warn(one.at, '%s', why)
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

-- --- rules --------------------------------------------------------------------------------------

-- nil: everybody. A function says what it likes, which nobody foresees.
local function peers_of(one)
	local peers = one.given.peers
	if type(peers) == 'string' then
		return peers ~= 'all' and { [peers] = true } or nil
	end
	return peers
end

-- A database that is not held is for rules that discover.
local function rule_covers(earlier, later)
	if earlier.asks.peers or earlier.asks.databases or later.discover and not earlier.discover then
		return false
	end
	local databases, every = earlier.given.databases, earlier.given.databases == '*'
	return (every or not later.asks.databases and cover.databases(databases, later.given.databases))
		and cover.peers(peers_of(earlier), peers_of(later), later.given.peers)
end

local function check_rules(value, warn)
	rule.check(value)
	if #value == 0 then
		warn(nil, 'no rule stands here, so nothing is kept in step by it')
	end
	for i, one in ipairs(value) do
		local by
		for j = 1, i <= COMPARED_MAX and i - 1 or 0 do
			by = by or rule_covers(value[j], one) and value[j]
		end
		if not one.asks.peers and cover.is_empty(peers_of(one)) then
			warn(one.at, "rule '%s' means nobody: its set of keys is empty", one.name)
		elseif by then
			warn(one.at, "rule '%s' never counts: '%s' at %s comes before it", one.name, by.name,
				by.at or 'a place unknown')
		end
	end
	return 'rules'
end

-- --- all ----------------------------------------------------------------------------------------

--- 'policy', 'rules' or 'hook', and a list of { where =, text = }; raises for what is none of them.
return function(value)
	local warnings, kind = {}, nil
	local function warn(where, message, ...)
		warnings[#warnings + 1] = { where = where, text = message:format(...) }
	end
	if value == policy then
		schema.refuse(nil, 'a policy file returns what policy.first { … } makes, and not tidelock.policy')
	end
	local op = type(value) == 'table' and value.op
	if type(value) == 'function' or preset.ANSWERS[op] or op == 'first' then
		kind = check_policy(value, warn)
	elseif type(value) == 'table' and (value[1] ~= nil or next(value) == nil or value.is_rule) then
		kind = check_rules(value, warn)
	elseif type(value) == 'table' then
		hook(value)
		kind = 'hook'
	else
		schema.refuse(nil, 'a script returns a policy, a list of rules or a hook, and not a %s', type(value))
	end
	return kind, warnings
end
