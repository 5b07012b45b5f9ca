-- require 'tidelock': everything together. Each part is a module of its own as well.
local core = require 'tidelock.core'
local handles = require 'tidelock.handles'
local doc = require 'tidelock.doc'
local node = require 'tidelock.node'
local node_methods = core.methods 'tidelock.node'
local stores = require 'tidelock.stores'
local task = require 'tidelock.task'
require 'tidelock.error'

local tl = {
	open = node.open,
	memory = node.memory,
	null = doc.null,
	deleted = doc.deleted,
	list = doc.list,
	DocStore = stores.DocStore,
	Table = stores.Table,
	SettingsStore = stores.SettingsStore,
	sleep = task.sleep,
	task = task.start,
	loop = require 'luv',
	json = require 'tidelock.json',
	log = require 'tidelock.log',
	crypto = require 'tidelock.crypto',
	entry = require 'tidelock.entry',
	doc = doc,
	store = require 'tidelock.store',
	version = core.version,
	--- Addresses are texts in their one-line form; each of these is strict and returns nil, error.
	address = {
		parse = node_methods.sync_address_parse,
		http = node_methods.sync_address_http,
		https = node_methods.sync_address_https,
	},
}

local function serving()
	for opened in pairs(node.open_nodes()) do
		if opened:sync_is_server_running() then
			return true
		end
	end
	return false
end

--- Runs the loop until no task, handle or server is left. What `tidelock run` does after a script.
function tl.run()
	local pulse
	while not task.stopped do
		-- Servers run on the node's own thread: a slow timer keeps this loop alive for them.
		if serving() and not pulse then
			pulse = tl.loop.new_timer()
			pulse:start(200, 200, function()
				if not serving() then
					handles.close(pulse)
					pulse = nil
				end
			end)
		end
		tl.loop.run()
		if not serving() then
			break
		end
	end
end

return tl
