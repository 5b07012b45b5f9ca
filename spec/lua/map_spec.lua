-- What the pages say of the sources is there: files, functions of the walks, a README in each folder.
local function read(path)
	local file <close> = assert(io.open(path))
	return file:read 'a'
end

local function exists(path)
	local file <close> = io.open(path)
	return file ~= nil
end

local function list(command)
	local pipe <close> = assert(io.popen(command))
	local found = {}
	for line in pipe:lines() do
		found[#found + 1] = line
	end
	assert(#found > 0, command)
	return found
end

local function folder_of(path)
	return path:match '^(.*)/[^/]*$' or '.'
end

-- A path in a page is told from the page's folder, from one above it, from the top or from runtime/;
-- a header as it is included.
local function find(page, path)
	local folder = folder_of(page)
	local from = { '.', 'runtime', 'runtime/include', 'runtime/include/tidelock', 'bindings/lua/include',
		'spec' }
	while folder do
		table.insert(from, 1, folder)
		folder = folder:match '^(.*)/'
	end
	for _, where in ipairs(from) do
		if exists(where .. '/' .. path) then
			return where .. '/' .. path
		end
	end
end

-- The path that a word of a page is, or nil: files of code, pages, folders. Capitals stand for any name,
-- what begins with share/ lies in an installation.
local function path_of(word)
	local known = word:match '%.[ch]$' or word:match '%.lua$' or word:match '%.md$' or word:match '/$'
	local any = word:gsub('README', ''):match '%u%u'
	return known and not any and not word:match '^share/' and word:match '^%w[%w_./-]+$'
end

-- A file that a page has its reader write: `NAME`: and its text.
local function is_of_reader(page, path)
	return ('\n' .. read(page)):find('\n`' .. path .. '`:\n', 1, true)
end

local function defines(path, name)
	local text = '\n' .. read(path)
	local plain = name:gsub('%p', '%%%0')
	if path:match '%.lua$' then
		return text:find('\nfunction ' .. plain .. '%(') or text:find('\nlocal function ' .. plain .. '%(')
	end
	return text:find('\nTL__PUBLIC[%u_]*%(' .. plain .. ',')
		or text:find('\n%l[^\n;{}()]*%f[%w_]' .. plain .. '%([^;{}]*%)%s*{')
end

describe('the map', function()
	local folders = 'find runtime bindings lua spec examples '

	it('has a page for every folder of code', function()
		local missing = {}
		for _, path in ipairs(list(folders .. "-name '*.c' -o -name '*.lua'")) do
			local folder = folder_of(path)
			if folder:match '^runtime' or folder:match '^bindings' or folder:match '^lua' then
				missing[folder] = not exists(folder .. '/README.md') or nil
			end
		end
		assert.are.same({}, missing)
	end)

	it('names files that are there', function()
		local wrong = {}
		for _, page in ipairs(list(folders .. "README.md -name '*.md'")) do
			for quoted in read(page):gmatch '`([^`\n]+)`' do
				for word in quoted:gmatch '[^%s,]+' do
					local path = path_of(word)
					if path and not find(page, path) and not is_of_reader(page, path) then
						wrong[#wrong + 1] = page .. ': ' .. path
					end
				end
			end
		end
		assert.are.same({}, wrong)
	end)

	it('walks through functions that are there', function()
		local walks, wrong = {}, {}
		for line in read 'runtime/README.md':gmatch '[^\n]+' do
			if line:match '^## ' then
				walks[#walks + 1] = 0
			elseif line:match '^%d+%. ' then
				local path, name = line:match '^%d+%. [^`]+ · `([%w_/.]+): ([%w_.:]+)`'
				local found = path and find('runtime/README.md', path)
				walks[#walks] = walks[#walks] + 1
				if not found or not defines(found, name) then
					wrong[#wrong + 1] = line
				end
			end
		end
		assert.are.same({}, wrong)
		assert.are.equal(2, #walks)
		assert.is_true(walks[1] > 10 and walks[2] > 10)
	end)

	it('installs the texts that headers speak of', function()
		local formats, missing = {}, {}
		for name in read 'Makefile':match '\nFORMATS%s*:=%s*([^\n]+)':gmatch '%S+' do
			formats[name:match '[^/]+$'] = exists('runtime/' .. name .. '/README.md')
		end
		for _, header in ipairs(list "find runtime/include bindings/lua/include -name '*.h'") do
			for name in read(header):gmatch 'doc/tidelock/(%w+)%.md' do
				missing[name] = not formats[name] or nil
			end
		end
		assert.are.same({}, missing)
	end)

	it('keeps banners of sections on their line', function()
		local broken = {}
		for _, path in ipairs(list(folders .. "-name '*.[ch]'")) do
			for line in read(path):gmatch '[^\n]+' do
				if line:match '^%s*/%* %-%-%-' and not line:match '%-%-%- %*/$' then
					broken[#broken + 1] = path .. ': ' .. line
				end
			end
		end
		assert.are.same({}, broken)
	end)
end)
