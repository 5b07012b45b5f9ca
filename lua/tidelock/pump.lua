-- Brings a node's operations and events onto this state's loop: one descriptor a node, watched
-- while somebody waits.
local handles = require 'tidelock.handles'
local task = require 'tidelock.task'
local told = require 'tidelock.told'
local uv = require 'luv'

local Pump = {}
Pump.__index = Pump

local pumps = setmetatable({}, { __mode = 'k' }) -- node -> pump

-- Waking and telling run foreign code, which may wait again, listen, stop listening or close the
-- node: it never sees a table that is being walked.
local function copy_of(set)
	local copy = {}
	for key, value in pairs(set) do
		copy[key] = value
	end
	return copy
end

local function tell(listener, event)
	local ok, err = xpcall(listener, told.traced, event)
	if not ok then
		task.report(err)
	end
end

function Pump:deliver()
	self.node:dispatch()
	for op, wake in pairs(copy_of(self.ops)) do
		if self.ops[op] and op:done() then
			self.ops[op] = nil
			wake()
		end
	end
	local event = self.node and self.node:next_event()
	while event do
		for key, listener in pairs(copy_of(self.listeners)) do
			if self.listeners[key] then
				tell(listener, event)
			end
		end
		event = self.node and self.node:next_event()
	end
	self:settle()
end

-- The descriptor is watched while somebody waits, and keeps the loop alive only then.
function Pump:settle()
	local wanted = next(self.ops) or next(self.listeners)
	if wanted and self.node and not self.poll then
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

-- Returns a function that wakes whoever still waits, for after the node has closed.
function Pump:close()
	local waiting = { self.ops, self.gone }
	self.ops, self.listeners, self.gone, self.node = {}, {}, {}, nil
	self:settle()
	return function()
		for _, calls in ipairs(waiting) do
			for _, wake in pairs(calls) do
				wake()
			end
		end
	end
end

local M = {}

local function pump_of(node)
	local pump = pumps[node]
	if not pump then
		pump = setmetatable({ node = node, ops = {}, listeners = {}, gone = {} }, Pump)
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

--- Calls fn(event) for every event from now on, and gone() when the node closes; returns a function
--- that ends it.
function M.listen(node, fn, gone)
	local pump, key = pump_of(node), {}
	node:fd() -- from here on events are kept
	pump.listeners[key], pump.gone[key] = fn, gone
	pump:settle()
	return function()
		if pump.listeners[key] then
			pump.listeners[key], pump.gone[key] = nil, nil
			pump:settle()
		end
	end
end

--- Call before the node closes; call what it returns afterwards.
function M.close(node)
	local pump = pumps[node]
	pumps[node] = nil
	return pump and pump:close() or function() end
end

return M
