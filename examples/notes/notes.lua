-- Keeps a folder of text files in step with its peers: one row of a Table for each file.
--
--   tidelock run notes.lua FOLDER DATA NAME LISTEN host PEER_KEY
--   tidelock run notes.lua FOLDER DATA NAME LISTEN join ADDRESS DATABASE
--
-- A row is { text =, by =, base = }: text is nil once the file was deleted, base is the hash of the
-- text that the change was made to. A peer whose change was overwritten by one with another base
-- keeps its text as "name (conflict PEER).md".
local tl = require 'tidelock'
local uv = tl.loop

local folder, data, name, listen, role, first, second = table.unpack(arg)
local node <close> = assert(tl.open { path = data, name = name })
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server(listen))
print('address ' .. assert(sync:get_server_address()))

local db = node:find_database 'notes'
if role == 'host' then
	db = db or assert(node:new_database({ name = 'notes' }, '_device_key'))
	assert(db:transact(function(tx)
		assert(tx:settings():set_auth_key(first, 'write:10'))
	end))
	sync:register_peer(first, 'guest') -- fails when it is one already: fine
	assert(sync:add_tree_sync(first, db:root_id()))
else
	assert(sync:sync_with_peer(first, second))
	db = assert(node:load_database(second))
end
assert(db:set_default_auth_key '_device_key')
print('database ' .. db:root_id())

local function hash(text)
	return text and tl.crypto.base64_encode(tl.crypto.sha256(text):sub(1, 12))
end

local function read(path)
	local file <close> = io.open(path, 'rb')
	return file and file:read 'a'
end

local function write(path, text) -- in one step: nobody sees half a file
	local file <close> = assert(io.open(path .. '~', 'wb'))
	assert(file:write(text))
	file:close()
	assert(os.rename(path .. '~', path))
end

-- What this folder and the table last agreed on, by file: { hash =, mine = }.
local seen = tl.json.decode(read(data .. '/notes.json') or '{}')

local function commit(file, text, base)
	assert(db:transact(function(tx)
		assert(tx:table 'files':set(file, { text = text, by = name, base = base }))
	end))
	seen[file] = { hash = hash(text), mine = true }
end

local function apply(file, row, text)
	local last = seen[file] or {}
	local lost = text and (hash(text) ~= last.hash or last.mine and row.base ~= last.hash)
	if lost and text ~= row.text then
		local copy = file:gsub('%.md$', '') .. (' (conflict %s).md'):format(name)
		write(folder .. '/' .. copy, text)
	end
	if row.text then write(folder .. '/' .. file, row.text) else os.remove(folder .. '/' .. file) end
	seen[file] = { hash = hash(row.text) }
end

local function scan()
	local rows, files = {}, {}
	for file, row in assert(db:get_store('files', tl.Table)):each() do rows[file] = row end
	for file in pairs(rows) do files[file] = true end
	for file in uv.fs_scandir_next, assert(uv.fs_scandir(folder)) do
		if file:find '%.md$' then files[file] = true end
	end
	for file in pairs(files) do
		local text, row, last = read(folder .. '/' .. file), rows[file] or {}, seen[file] or {}
		if hash(row.text) ~= last.hash then
			apply(file, row, text)
		elseif hash(text) ~= last.hash then
			commit(file, text, last.hash)
		end
	end
	write(data .. '/notes.json', tl.json.encode(seen))
end

local soon = uv.new_timer() -- changes come in bursts: look once, a moment later
local function scan_soon() soon:start(20, 0, scan) end
uv.new_fs_event():start(folder, {}, scan_soon)
node:on('entries_received', scan_soon)
scan()
print 'ready'
io.stdout:flush()
tl.run()
