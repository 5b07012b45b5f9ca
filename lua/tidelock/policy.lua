-- Who may do what with this node. A policy is a preset (preset.lua), a list of them, or a function of a
-- request; `compile` makes a closure of it. Runs in cells and in plain Lua.
local preset = require 'tidelock.script.preset'
local schema = require 'tidelock.script.schema'

local KINDS, ANSWERS = preset.KINDS, preset.ANSWERS

local M = { usual = preset.usual, grant = preset.grant, deny = preset.deny, first = preset.first }

local NUMBERED = 256 -- presets of a kind whose answers are numbers

-- Each closure is fn(req, peer, db, db_name, encrypted) and asks the one behind it where it has no answer.
-- What presets look at stands beside the request, which is made for functions alone. A preset answers with
-- the number of a row of `reads.answers` (answer, reason, place, rate, page), or with such a row.
local function nothing() end

local function answer_of(p, answers)
	local row = { p.op, p.reason or false, p.at or false, p.rate or false, p.page or false }
	if #answers == NUMBERED then
		return row
	end
	answers[#answers + 1] = row
	return #answers
end

-- usual and grant speak of proven devices only, deny of everybody who is not told apart.
local function holds(where, req, at)
	local answer = where(req)
	if answer ~= nil and answer ~= true and answer ~= false then
		schema.refuse(at, '`where` answers true or false, and not a %s', type(answer))
	end
	return answer
end

local function compile_any(p, answer, rest)
	local keys, database, secure, where, at = p.peer, p.database, p.encrypted, p.where, p.at
	local gives = p.op ~= 'deny'
	return function(req, peer, db, db_name, encrypted)
		if (not keys and not gives or peer ~= nil and (not keys or keys[peer]))
			and (not database or db == nil and gives or db ~= nil and database(db_name, db))
			and (secure == nil or secure == encrypted) and (not where or holds(where, req, at)) then
			return answer
		end
		return rest(req, peer, db, db_name, encrypted)
	end
end

-- What most presets are is compiled without questions that have one answer.
local function compile_preset(p, rest, answers)
	local answer, keys, database, gives = answer_of(p, answers), p.peer, p.database, p.op ~= 'deny'
	if p.encrypted ~= nil or p.where or not keys and (gives or database) or database and not gives then
		return compile_any(p, answer, rest)
	elseif not keys then
		return function() return answer end
	elseif not database then
		return function(req, peer, db, db_name, encrypted)
			if keys[peer] then
				return answer
			end
			return rest(req, peer, db, db_name, encrypted)
		end
	end
	return function(req, peer, db, db_name, encrypted)
		if keys[peer] and (db == nil or database(db_name, db)) then
			return answer
		end
		return rest(req, peer, db, db_name, encrypted)
	end
end

local function compile_function(fn, at, rest)
	return function(req, peer, db, db_name, encrypted)
		local answer, reason = fn(req)
		if answer ~= nil and not ANSWERS[answer] or reason ~= nil and type(reason) ~= 'string' then
			schema.refuse(nil, "a policy answers nil, 'usual', 'grant' or 'deny' and a reason, not %s, %s",
				tostring(answer), tostring(reason))
		elseif answer == nil then
			return rest(req, peer, db, db_name, encrypted)
		end
		return answer, reason, at
	end
end

-- What may answer this kind, in front of `rest`. `reads` is told what it looks at.
local function chain(value, kind, at, rest, reads)
	if type(value) == 'function' then
		reads.request = true
		return compile_function(value, at, rest)
	elseif value.op == 'first' then
		for i = #value.list, 1, -1 do
			rest = chain(value.list[i], kind, value.at, rest, reads)
		end
		return rest
	elseif not value.may[kind] then
		return rest
	end
	reads.request = reads.request or value.where ~= nil
	reads.database = reads.database or value.database ~= nil or value.encrypted ~= nil
	return compile_preset(value, rest, reads.answers)
end

--- fn(req, peer, db, db_name, encrypted) for requests of one kind: of the first that answers the number of
--- its row, a row, or answer, reason, place. Whether it looks at the request, and at what stands behind the
--- peer; what it does not look at may be nil. And the rows.
function M.compile_kind(value, kind)
	local op = type(value) == 'table' and value ~= M and value.op -- cells know no field that M has not
	local reads = { request = false, database = false, answers = {} }
	if type(value) ~= 'function' and op ~= 'first' and not ANSWERS[op] then
		schema.refuse(nil, 'a policy is a preset, policy.first { … } or a function, and not a %s', type(value))
	end
	return chain(value, kind, nil, nothing, reads), reads.request, reads.database, reads.answers
end

local function spelled(answers, answer, reason, at)
	local row = answers[answer] or answer
	if type(row) ~= 'table' then
		return answer, reason, at
	end
	return row[1], row[2] or nil, row[3] or nil, row[4] or nil, row[5] or nil
end

--- The same for requests of every kind, fn(req): answer, reason, place, rate, page.
function M.compile(value)
	local by_kind = {}
	for kind in pairs(KINDS) do
		local fn, _, _, answers = M.compile_kind(value, kind)
		by_kind[kind] = function(req)
			return spelled(answers, fn(req, req.peer, req.db, req.db_name, req.encrypted == true))
		end
	end
	return function(req)
		return by_kind[req.kind](req)
	end
end

--- What a policy answers to a request, a table of its fields: answer, reason, place. For tests.
function M.decide(value, req)
	local answer, reason, at = M.compile(value)(req)
	return answer, reason, at
end

return M
