-- Writes the given Lua files as C strings, named by their module: lua/tidelock/init.lua becomes
-- "tidelock.init". The compiler checks nothing in them, so each is compiled here once.
local out = { '#include "module/halves.h"\n\n' }
local names = {}

-- C compilers promise 4,095 characters a literal only, so bytes go out as numbers.
local function bytes(text)
	local numbers = {}
	for i = 1, #text do
		local byte = text:byte(i)
		numbers[i] = (byte < 128 and byte or byte - 256) .. (i % 24 == 0 and ',\n' or ',')
	end
	return table.concat(numbers)
end

for index, file in ipairs(arg) do
	local handle = assert(io.open(file, 'rb'))
	local text = handle:read 'a'
	handle:close()
	assert(load(text, '@' .. file, 't'))
	local module = file:gsub('^lua/', ''):gsub('%.lua$', ''):gsub('/', '.')
	names[index] = ('\t{"%s", half_%d, sizeof half_%d - 1},\n'):format(module, index, index)
	out[#out + 1] = ('static const char half_%d[] = {\n%s0};\n\n'):format(index, bytes(text))
end

out[#out + 1] = 'const struct tlua_half tlua_halves[] = {\n' .. table.concat(names)
	.. '\t{NULL, NULL, 0}};\n'
io.write(table.concat(out))
