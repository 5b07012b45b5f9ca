-- The other side of quick-start.lua: takes databases from the keys it is given and prints what it
-- got.
--
--   tidelock run quick-start-peer.lua DATA KEY…
local tl = require 'tidelock'

local node <close> = assert(tl.open {
	path = arg[1],
	accept_databases_from = table.move(arg, 2, #arg, 1, {}),
})
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server '127.0.0.1:0')
print('address ' .. sync:get_server_address())
io.stdout:flush()

for event in node:events { 'entries_received' } do
	local db = assert(node:load_database(assert(event.db)))
	local message = assert(db:get_store('data', tl.DocStore)):get_option 'message'
	if message then
		print('received ' .. message)
		break
	end
end
