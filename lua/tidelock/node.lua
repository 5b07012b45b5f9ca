-- Opening and closing nodes.
local core = require 'tidelock.core'
local log_sink = require 'tidelock.log_sink'
local misuse = require 'tidelock.misuse'
local pump = require 'tidelock.pump'
local task = require 'tidelock.task'
local uv = require 'luv'
local Sync = require 'tidelock.sync'
require 'tidelock.events'
require 'tidelock.hooks'

local node = core.methods 'tidelock.node'
local open = node.open_node
node.open_node = nil

local M = {}
local syncs = setmetatable({}, { __mode = 'k' }) -- node -> its sync object

-- Nodes that are open, by number. Values and not keys: what is being finalised is no longer a weak
-- table's value, but still its key.
local open_nodes, last_number = setmetatable({}, { __mode = 'v' }), 0

local MEMORY = setmetatable({}, { __name = 'tidelock.memory', __tostring = function()
	return 'tidelock.memory'
end })

--- A backend that keeps everything in memory: tl.open { backend = tl.memory() }.
function M.memory()
	return MEMORY
end

local PAUSE = 0.02 -- seconds between two attempts

-- Opens; while another process has the directory open, again for up to `wait` milliseconds, where
-- waiting is possible.
local function open_waiting(given, wait)
	local deadline = uv.hrtime() + wait * 1e6
	local opened, err = open(given)
	while not opened and err.code == 'store_locked' and uv.hrtime() < deadline and task.may_wait() do
		task.sleep(PAUSE)
		opened, err = open(given)
	end
	return opened, err
end

--- How long `tl.open` waits unless it is told (milliseconds).
M.wait = 0

local function copy_of(options)
	local copy = {}
	for name, value in pairs(options) do
		copy[name] = value
	end
	return copy
end

--- Opens a node; options as in tidelock/node.h, and `wait`.
function M.open(options)
	if type(options) ~= 'table' then
		misuse.argument(1, "a table expected, for example tl.open { path = 'notes' }")
	end
	options = copy_of(options)
	if options.backend ~= nil then
		if options.backend ~= MEMORY then
			misuse.argument(1, 'a backend is tl.memory(); for files give a path')
		end
		options.backend, options.memory = nil, true
	end
	local wait = options.wait and core.duration(options.wait) or M.wait
	options.wait = nil
	local opened, err = open_waiting(options, wait)
	if not opened and err.code == 'already_open' then
		-- Handles of an earlier node that nobody can reach any more keep its store open.
		collectgarbage()
		collectgarbage()
		opened, err = open_waiting(options, wait)
	end
	if opened then
		last_number = last_number + 1
		open_nodes[last_number] = opened
	end
	return opened, err
end

--- The nodes of this state that are open now, as an array of the caller's own.
function M.open_nodes()
	local nodes = {}
	for _, opened in pairs(open_nodes) do
		nodes[#nodes + 1] = opened
	end
	return nodes
end

local function forget(closed)
	for number, opened in pairs(open_nodes) do
		if rawequal(opened, closed) then
			open_nodes[number] = nil
		end
	end
end

local close_node = node.close

--- Flushes for up to 5 s (or the time given) and closes. Closing twice is fine.
function node:close(flush)
	local wake = pump.close(self)
	forget(self)
	close_node(self, flush)
	-- Databases and stores that nobody can reach any more would keep the directory in use.
	collectgarbage()
	wake()
	log_sink.deliver()
end

-- A node that leaves its scope closes the same way.
local node_type = debug.getregistry()['tidelock.node']
function node_type.__close(self)
	return self:close()
end

--- The node's synchronisation. Always the same object.
function node:sync()
	if not syncs[self] then
		syncs[self] = setmetatable({ node = self }, Sync)
	end
	return syncs[self]
end

--- Sync is on unless the node was opened with sync = false; there for the guide's sake.
function node:with_sync()
	return self
end

return M
