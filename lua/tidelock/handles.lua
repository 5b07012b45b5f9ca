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

--- Closes a handle that this library made.
function M.close(handle)
	local guard = setmetatable({ closed = false }, Guard)
	closing[handle] = guard
	handle:close(function()
		guard.closed = true
		closing[handle] = nil
	end)
end

--- Calls fn() from the loop once this many milliseconds have passed, never before: luv counts whole
--- milliseconds, from when its loop last looked at the clock. Arming a timer again replaces this.
function M.arm(timer, ms, fn)
	local due = uv.hrtime() + ms * 1e6
	local function start()
		uv.update_time()
		timer:start(math.max(0, math.ceil((due - uv.hrtime()) / 1e6)), 0, function()
			if uv.hrtime() < due then
				start()
			else
				fn()
			end
		end)
	end
	start()
end

return M
