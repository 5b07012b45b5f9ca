-- A node over Iroh, led by JSON lines on its standard input; each answer is a line, and so is what happens
-- meanwhile. Run by `tidelock run`. {"do": name, …} of `commands` below answers {name: …} or
-- {"failed": {code, message}}. The end of its input ends it.
local tl = require 'tidelock'
local uv = tl.loop
local node, sync, db

local function say(name, what)
	io.stdout:write(tl.json.encode { [name] = what }, '\n')
	io.stdout:flush()
end

local function watch_events()
	node:on('peer_path', function(event) say('path', { peer = event.peer, text = event.text }) end)
	node:on('entries_received', function()
		local copy = node:find_database 'notes'
		if copy then say('seen', copy:get_store 'data':get 'n' or 0) end
	end)
end

local commands = {}

--- { iroh = options of the transport, serve = true }
function commands.open(ask)
	node = assert(tl.open { backend = tl.memory(), name = ask.name, accept_databases_from = ask.accept })
	sync = node:sync()
	assert(sync:enable_iroh_transport(ask.iroh))
	if ask.serve then assert(sync:start_server('', { transport = 'iroh' })) end
	watch_events()
	return node:device_key()
end

--- A database that the key `writer` may write to.
function commands.create(ask)
	db = assert(node:new_database({ name = 'notes' }, '_device_key'))
	assert(db:set_default_auth_key '_device_key')
	commands.allow(ask)
	return db:root_id()
end

--- So may another one.
function commands.allow(ask)
	assert(db:transact(function(tx)
		assert(assert(tx:settings()):set_auth_key(ask.writer, 'write:10'))
	end))
	return ask.writer
end

--- Where it is served now.
function commands.address()
	return assert(sync:get_server_address())
end

function commands.connect(ask)
	return assert(sync:connect_to_peer(ask.address, { key = ask.key }))
end

--- Fetches a database, and goes on with it.
function commands.join(ask)
	local peer = assert(sync:sync_with_peer(ask.address, ask.db))
	db = assert(node:load_database(ask.db))
	assert(db:set_default_auth_key '_device_key')
	return peer
end

--- Commits; it goes to the peers by itself.
function commands.put(ask)
	assert(db:transact(function(tx) tx:doc 'data':set('n', ask.n) end))
	return ask.n
end

--- So many commits of so many bytes.
function commands.fill(ask)
	for i = 1, ask.count do
		assert(db:transact(function(tx) tx:doc 'data':set('fill', ('%d'):format(i % 10):rep(ask.bytes)) end))
	end
	return ask.count
end

function commands.status()
	return assert(sync:status()).connections
end

local function carry_out(ask)
	local ok, result = pcall(commands[ask['do']], ask)
	if ok then return say(ask['do'], result) end
	say('failed', type(result) == 'table' and { code = result.code, message = result.message }
		or { code = 'raised', message = tostring(result) })
end

local input, rest = uv.new_pipe(), ''
assert(input:open(0))
input:read_start(function(_, piece)
	if not piece then
		if node then node:close(0) end
		os.exit(0, false)
	end
	rest = rest .. piece
	for line in rest:gmatch '([^\n]*)\n' do
		tl.task(carry_out, assert(tl.json.decode(line)))
	end
	rest = rest:match '[^\n]*$'
end)
tl.run()
