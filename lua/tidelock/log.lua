-- tidelock.log: lines of scripts, and where they and those of nodes, stores and transports go.
local core = require 'tidelock.log_core'
local misuse = require 'tidelock.misuse'
local log_sink = require 'tidelock.log_sink'

local M = { level = core.level }

for _, level in ipairs { 'debug', 'info', 'warning', 'error' } do
	M[level] = function(text)
		core.write(level, text)
	end
end

--- From here on every line goes to fn(line) instead of stderr; nil ends that.
function M.sink(fn)
	if fn ~= nil and type(fn) ~= 'function' then
		misuse.argument(1, 'a sink is a function of a line')
	end
	log_sink.set(fn)
end

return M
