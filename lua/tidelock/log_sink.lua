-- Hands lines of the log to a function: from the loop, and when a node closes.
local core = require 'tidelock.log_core'
local handles = require 'tidelock.handles'
local task = require 'tidelock.task'
local told = require 'tidelock.told'
local uv = require 'luv'

local Line = { __name = 'tidelock.log.line' }

--- The line as it would stand on stderr.
function Line:__tostring()
	return core.format(self.time_ms, self.level, self.part, self.text)
end

local M = {}
local sink, poll

--- Hands over what waits now; a sink that logs does not keep itself going.
function M.deliver()
	local fn, lines = sink, {}
	if not fn then
		return
	end
	core.rest()
	local line = core.take()
	while line do
		lines[#lines + 1] = setmetatable(line, Line)
		line = core.take()
	end
	for _, each in ipairs(lines) do
		local ok, err = xpcall(fn, told.traced, each)
		if not ok then
			task.report(err, 'the sink of the log')
		end
	end
end

local function watch(fd)
	poll = uv.new_poll(fd)
	poll:start('r', M.deliver)
	poll:unref()
end

local function unwatch()
	poll:stop()
	handles.close(poll)
	poll = nil
end

--- nil: lines go to stderr.
function M.set(fn)
	local fd = core.queue(fn ~= nil)
	M.deliver()
	sink = fn
	if fn and not poll then
		watch(fd)
	elseif poll and not fn then
		unwatch()
	end
end

return M
