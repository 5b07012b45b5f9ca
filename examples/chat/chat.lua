-- A chat: a hub that is dialled, and whoever only dials (behind NAT, on a phone).
--
--   tidelock run chat.lua hub LISTEN               prints the address and the database for the others
--   tidelock run chat.lua NAME ADDRESS DATABASE    what is typed goes to everybody
--
-- A line is one member of a document. Nobody asks the hub from time to time: it tells.
local tl = require 'tidelock'
local uv = tl.loop

local name, address, id = assert(arg[1], 'who are you?'), assert(arg[2], 'the address is missing'), arg[3]
local node <close> = assert(tl.open { backend = tl.memory(), name = name })
local sync = node:sync()
assert(sync:enable_http_transport())

if not id then
	assert(sync:start_server(address))
	local db = assert(node:new_database({ name = 'chat' }, '_device_key'))
	assert(db:set_default_auth_key '_device_key')
	assert(db:transact(function(tx) assert(tx:settings():set_global 'write:10') end)) -- anybody may write
	print(sync:get_server_address(), db:root_id())
	io.stdout:flush()
	tl.sleep '365d'
end

assert(sync:sync_with_peer(address, id))
local db = assert(node:load_database(id))
assert(db:set_default_auth_key '_device_key')

local shown = {}
local function show()
	for key, text in db:get_store 'lines':each() do
		if not shown[key] then print(text) end
		shown[key] = true
	end
	io.stdout:flush()
end

tl.task(function()
	for _ in node:events { 'entries_received' } do show() end
end)

local function say(line)
	local seconds, micro = uv.gettimeofday()
	local key = ('%d%06d %s'):format(seconds, micro, name)
	shown[key] = true
	assert(db:transact(function(tx) assert(tx:doc 'lines':set({ key }, name .. ': ' .. line)) end))
end

show()
print 'you are in'
io.stdout:flush()
local typed = uv.guess_handle(0) == 'tty' and uv.new_tty(0, true) or uv.new_pipe()
if uv.guess_handle(0) ~= 'tty' then assert(typed:open(0)) end
local rest, over = '', false
typed:read_start(function(_, piece)
	rest, over = rest .. (piece or ''), not piece
	rest = rest:gsub('([^\n]*)\n', function(line) tl.task(function() say(line) end) return '' end)
end)
while not over do tl.sleep '50ms' end
