-- Brings a node's operations and events onto this state's loop: one descriptor a node, watched
-- while somebody waits.
--
-- Whatever takes an event from the node gives it to every reader, in the order of their coming.
-- Waking and telling run foreign code, which may wait again, read, stop reading or close the node:
-- it never sees a table that is being walked.
local core = require 'tidelock.core'
local handles = require 'tidelock.handles'
local task = require 'tidelock.task'
local uv = require 'luv'

local node_methods = core.methods 'tidelock.node'
local take, descriptor = node_methods.next_event, node_methods.fd

local Pump = {}
Pump.__index = Pump

local pumps = setmetatable({}, { __mode = 'k' }) -- node -> pump
local TURN = 1000 -- events; then the loop gets its turn
local ALL = 10001 -- a node keeps no more events, the one of overflow included

-- Whether a host has closed it. In a forked child it is not closed, and the loop is the parent's too.
local function has_closed(node)
	local fd, err = descriptor(node)
	return not fd and err.code == 'closed'
end

-- nil and the error once a host has closed the node.
local function pump_of(node)
	local pump = pumps[node]
	local fd, err = descriptor(node) -- from here on events are kept
	if not fd then
		if pump and has_closed(node) then
			pump:end_readers()
		end
		return nil, err
	elseif not pump then
		pump = setmetatable({ node = node, bell = core.bell(), ops = {}, readers = {} }, Pump)
		pumps[node] = pump
	end
	return pump
end

-- --- events ------------------------------------------------------------------------------------

-- The array of readers is never changed, only replaced: who walks it is not disturbed.
local function without(readers, reader)
	local others = {}
	for _, other in ipairs(readers) do
		if other ~= reader then
			others[#others + 1] = other
		end
	end
	return others
end

function Pump:leave(reader)
	self.readers = without(self.readers, reader)
	self:settle()
end

-- Every reader has an event before any of them hears of it: whoever hears may close the node.
function Pump:drain(most)
	for _ = 1, most do
		local event = self.node and take(self.node)
		if not event then
			return
		end
		local readers = self.readers
		for _, reader in ipairs(readers) do
			reader:put(event)
		end
		for _, reader in ipairs(readers) do
			reader:notify()
		end
	end
end

-- Of a node that a host has closed.
function Pump:end_readers()
	local readers = self.readers
	self.readers = {}
	for _, reader in ipairs(readers) do
		reader:close()
	end
	self:settle()
end

-- --- operations --------------------------------------------------------------------------------

function Pump:wake_done()
	local done = {}
	for op, wake in pairs(self.ops) do
		if op:done() then
			done[#done + 1] = wake
		end
	end
	task.wake_all(done)
end

-- --- the loop ----------------------------------------------------------------------------------

local function any_active(readers)
	for _, reader in ipairs(readers) do
		if reader.active then
			return true
		end
	end
end

local function stop(poll)
	if poll then
		handles.unwatch(poll)
	end
end

local function watch(fd, heard)
	local poll = uv.new_poll(fd)
	poll:start('r', handles.callback(heard))
	return poll
end

function Pump:stop()
	local poll = self.poll
	self.poll = nil
	stop(poll)
end

function Pump:dispatch()
	if not self.node then
		self:settle() -- what closed the node had no memory left for this
	elseif self.poll then
		self.node:dispatch()
		self:drain(TURN)
		if self.node and has_closed(self.node) then
			self:stop() -- a host closed it; the bell still rings for what was begun
			self:end_readers()
		end
	end
end

-- The descriptors are watched while somebody waits, and keep the loop alive only then. The node's says
-- that there is something to dispatch, ours that somebody did: another thread of a host may be quicker.
function Pump:settle()
	if self.node and (next(self.ops) or any_active(self.readers)) then
		local fd = not self.poll and descriptor(self.node)
		self.poll = self.poll or fd and watch(fd, function() self:dispatch() end)
		self.rung = self.rung or watch(self.bell:fd(), function()
			self.bell:still()
			self:wake_done()
		end)
	else
		local rung = self.rung
		self.rung = nil
		self:stop()
		stop(rung)
	end
end

-- Returns a function that wakes whoever still waits, for after the node has closed.
function Pump:close()
	local waiting = {}
	self:drain(ALL)
	for _, wake in pairs(self.ops) do
		waiting[#waiting + 1] = wake
	end
	for _, reader in ipairs(self.readers) do
		waiting[#waiting + 1] = function() reader:close() end
	end
	self.ops, self.readers, self.node = {}, {}, nil
	self:settle()
	return function()
		task.wake_all(waiting)
	end
end

local M = {}

-- An operation that is given up has no one to tell.
local function give_up(op)
	if not op:done() then
		op:cancel()
	end
	op:close()
end

--- Starts an operation with start(node, ...) and waits for it: its text, or nil and the error.
function M.wait(what, node, start, ...)
	task.check_waiting(what)
	local op, err = start(node, ...)
	if not op then
		return nil, err
	end
	local _ <close> = setmetatable({}, { __close = function() give_up(op) end })
	local pump
	pump, err = pump_of(node)
	if not pump then
		return nil, err
	end
	op:rings(pump.bell)
	task.wait(what, function(wake)
		pump.ops[op] = wake
		pump:settle()
		if op:done() then
			wake()
		end
	end, function()
		pump.ops[op] = nil
		pump:settle()
	end)
	return op:result()
end

--- Gives each event from now on to a reader of tidelock.reader, which keeps the loop alive when it is
--- active; returns a function that ends it, or nil and the error of a node that is closed.
function M.read(node, reader)
	local pump, err = pump_of(node)
	if not pump then
		return nil, err
	end
	local readers = without(pump.readers, reader)
	readers[#readers + 1] = reader
	pump.readers = readers
	pump:settle()
	return function()
		reader:close()
		pump:leave(reader)
	end
end

--- Whether a reader keeps the loop alive from now on. Nothing after the node has closed.
function M.activate(node, reader, active)
	local pump = pumps[node]
	reader.active = active
	if pump then
		pump:settle()
	end
end

--- Gives what has happened until now to every reader.
function M.catch_up(node)
	local pump = pump_of(node)
	if pump then
		pump:drain(ALL)
	end
end

--- Call before the node closes; call what it returns afterwards.
function M.close(node)
	local pump = pumps[node]
	local wake = pump and pump:close() or function() end
	pumps[node] = nil
	return wake
end

return M
