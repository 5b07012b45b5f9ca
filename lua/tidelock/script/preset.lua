-- The presets of policies: usual, grant, deny and first. Each is a plain table that says what it is about.
local schema = require 'tidelock.script.schema'

local KINDS = { connect = true, list = true, read = true, write = true, create = true, request = true,
	dial = true, fetch = true }
local ANSWERS = { usual = true, grant = true, deny = true }
local M = { KINDS = KINDS, ANSWERS = ANSWERS }

-- Without `may` a preset is about these: a denial never keeps the node from calling out.
local INBOUND = { 'connect', 'list', 'read', 'write', 'create', 'request' }
-- What goes with a permission that is given; a denial is exact.
local WITH = { read = { 'connect', 'list' }, write = { 'connect', 'list' }, create = { 'connect' },
	request = { 'connect' }, list = { 'connect' } }
local REASON_MAX = 200

local FIELDS = { database = schema.databases, encrypted = schema.typed 'boolean',
	where = schema.typed 'function', rate = schema.rate, page = schema.size }

function FIELDS.peer(value, refuse)
	return value ~= '*' and schema.keys(value, refuse) or nil
end

function FIELDS.reason(value, refuse)
	if type(value) ~= 'string' or #value > REASON_MAX then
		refuse('is a text of at most %d bytes', REASON_MAX)
	end
	return value
end

-- kind -> true
function FIELDS.may(value, refuse)
	local may = {}
	for _, kind in ipairs(schema.list(value, refuse)) do
		if not KINDS[kind] then
			refuse('has no kind %s%s', tostring(kind), schema.hint(kind, KINDS))
		end
		may[kind] = true
	end
	return next(may) and may or refuse 'names no kind'
end

local function make(op, fields, at)
	local made = schema.read('policy.' .. op, at, FIELDS, fields or {})
	local given = made.may
	if not given then
		made.may = {}
		for _, kind in ipairs(INBOUND) do
			made.may[kind] = true
		end
	elseif op ~= 'deny' then
		for kind in pairs(given) do
			for _, other in ipairs(WITH[kind] or {}) do
				made.may[other] = true
			end
		end
	end
	made.op, made.at, made.given = op, at, fields or {}
	return made
end

--- Their keys and relations decide, as without a policy.
function M.usual(fields)
	local made = make('usual', fields, schema.place())
	return made
end

--- More than keys and relations give; `may` says what.
function M.grant(fields)
	local at = schema.place()
	if type(fields) == 'table' and fields.may == nil then
		schema.refuse(at, 'policy.grant: `may` is needed: it gives more than keys and relations do')
	end
	return make('grant', fields, at)
end

--- No, for this reason.
function M.deny(fields)
	local made = make('deny', type(fields) == 'string' and { reason = fields } or fields, schema.place())
	if made.rate or made.page then
		schema.refuse(made.at, 'policy.deny: what is denied has no `rate` and no `page`')
	end
	return made
end

--- The first of these that answers.
function M.first(list)
	local at = schema.place()
	local count = type(list) == 'table' and #list
		or schema.refuse(at, 'policy.first takes a list of presets and functions')
	for key, one in pairs(list) do
		local op = type(one) == 'table' and one.op
		if math.type(key) ~= 'integer' or key < 1 or key > count then
			schema.refuse(at, 'policy.first takes a list without holes, and `%s` is no place in it',
				tostring(key))
		elseif type(one) ~= 'function' and not (ANSWERS[op] or op == 'first') then
			schema.refuse(at, 'policy.first: number %d is a %s, and no preset or function', key, type(one))
		end
	end
	return { op = 'first', list = list, at = at }
end

return M
