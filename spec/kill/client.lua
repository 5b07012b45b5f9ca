-- Fetches a database and ends once both sides hold the same: client.lua DATA ADDRESS DATABASE [v0 | iroh]
-- With `v0` it meets the peer as one of version 0.2.0.
local tl = require 'tidelock'

local data, address, id, how = table.unpack(arg)
local node <close> = assert(tl.open { path = data })
local sync = node:sync()
if how == 'iroh' then
	assert(sync:enable_iroh_transport {
		relay_mode = 'disabled', lookup = 'none', bind = '127.0.0.1:0',
		plugin = os.getenv 'TIDELOCK_IROH',
	})
else
	assert(sync:enable_http_transport())
end
print 'ready'
io.stdout:flush()
local peer
if how == 'v0' then
	local between = dofile(arg[0]:gsub('client.lua$', 'relay.lua'))(address)
	peer = assert(sync:connect_to_peer(between))
	assert(sync:get_peer_info(peer).protocol == 'v0', 'the peer was met in v1')
	assert(sync:add_peer_address(peer, address))
	assert(sync:remove_peer_address(peer, between))
	assert(sync:add_tree_sync(peer, id))
else
	peer = assert(sync:sync_with_peer(address, id))
end
assert(sync:wait_until_synced(peer, id, '60s'))
print 'synced'
