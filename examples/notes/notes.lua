-- Keeps a folder of text files in step with its peers: one row of a Table for each file.
--
--   tidelock run notes.lua FOLDER DATA NAME LISTEN host PEER_KEY [POLICY RULES]
--   tidelock run notes.lua FOLDER DATA NAME LISTEN join ADDRESS DATABASE
--
-- LISTEN is ip:port, or iroh. POLICY says who of those that may read or write comes, RULES with whom the host
-- keeps the folder in step by itself: files of scripts.
--
-- A row is { text =, base = }: no text once the file was deleted; base is the hash of the text that
-- the change was made to. A peer whose change was overwritten by one with another base keeps its text
-- as "name (conflict PEER).md".
local tl = require 'tidelock'

local function given(at)
	return (assert(arg[at], 'an argument is missing: see above'))
end

local folder, data, name, listen, role, peer = given(1), given(2), given(3), given(4), given(5), given(6)
local options = role == 'host' and { policy = arg[7], rules = arg[8] } or {}
options.path, options.name = data, name
local node <close> = assert(tl.open(options))
local sync = node:sync()
if listen == 'iroh' then
	-- Two peers on one machine: with no options at all they find each other anywhere.
	assert(sync:enable_iroh_transport { relay_mode = 'disabled', bind = '127.0.0.1:0' })
	assert(sync:start_server('', { transport = 'iroh' }))
else
	assert(sync:enable_http_transport())
	assert(sync:start_server(listen))
end

if role == 'join' then assert(sync:sync_with_peer(peer, given(7))) end
local db = node:find_database 'notes' or assert(node:new_database({ name = 'notes' }, '_device_key'))
assert(db:set_default_auth_key '_device_key')
if role == 'host' then
	assert(db:transact(function(tx)
		assert(tx:settings()):set_auth_key(peer, 'write:10')
		assert(tx:settings()):set_global 'read' -- anybody who is let in
	end))
	sync:register_peer(peer) -- fails when it is one already: fine
	if not options.rules then assert(sync:add_tree_sync(peer, db:root_id())) end
end

local function hash(text)
	return text and tl.crypto.id_of(text)
end

local function read(path)
	local file <close> = io.open(path, 'rb')
	return file and file:read 'a'
end

local function write(path, text) -- in one step: nobody sees half a file
	local file = assert(io.open(path .. '~', 'wb'))
	assert(assert(file:write(text)):close())
	assert(os.rename(path .. '~', path))
end

-- What this folder and the table last agreed on, by file: { hash =, mine = }.
local seen = tl.json.decode(read(data .. '/notes.json') or '{}')

-- Another peer changed the row: `text` is what the file here holds.
local function take(file, row, text, last)
	local lost = text and (hash(text) ~= last.hash or last.mine and row.base ~= last.hash)
	if lost and text ~= row.text then
		write(('%s/%s (conflict %s).md'):format(folder, file:sub(1, -4), name), text)
	end
	if row.text then write(folder .. '/' .. file, row.text) else os.remove(folder .. '/' .. file) end
	seen[file] = { hash = hash(row.text) }
end

local function give(file, text, last)
	local row = { text = text, base = last.hash }
	assert(db:transact(function(tx) assert(tx:table 'files'):set(file, row) end))
	seen[file] = { hash = hash(text), mine = true }
end

local function scan()
	local rows, files = {}, {}
	for file, row in assert(db:get_store('files', tl.Table)):each() do rows[file], files[file] = row, true end
	for file in tl.loop.fs_scandir_next, assert(tl.loop.fs_scandir(folder)) do files[file] = true end
	for file in pairs(files) do
		if file:find '^[^/\0]+%.md$' then -- a peer may write anything: nothing outside of the folder
			local text, row, last = read(folder .. '/' .. file), rows[file] or {}, seen[file] or {}
			if hash(row.text) ~= last.hash then
				take(file, row, text, last)
			elseif hash(text) ~= last.hash then
				give(file, text, last)
			end
		end
	end
	write(data .. '/notes.json', tl.json.encode(seen))
end

local soon = tl.loop.new_timer() -- changes come in bursts: look once, a moment later
local function scan_soon() soon:start(20, 0, scan) end
tl.loop.new_fs_event():start(folder, {}, scan_soon)
node:on('entries_received', scan_soon)
scan()
print('address ' .. sync:get_server_address() .. '\ndatabase ' .. db:root_id() .. '\nready')
io.stdout:flush()
tl.run()
