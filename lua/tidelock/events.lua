-- The three ways to read a node's events: on, events and next_event. Each reader sees every event.
local core = require 'tidelock.core'
local misuse = require 'tidelock.misuse'
local pump = require 'tidelock.pump'
local Reader = require 'tidelock.reader'
local task = require 'tidelock.task'
local told = require 'tidelock.told'

local node = core.methods 'tidelock.node'
local descriptor = node.fd

local function set_of(kinds)
	if kinds ~= nil and type(kinds) ~= 'table' then
		misuse.argument(2, 'events takes a table of kinds')
	elseif not kinds or #kinds == 0 then
		return nil
	end
	local set = {}
	for _, kind in ipairs(kinds) do
		if not core.event_kinds[kind] then
			misuse.argument(2, ("there is no event '%s'"):format(tostring(kind)))
		end
		set[kind] = true
	end
	return set
end

--- Calls fn(event) for each event of this kind, from the loop; returns a function that ends it.
function node:on(kind, fn)
	if type(kind) ~= 'string' then
		misuse.argument(2, 'the kind of an event expected')
	end
	misuse.check_function(3, fn)
	local reader, telling
	reader = Reader.new(set_of { kind }, true, function()
		if telling then
			return -- it brought events itself, and gets them next
		end
		telling = true
		local event = not reader.left and reader:take()
		while event do
			local ok, err = task.protected(told.traced, fn, event)
			if not ok then
				task.report(err)
			end
			event = not reader.left and reader:take()
		end
		telling = false
	end)
	local stop, err = pump.read(self, reader)
	return stop and function()
		reader.left = true
		stop()
	end, err
end

-- The reader's next event, of those that have happened until now.
local function take(self, reader)
	local event = reader:take()
	if not event and not reader.closed then
		pump.catch_up(self)
		event = reader:take()
	end
	return event
end

--- for event in node:events { 'entries_received' } do: waits for each. Leaving the loop ends
--- it, and so does closing the node. The program is kept running only while somebody waits.
function node:events(kinds)
	local waiting = {}
	local reader = Reader.new(set_of(kinds), false, function()
		task.wake_all(waiting)
	end)
	local stop, err = pump.read(self, reader)
	if not stop then
		error(err, 0)
	end
	local function changed()
		pump.activate(self, reader, #waiting > 0)
	end
	local function next_event()
		task.check_waiting 'events'
		local event = take(self, reader)
		while not event and not reader.closed do
			task.wait_among('events', waiting, changed)
			event = reader:take()
		end
		return event
	end
	return next_event, nil, nil, setmetatable({}, { __close = stop })
end

-- node -> the reader of next_event, from its first call on
local takers = setmetatable({}, { __mode = 'k' })

local function taker_of(self)
	if not takers[self] then
		local taker = Reader.new()
		local stop, err = pump.read(self, taker)
		if not stop then
			return nil, err
		end
		takers[self] = taker
	end
	return takers[self]
end

--- The next event, or nil. Never waits.
function node:next_event()
	local taker, err = taker_of(self)
	if not taker then
		return nil, err
	end
	return take(self, taker)
end

--- Readable when dispatch or next_event has something to do.
function node:fd()
	taker_of(self)
	return descriptor(self)
end
