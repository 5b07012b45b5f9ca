-- keyring 'file': which keys there are, by the names and tags that their owner gave them. For plain Lua;
-- cells have the same in C, with the keys outside of what a script may hold.
local nearest = require 'tidelock.script.nearest'

local MOST, MOST_NAMES = 100000, 110000
local KEY = '^ed25519:' .. ('[%w+/]'):rep(42) .. '[AEIMQUYcgkosw048]=$'

local function refuse(file, line, message)
	error(('%s:%d: %s'):format(file, line, message), 4)
end

-- sets: name or tag -> set of keys.
local function add_line(ring, file, number, words)
	local key = words[1]
	if not key:find(KEY) then
		refuse(file, number, 'a line begins with a key, ed25519: and 44 characters, and this is none')
	elseif ring.lines[key] then
		refuse(file, number, ('this key stands in line %d already'):format(ring.lines[key]))
	elseif #words == 1 then
		refuse(file, number, 'behind the key there is its name, then tags')
	elseif ring.count == MOST then
		refuse(file, number, 'a keyring has at most 100,000 keys')
	end
	ring.lines[key], ring.sets.all[key], ring.count = number, true, ring.count + 1
	for i = 2, #words do
		local word = words[i]
		if word == 'all' then
			refuse(file, number, "'all' is everybody and no name or tag")
		elseif #word > 64 then
			refuse(file, number, 'a name or tag has at most 64 bytes')
		end
		if not ring.sets[word] then
			if ring.names == MOST_NAMES then
				refuse(file, number, 'a keyring has at most 110,000 names and tags')
			end
			ring.sets[word], ring.names = {}, ring.names + 1
		end
		ring.sets[word][key] = true
	end
end

local function unknown(sets, tag)
	local near = nearest(tostring(tag), sets)
	error(('there is no device or tag called %s here%s'):format(tostring(tag),
		near and ('; did you mean %s?'):format(near) or ''), 2)
end

--- The keyring of a file; a path from where the program runs. Raises for a line that is none.
return function(file)
	local handle <close> = assert(io.open(file, 'rb'))
	local ring = { lines = {}, sets = { all = {} }, count = 0, names = 1 }
	local number = 0
	for line in handle:lines() do
		local words = {}
		number = number + 1
		for word in line:gsub('#.*', ''):gmatch '%S+' do
			words[#words + 1] = word
		end
		if #words > 0 then
			add_line(ring, file, number, words)
		end
	end
	return setmetatable(ring.sets, { __index = unknown })
end
