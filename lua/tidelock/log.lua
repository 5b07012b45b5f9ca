-- tidelock.log: lines of scripts, and where they and those of nodes, stores and transports go.
local core = require 'tidelock.log_core'
local misuse = require 'tidelock.misuse'
local log_sink = require 'tidelock.log_sink'

local function joined(...)
	local texts = table.pack(...)
	if texts.n == 0 then
		misuse.argument(1, 'a line has something to say')
	end
	for i = 1, texts.n do
		texts[i] = tostring(texts[i])
	end
	return table.concat(texts, ' ')
end

local M = { level = core.level }

for _, level in ipairs { 'debug', 'info', 'warning', 'error' } do
	M[level] = function(...)
		core.write(level, joined(...))
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
