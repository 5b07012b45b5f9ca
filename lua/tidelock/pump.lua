-- Brings a node's operations and events onto this state's loop: one descriptor a node, watched
-- while somebody waits.
local handles = require 'tidelock.handles'
local task = require 'tidelock.task'
local uv = require 'luv'

local Pump = {}
Pump.__index = Pump

local pumps = setmetatable({}, { __mode = 'k' }) -- node -> pump

function Pump:deliver()
	self.node:dispatch()
	for op, wake in pairs(self.ops) do
		if op:done() then
			self.ops[op] = nil
			wake()
		end
	end
	local event = self.node:next_event()
	while event do
		for _, listener in pairs(self.listeners) do
			listener(event)
		end
		event = self.node and self.node:next_event()
	end
	self:settle()
end

-- The descriptor is watched while somebody waits, and keeps the loop alive only then.
function Pump:settle()
	local wanted = next(self.ops) or next(self.listeners)
	if wanted and not self.poll then
		self.poll = uv.new_poll(self.node:fd())
		self.poll:start('r', function()
			if self.poll then
				self:deliver()
			end
		end)
	elseif not wanted and self.poll then
		self.poll:stop()
		handles.close(self.poll)
		self.poll = nil
	end
end

function Pump:close()
	self.ops, self.listeners = {}, {}
	if self.poll then
		self.poll:stop()
		handles.close(self.poll)
		self.poll = nil
	end
end

local M = {}

local function pump_of(node)
	local pump = pumps[node]
	if not pump then
		pump = setmetatable({ node = node, ops = {}, listeners = {} }, Pump)
		pumps[node] = pump
	end
	return pump
end

--- Waits for an operation: its text, or nil and the error. Closes it.
function M.wait(node, op, what)
	local pump = pump_of(node)
	if not op:done() then
		task.wait(what, function(wake)
			pump.ops[op] = wake
			pump:settle()
			if op:done() then
				pump.ops[op] = nil
				pump:settle()
				wake()
			end
		end)
	end
	local text, err = op:result()
	op:close()
	return text, err
end

--- Calls fn(event) for every event from now on; returns a function that ends it.
function M.listen(node, fn)
	local pump, key = pump_of(node), {}
	node:fd() -- from here on events are kept
	pump.listeners[key] = fn
	pump:settle()
	return function()
		if pump.listeners[key] then
			pump.listeners[key] = nil
			pump:settle()
		end
	end
end

function M.close(node)
	if pumps[node] then
		pumps[node]:close()
		pumps[node] = nil
	end
end

return M
