-- Who may do what with this node. A policy is a preset (preset.lua), a list of them, or a function of a
-- request; `compile` makes a closure of it. Runs in cells and in plain Lua.
local preset = require 'tidelock.script.preset'
local schema = require 'tidelock.script.schema'

local KINDS, ANSWERS = preset.KINDS, preset.ANSWERS

local M = { usual = preset.usual, grant = preset.grant, deny = preset.deny, first = preset.first }

-- Each closure is fn(req, peer, db, db_name, encrypted) and asks the one behind it where it has no answer.
-- What presets look at stands beside the request, which is made for functions alone.
local function nothing() end

-- usual and grant speak of proven devices only, deny of everybody who is not told apart.
local function holds(where, req, at)
	local answer = where(req)
	if answer ~= nil and answer ~= true and answer ~= false then
		schema.refuse(at, '`where` answers true or false, and not a %s', type(answer))
	end
	return answer
end

local function compile_preset(p, rest)
	local op, reason, at, rate, page, keys = p.op, p.reason, p.at, p.rate, p.page, p.peer
	local database, secure, where, gives = p.database, p.encrypted, p.where, p.op ~= 'deny'
	if not (database or secure ~= nil or where) and (keys or not gives) then -- these are most
		return keys and function(req, peer, db, db_name, encrypted)
			if keys[peer] then
				return op, reason, at, rate, page
			end
			return rest(req, peer, db, db_name, encrypted)
		end or function() return op, reason, at, rate, page end
	end
	return function(req, peer, db, db_name, encrypted)
		if (not keys and not gives or peer ~= nil and (not keys or keys[peer]))
			and (not database or db == nil and gives or db ~= nil and database(db_name, db))
			and (secure == nil or secure == encrypted) and (not where or holds(where, req, at)) then
			return op, reason, at, rate, page
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
	return compile_preset(value, rest)
end

--- fn(req, peer, db, db_name, encrypted) for requests of one kind: answer, reason, place, rate, page of the
--- first that answers. And whether it looks at the request, and at what stands behind the peer; what it does
--- not look at may be nil.
function M.compile_kind(value, kind)
	local op = type(value) == 'table' and value ~= M and value.op -- cells know no field that M has not
	local reads = { request = false, database = false }
	if type(value) ~= 'function' and op ~= 'first' and not ANSWERS[op] then
		schema.refuse(nil, 'a policy is a preset, policy.first { … } or a function, and not a %s', type(value))
	end
	return chain(value, kind, nil, nothing, reads), reads.request, reads.database
end

--- The same for requests of every kind, fn(req).
function M.compile(value)
	local by_kind = {}
	for kind in pairs(KINDS) do
		by_kind[kind] = M.compile_kind(value, kind)
	end
	return function(req)
		return by_kind[req.kind](req, req.peer, req.db, req.db_name, req.encrypted == true)
	end
end

--- What a policy answers to a request, a table of its fields: answer, reason, place. For tests.
function M.decide(value, req)
	local answer, reason, at = M.compile(value)(req)
	return answer, reason, at
end

return M
