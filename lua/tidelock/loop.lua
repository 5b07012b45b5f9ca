-- tidelock.loop: luv on this state's loop, and timers and tasks on top of it. Every function of luv
-- is here under its own name, but for `run`, which luv has under `luv.run`.
local core = require 'tidelock.core'
local handles = require 'tidelock.handles'
local misuse = require 'tidelock.misuse'
local task = require 'tidelock.task'
local uv = require 'luv'

local M = { task = task.start, sleep = task.sleep }

local Timer = {}
Timer.__index = Timer
Timer.__name = 'tidelock.timer'

function Timer:__tostring()
	return ('tidelock.timer (%s)'):format(self.handle and 'running' or 'stopped')
end

--- Ends it; what it has started goes on. Whether it was running.
function Timer:stop()
	misuse.check_self(self, Timer)
	local handle = self.handle
	if not handle then
		return false
	end
	self.handle = nil
	handle:stop()
	handles.close(handle)
	return true
end

Timer.__close = Timer.stop

local function new_timer(fn)
	misuse.check_function(2, fn)
	return setmetatable({ handle = uv.new_timer() }, Timer)
end

-- A stopped timer's handle may still come round once.
local function arm(timer, ms, tick)
	handles.arm(timer.handle, ms, function()
		if timer.handle then
			tick()
		end
	end)
end

--- Runs fn() as a task once, after this long or a little later -> timer. It keeps the loop alive until
--- then.
function M.after(duration, fn)
	local ms = core.duration(duration)
	local timer = new_timer(fn)
	arm(timer, ms, function()
		timer:stop()
		task.start_alone(fn)
	end)
	return timer
end

--- Runs fn() as a task again and again, at least this long apart -> timer. While one run is still
--- going none is begun. A run that fails is reported as a task's failure, and the timer goes on.
function M.every(duration, fn)
	local ms = core.duration(duration)
	if ms == 0 then
		misuse.argument(1, 'a period is at least a millisecond')
	end
	local timer, going = new_timer(fn), nil
	local function tick()
		arm(timer, ms, tick)
		if not going or going.over then
			going = task.start_alone(fn)
		end
	end
	arm(timer, ms, tick)
	return timer
end

local function pulse()
	local timer = uv.new_timer()
	timer:start(200, 200, handles.callback(function()
		if not task.outside() then
			timer:stop()
			handles.close(timer)
		end
	end))
	return timer
end

--- Runs the loop until no task, handle or server is left; run 'once' and run 'nowait' are luv's.
function M.run(mode)
	if mode ~= nil then
		if mode ~= 'default' and mode ~= 'once' and mode ~= 'nowait' then
			misuse.argument(1, "'default', 'once' or 'nowait' expected")
		end
		return uv.run(mode)
	end
	local beat
	while not task.stopped do
		-- Servers of nodes run on the node's own thread: a slow timer keeps this loop alive.
		if task.outside() and not (beat and beat:is_active()) then
			beat = pulse()
		end
		uv.run()
		if not task.outside() then
			break
		end
	end
end

return setmetatable(M, { __index = uv })
