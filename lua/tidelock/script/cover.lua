-- Whether all that a preset or a rule means is meant by one that comes before it, whoever is called or tagged
-- otherwise in a keyring. Where that cannot be told it is not. Runs in cells.
local text = require 'tidelock.text'
local within = require 'tidelock.script.within'

local M = {}

local left = 10000 -- names that are compared, so that long lists leave the budget for what else is checked

--- Whether a set of keys, nil for everybody, has nobody in it.
function M.is_empty(keys)
	return type(keys) == 'table' and next(keys) == nil or within(keys)
end

--- Sets of keys, nil for everybody; and how `inner` was given, which may be as one key.
function M.peers(outer, inner, given)
	return outer == nil or outer == inner or within(inner, outer)
		or type(given) == 'string' and type(outer) == 'table' and outer[given] == true
end

local function is_id(pattern)
	return text.starts(pattern, 'sha256:') or text.starts(pattern, 'blake3:')
end

local function has(pattern, letter)
	return pattern:find(letter, 1, true) ~= nil
end

-- A `*` stands for what `?` does not.
local function is_covered(outer, inner)
	left = left - 1
	if outer == inner or is_id(outer) or is_id(inner) then
		return outer == inner
	end
	return not (has(outer, '?') and has(inner, '*')) and text.glob(outer, inner)
end

local function list(one)
	return type(one) == 'table' and one or { one }
end

local function is_covered_by_one(outers, inner)
	for _, outer in ipairs(outers) do
		if is_covered(outer, inner) then
			return true
		end
	end
	return false
end

--- Names with * and ? and ids, one or a list of them.
function M.databases(outer, inner)
	local outers = list(outer)
	for _, one in ipairs(list(inner)) do
		if left < #outers or not is_covered_by_one(outers, one) then
			return false
		end
	end
	return true
end

return M
