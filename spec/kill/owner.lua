-- Owns a database that nobody else may read, and takes requests for it: owner.lua DATA
local tl = require 'tidelock'

local node = assert(tl.open { path = arg[1] })
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server '127.0.0.1:0')
local db = node:find_database 'private' or assert(node:new_database({ name = 'private' }, '_device_key'))
print(('ready %s %s'):format(sync:get_server_address(), db:root_id()))
io.stdout:flush()
