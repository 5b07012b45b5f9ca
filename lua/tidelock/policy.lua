-- Who may do what with this node. A policy is a preset (preset.lua), a list of them, or a function of a
-- request; `compile` makes a closure of it. Runs in cells and in plain Lua.
local preset = require 'tidelock.script.preset'
local schema = require 'tidelock.script.schema'

local KINDS, ANSWERS = preset.KINDS, preset.ANSWERS

local M = { usual = preset.usual, grant = preset.grant, deny = preset.deny, first = preset.first }

-- usual and grant speak of proven devices only, deny of everybody who is not told apart.
local function compile_preset(p)
	local op, keys, database, encrypted, where = p.op, p.peer, p.database, p.encrypted, p.where
	local reason, at, rate, page, gives = p.reason, p.at, p.rate, p.page, p.op ~= 'deny'
	return function(req, peer)
		if keys or gives then
			if peer == nil or keys and not keys[peer] then
				return nil
			end
		end
		if database then
			local db = req.db
			if db == nil and not gives or db ~= nil and not database(req.db_name, db) then
				return nil
			end
		end
		if encrypted ~= nil and (req.encrypted == true) ~= encrypted or where and where(req) ~= true then
			return nil
		end
		return op, reason, at, rate, page
	end
end

local function compile_function(fn, at)
	return function(req)
		local answer, reason = fn(req)
		if answer ~= nil and not ANSWERS[answer] or reason ~= nil and type(reason) ~= 'string' then
			schema.refuse(nil, "a policy answers nil, 'usual', 'grant' or 'deny' and a reason, not %s, %s",
				tostring(answer), tostring(reason))
		end
		return answer, reason, at
	end
end

-- Appends the closures that may answer this kind.
local function collect(value, kind, at, into)
	if type(value) == 'function' then
		into[#into + 1] = compile_function(value, at)
	elseif value.op == 'first' then
		for _, one in ipairs(value.list) do
			collect(one, kind, value.at, into)
		end
	elseif value.may[kind] then
		into[#into + 1] = compile_preset(value)
	end
end

--- fn(req): answer, reason, place, rate, page of the first that answers.
function M.compile(value)
	local by_kind = {}
	local op = type(value) == 'table' and value.op
	if type(value) ~= 'function' and op ~= 'first' and not ANSWERS[op] then
		schema.refuse(nil, 'a policy is a preset, policy.first { … } or a function, and not a %s', type(value))
	end
	for kind in pairs(KINDS) do
		by_kind[kind] = {}
		collect(value, kind, nil, by_kind[kind])
	end
	return function(req)
		local list, peer = by_kind[req.kind], req.peer
		for i = 1, #list do
			local answer, reason, at, rate, page = list[i](req, peer)
			if answer then
				return answer, reason, at, rate, page
			end
		end
	end
end

--- What a policy answers to a request, a table of its fields: answer, reason, place. For tests.
function M.decide(value, req)
	local answer, reason, at = M.compile(value)(req)
	return answer, reason, at
end

return M
