-- Closing luv handles safely, and timers that keep their word.
--
-- luv frees a handle that is collected while it is closing, though libuv still has it in its queue;
-- so a closing handle is held until it is closed, and when the state itself ends the loop is given
-- a last turn before.
local uv = require 'luv'

-- handle -> its guard
local closing = {} -- luacheck: ignore 241

-- Finalisers run in the reverse order of their making: this one before that of an older handle.
local Guard = {}
function Guard.__gc(guard)
	if not guard.closed and not uv.loop_mode() then
		uv.run 'nowait'
	end
end

local M = {}

--- Closes a handle that this library made. Without memory for more it is closed all the same.
function M.close(handle)
	local guard = setmetatable({ closed = false }, Guard)
	closing[handle] = guard
	local ok = pcall(handle.close, handle, function()
		guard.closed = true
		closing[handle] = nil
	end)
	if not ok then
		handle:close()
	end
end

local home = uv.os_getpid()
local inherited = {} -- luacheck: ignore 241 (so that they are not collected, which would close them)

--- Ends the watching of a descriptor and closes its handle. In a forked child it lets them be: what the
--- loop has told the kernel to watch is shared with the parent, whose loop would no longer hear of it.
function M.unwatch(poll)
	if uv.os_getpid() ~= home then
		inherited[poll] = true
		return
	end
	poll:stop()
	M.close(poll)
end

-- What becomes of an error in a callback; the tasks say.
M.report = error

--- A callback for luv, which ends the process when one raises: for want of memory, say.
function M.callback(fn)
	return function(...)
		local ok, err = pcall(fn, ...)
		if not ok then
			pcall(M.report, err)
		end
	end
end

local armed = setmetatable({}, { __mode = 'k' }) -- timer -> its present callback

--- Calls fn() from the loop once this many milliseconds have passed, never before: luv counts whole
--- milliseconds, from when its loop last looked at the clock. So it looks again every millisecond
--- until it is time, and until fn() has not failed. Arming a timer again replaces this.
function M.arm(timer, ms, fn)
	local due = uv.hrtime() + ms * 1e6
	local tick
	tick = M.callback(function()
		if uv.hrtime() >= due then
			fn()
			if armed[timer] == tick then
				timer:stop()
			end
		end
	end)
	armed[timer] = tick
	uv.update_time()
	timer:start(ms, 1, tick)
end

return M
