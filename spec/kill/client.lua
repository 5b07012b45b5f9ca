-- Fetches a database and ends once both sides hold the same: client.lua DATA ADDRESS DATABASE
local tl = require 'tidelock'

local node <close> = assert(tl.open { path = arg[1] })
local sync = node:sync()
assert(sync:enable_http_transport())
print 'ready'
io.stdout:flush()
local peer = assert(sync:sync_with_peer(arg[2], arg[3]))
assert(sync:wait_until_synced(peer, arg[3], '60s'))
print 'synced'
