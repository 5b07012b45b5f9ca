-- require 'tidelock': everything together. Each part is a module of its own as well.
local core = require 'tidelock.core'
local crypto = require 'tidelock.crypto'
local doc = require 'tidelock.doc'
local loop = require 'tidelock.loop'
local misuse = require 'tidelock.misuse'
local node = require 'tidelock.node'
local node_methods = core.methods 'tidelock.node'
local stores = require 'tidelock.stores'
local task = require 'tidelock.task'
local unsupported = require 'tidelock.unsupported'
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
	loop = loop,
	run = loop.run,
	json = require 'tidelock.json',
	log = require 'tidelock.log',
	crypto = crypto,
	entry = require 'tidelock.entry',
	doc = doc,
	store = require 'tidelock.store',
	transport = require 'tidelock.transport',
	version = core.version,
	--- Keys and ids are texts; these give them back in their one form, or nil, error.
	key = { parse = crypto.parse_key },
	id = { parse = crypto.parse_id },
	--- Addresses are texts in their one-line form; each of these is strict and returns nil, error.
	address = {
		parse = node_methods.sync_address_parse,
		http = node_methods.sync_address_http,
		https = node_methods.sync_address_https,
		iroh = node_methods.sync_address_iroh,
	},
	--- Options of sync:enable_iroh_transport_with_config, which looks at them.
	iroh_transport = function(options)
		if options ~= nil and type(options) ~= 'table' then
			misuse.argument(1, ('table expected, got %s'):format(type(options)))
		end
		local config = {}
		for name, value in pairs(options or {}) do
			config[name] = value
		end
		return config
	end,
	sim = {
		new = function()
			return unsupported('tl.sim', 'open several nodes in one process instead')
		end,
	},
}

-- Servers of nodes run on the nodes' own threads.
function task.outside()
	for _, opened in ipairs(node.open_nodes()) do
		if opened:sync_is_server_running() then
			return true
		end
	end
	return false
end

return tl
