-- Serves what it holds: server.lua DATA LISTEN
local tl = require 'tidelock'

local node = assert(tl.open { path = arg[1] })
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server(arg[2]))
print('ready ' .. sync:get_server_address())
io.stdout:flush()
