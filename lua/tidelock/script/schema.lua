-- Tables that people write for policies and rules: fields, kinds of values, and errors that say where.
local nearest = require 'tidelock.script.nearest'
local text = require 'tidelock.text'

local M = {}

--- "policy.lua:7", the line that called the function that asks, or the one so many calls above; nil where it
--- was left by a tail call.
function M.place(above)
	local _, said = pcall(error, '', 4 + (above or 0))
	return #said > 2 and said:sub(1, #said - 2) or nil
end

--- Raises with that place.
function M.refuse(at, message, ...)
	error((at and at .. ': ' or '') .. message:format(...), 0)
end

--- '; did you mean X?', or nothing.
function M.hint(word, names)
	local near = type(word) == 'string' and nearest(word, names)
	return near and ('; did you mean %s?'):format(near) or ''
end

--- The fields of `given`, each by its reader: readers[name](value, refuse) returns what is kept.
function M.read(what, at, readers, given)
	local read = {}
	if type(given) ~= 'table' then
		M.refuse(at, '%s takes a table of fields, and not a %s', what, type(given))
	end
	for name, value in pairs(given) do
		if not readers[name] then
			M.refuse(at, '%s has no field %s%s', what, tostring(name), M.hint(name, readers))
		end
		read[name] = readers[name](value, function(message, ...)
			M.refuse(at, '%s: `%s` ' .. message, what, name, ...)
		end)
	end
	return read
end

-- --- readers ------------------------------------------------------------------------------------

--- A value of this type.
function M.typed(wanted)
	return function(value, refuse)
		if type(value) ~= wanted then
			refuse('is a %s, and not a %s', wanted, type(value))
		end
		return value
	end
end

--- One or a list of several: a list, which leaves out nothing that was written.
function M.list(value, refuse)
	local list, count = type(value) == 'table' and value or { value }, 0
	for _ in ipairs(list) do
		count = count + 1
	end
	for key in pairs(list) do
		if math.type(key) ~= 'integer' or key < 1 or key > count then
			refuse("is a list without gaps, and '%s' stands outside of it", tostring(key))
		end
	end
	return list
end

--- One of these words.
function M.word(...)
	local words = {}
	for _, word in ipairs { ... } do
		words[word] = true
	end
	local all = table.concat({ ... }, ', ')
	return function(value, refuse)
		return words[value] and value or refuse('is one of %s, and not %s%s', all, tostring(value),
			M.hint(value, words))
	end
end

-- A number and its unit: '64KiB/s'.
local function measured(value, units, ending)
	local digits = 0
	while digits < #value and value:byte(digits + 1) >= 48 and value:byte(digits + 1) <= 57 do
		digits = digits + 1
	end
	local unit = text.ends(value, ending) and value:sub(digits + 1, #value - #ending)
	local count = tonumber(value:sub(1, digits))
	return unit and units[unit] and count and count * units[unit]
end

local BYTES = { [''] = 1, KiB = 1 << 10, MiB = 1 << 20, GiB = 1 << 30 }
local SECONDS = { s = 1, m = 60, h = 3600, d = 86400 }

local function quantity(units, ending, shape)
	return function(value, refuse)
		local number = type(value) == 'string' and measured(value, units, ending) or value
		if math.type(number) ~= 'integer' or number < 1 then
			refuse('is a whole number or like %s, and not %s', shape, tostring(value))
		end
		return number
	end
end

--- Bytes, bytes a second, seconds: whole numbers above 0.
M.size = quantity(BYTES, '', "'64KiB'")
M.rate = quantity(BYTES, '/s', "'1MiB/s'")
M.duration = quantity(SECONDS, '', "'90s', '15m' or '1h'")

local BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

--- Whether this is the text of a key.
function M.is_key(value)
	if type(value) ~= 'string' or #value ~= 52 or not text.starts(value, 'ed25519:')
		or not text.ends(value, '=') then
		return false
	end
	for i = 9, 50 do
		if not BASE64:find(value:sub(i, i), 1, true) then
			return false
		end
	end
	return ('AEIMQUYcgkosw048'):find(value:sub(51, 51), 1, true) ~= nil
end

local WHOLE_RING = 'is a whole keyring: name one of its devices or tags, or everybody: .all'

-- Of a keyring and of plain Lua's; every other table says which keys are in it.
local function check_set(value, refuse)
	local whole, bad = false, nil
	for key, is in pairs(value) do
		whole = whole or key == 'all'
		if not M.is_key(key) or is ~= true then
			bad = tostring(key)
		end
	end
	if whole then
		refuse(WHOLE_RING)
	elseif bad then
		refuse('is a set of keys, of which [key] is true, and %s is no key in it', bad)
	end
end

--- A set of keys or a key: a table or keyring of which [key] is true.
function M.keys(value, refuse)
	if M.is_key(value) then
		return { [value] = true }
	elseif type(value) == 'string' and text.starts(value, 'ed25519:') then
		refuse('is no key: ed25519: and 44 characters')
	elseif type(value) ~= 'table' and type(value) ~= 'userdata' then
		refuse('is a set of keys, as of a keyring, or a key, and not %s', tostring(value))
	elseif type(value) == 'table' then
		check_set(value, refuse)
	elseif value.all ~= nil then
		refuse(WHOLE_RING)
	end
	return value
end

-- --- databases ----------------------------------------------------------------------------------

--- A name with * and ?, an id, or a list of these: fn(name, id) tells whether one of them is meant. And
--- whether there is a name among them.
function M.databases(value, refuse)
	local ids, names, glob = {}, {}, text.glob
	for _, pattern in ipairs(M.list(value, refuse)) do
		if type(pattern) ~= 'string' then
			refuse('is a name with * and ?, an id, or a list of these, and not a %s', type(pattern))
		elseif text.starts(pattern, 'sha256:') or text.starts(pattern, 'blake3:') then
			ids[pattern] = true
		else
			names[#names + 1] = pattern
		end
	end
	if #names == 0 and next(ids) == nil then
		refuse('names no database')
	end
	if #names == 1 and next(ids) == nil then -- mostly
		local pattern = names[1]
		return function(name)
			return name ~= nil and glob(pattern, name)
		end, true
	end
	return function(name, id)
		for i = 1, name and #names or 0 do
			if glob(names[i], name) then
				return true
			end
		end
		return ids[id] == true
	end, #names > 0
end

return M
