-- The guide's quick start: one database, one commit, one peer that takes it.
--
--   tidelock run quick-start.lua DATA PEER_ADDRESS
--
-- The peer lists our key in accept_databases_from (see quick-start-peer.lua), so it takes a database
-- that it does not know.
local tl = require 'tidelock'

local node <close> = assert(tl.open { path = arg[1] })
local key = node:get_public_key 'device_key' or assert(node:add_private_key 'device_key')
print('key ' .. key .. ' device ' .. node:device_key())
local sync = node:sync()
assert(sync:enable_http_transport())
assert(sync:start_server '127.0.0.1:0')

local address = assert(tl.address.parse(assert(arg[2], 'the address of the peer is missing')))
local peer = assert(sync:connect_to_peer(address))
assert(sync:update_peer_status(peer, 'active'))
local db = node:find_database 'notes' or assert(node:new_database({ name = 'notes' }, 'device_key'))
assert(db:set_default_auth_key 'device_key')
assert(sync:add_tree_sync(peer, db:root_id()))

local tx <close> = assert(db:new_transaction())
assert(tx:get_store('data', tl.DocStore)):set_string('message', 'Hello, distributed world!')
print('committed ' .. assert(tx:commit()))
assert(sync:flush '5s')
print('synced ' .. db:root_id())
