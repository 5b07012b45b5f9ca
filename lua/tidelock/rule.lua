-- What this node starts by itself: with whom, which databases, when. A rule is a table that begins with its
-- name; `match` tells which rule each pair of a peer and a database has. Runs in cells and in plain Lua.
local schema = require 'tidelock.script.schema'
local _, callable = ... -- cells give it: there scripts cannot make objects
local in_cell = type(callable) == 'function'

local M = {}

local RULES_MAX, PRIORITY_MAX, NAME_MAX, EVERY_MAX = 1000, 9, 200, 49 * 86400

-- --- a rule -------------------------------------------------------------------------------------

local FIELDS = { direction = schema.word('both', 'pull', 'push'), on_commit = schema.typed 'boolean',
	rate = schema.rate, when = schema.typed 'function', discover = schema.typed 'boolean' }

-- fn(database)
function FIELDS.databases(value, refuse)
	if type(value) == 'function' then
		return value
	end
	local means, by_name = schema.databases(value, refuse)
	return function(db) -- '*' means those without a name, too
		return means(db.name or '', db.id) or db.listed == true and by_name
	end
end

-- fn(peer)
function FIELDS.peers(value, refuse)
	if type(value) == 'function' then
		return value
	elseif value == 'all' then
		return function() return true end
	elseif value == '*' then
		refuse "is 'all' for everybody"
	end
	local keys = schema.keys(value, refuse)
	return function(peer)
		return keys[peer.key] == true
	end
end

function FIELDS.every(value, refuse)
	local every = value == 'never' and value or schema.duration(value, refuse)
	if every ~= 'never' and every > EVERY_MAX then
		refuse("is at most '49d', or 'never'")
	end
	return every
end

function FIELDS.priority(value, refuse)
	if math.type(value) ~= 'integer' or value < 0 or value > PRIORITY_MAX then
		refuse('is a whole number from 0 to %d, and not %s', PRIORITY_MAX, tostring(value))
	end
	return value
end

-- A name, and everything that the fields say.
local function new(given)
	local at = schema.place(in_cell and 1 or 0)
	local name, fields = type(given) == 'table' and given[1], {}
	if type(name) ~= 'string' or name == '' then
		schema.refuse(at, "a rule begins with its name: rule { 'photos at night', … }")
	elseif #name > NAME_MAX or not utf8.len(name) then
		schema.refuse(at, 'the name of a rule is at most %d bytes of UTF-8', NAME_MAX)
	end
	for key, value in pairs(given) do
		if key ~= 1 then
			fields[key] = value
		end
	end
	local made = schema.read(("rule '%s'"):format(name), at, FIELDS, fields)
	for _, needed in ipairs { 'databases', 'peers' } do
		if not made[needed] then
			schema.refuse(at, "rule '%s': `%s` is needed", name, needed)
		end
	end
	made.name, made.at, made.is_rule, made.given = name, at, true, fields
	made.asks = { databases = type(fields.databases) == 'function', peers = type(fields.peers) == 'function' }
	made.direction = made.direction or 'both'
	made.on_commit = made.on_commit ~= false
	return made
end

--- The rules of a file, which are a list; raises for what is none.
function M.check(rules)
	local seen, count = {}, type(rules) == 'table' and #rules
		or schema.refuse(nil, 'a rules file returns a list of rules, and not a %s', type(rules))
	if rules.is_rule then
		schema.refuse(rules.at, 'a rules file returns a list of rules: { rule { … } }, also where it is one')
	elseif count > RULES_MAX then
		schema.refuse(nil, 'there are at most %d rules, and these are %d', RULES_MAX, count)
	end
	for key, rule in pairs(rules) do
		local in_list = math.type(key) == 'integer' and key >= 1 and key <= count
		if not in_list or type(rule) ~= 'table' or not rule.is_rule then
			schema.refuse(nil, 'a rules file returns a list of rules, and `%s` is none', tostring(key))
		elseif seen[rule.name] then
			schema.refuse(rule.at, "there are two rules '%s', the other one at %s", rule.name,
				seen[rule.name].at or 'a place unknown')
		end
		seen[rule.name] = rule
	end
	return rules
end

-- --- matching -----------------------------------------------------------------------------------

--- What a field of a rule answers that is a function; raises for what is no answer.
function M.answer(rule, field, thing)
	local said = rule[field](thing)
	if type(said) ~= 'boolean' and said ~= nil then
		schema.refuse(rule.at, "rule '%s': `%s` answers true or false, and not a %s", rule.name, field,
			type(said))
	end
	return said == true
end

-- Of each rule which of these it means.
local function meant(rules, field, things)
	local table_of = {}
	for i, rule in ipairs(rules) do
		table_of[i] = {}
		for j, thing in ipairs(things) do
			table_of[i][j] = M.answer(rule, field, thing)
		end
	end
	return table_of
end

--- Whether a rule rests now; `ctx` has hour, minute, weekday, now and facts.
function M.paused(rule, ctx)
	return rule.when ~= nil and not M.answer(rule, 'when', ctx)
end

--- For each pair of a peer ({ key, name }) and a database ({ id, name }) that a rule means, the first that
--- does: a list of { peer, db, rule, paused }, peers first, in the order given.
function M.match(rules, peers, dbs, ctx)
	local checked, matches = M.check(rules), {}
	local by_peer, by_db = meant(checked, 'peers', peers), meant(checked, 'databases', dbs)
	for p, peer in ipairs(peers) do
		for d, db in ipairs(dbs) do
			for r, rule in ipairs(rules) do
				if by_peer[r][p] and by_db[r][d] then
					matches[#matches + 1] = { peer = peer, db = db, rule = rule,
						paused = M.paused(rule, ctx) }
					break
				end
			end
		end
	end
	return matches
end

if in_cell then
	return callable(M, new)
end
return setmetatable(M, { __call = function(_, given) return new(given) end })
