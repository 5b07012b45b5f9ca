-- A process that is led by JSON lines: what it says is kept, in order, until somebody looks for it.
local uv = require 'luv'
local H = require 'spec.helper'
local json = require 'tidelock.json'
local tl = require 'tidelock'

local Led = {}
Led.__index = Led

local function take_lines(self, piece)
	self.out = self.out .. piece
	if self.plain then return end
	self.rest = self.rest .. piece
	for line in self.rest:gmatch '([^\n]*)\n' do
		self.said[#self.said + 1] = assert(json.decode(line), line)
	end
	self.rest = self.rest:match '[^\n]*$'
end

--- Starts `program` with `args`; `env` is added to ours. It goes with us, also when we are killed: by the end
--- of its input, and by a signal where it would not look there. `plain`: what it says is no JSON, and kept as
--- `out` alone.
function Led.start(program, args, env, plain)
	local self = setmetatable({ said = {}, rest = '', out = '', err = '', plain = plain }, Led)
	local words = { '--pdeathsig', 'KILL', 'env', '-u', 'LUA_CPATH' }
	for name, value in pairs(env or {}) do
		words[#words + 1] = name .. '=' .. value
	end
	words[#words + 1] = program
	table.move(args, 1, #args, #words + 1, words)
	local out, err = uv.new_pipe(), uv.new_pipe()
	self.input = uv.new_pipe()
	local stdio = { self.input, out, err }
	self.handle, self.pid = uv.spawn('setpriv', { args = words, stdio = stdio }, function(code, signal)
		self.status = signal > 0 and 128 + signal or code
		self.handle:close()
	end)
	assert(self.handle, self.pid)
	out:read_start(function(_, piece)
		if piece then take_lines(self, piece) else out:close() end
	end)
	err:read_start(function(_, piece)
		if piece then self.err = self.err .. piece else err:close() end
	end)
	return self
end

function Led:say(what)
	self.input:write(json.encode(what) .. '\n')
end

--- Waits for a line that has `name`: its value, and the line. Others stay until they are looked for.
function Led:hear(name, seconds)
	local line
	local ok = pcall(H.wait_for, function()
		for i, said in ipairs(self.said) do
			if said[name] ~= nil then
				line = table.remove(self.said, i)
				return true
			end
		end
		return self.status
	end, seconds)
	if line then return line[name], line end
	error(('no "%s" (%s): %s\n%s'):format(name, ok and 'it has ended' or 'waited in vain',
		json.encode(tl.list(self.said)), self.err), 2)
end

--- Asks and waits for the answer's line.
function Led:ask(what, name, seconds)
	self:say(what)
	return self:hear(name, seconds)
end

--- Ends it at once.
function Led:kill()
	uv.kill(self.pid, 'sigkill')
	H.wait_for(function() return self.status end)
	return self.status
end

--- Ends it by the end of its input, or by force when that takes too long.
function Led:finish(seconds)
	if not self.input:is_closing() then self.input:close() end
	if not pcall(H.wait_for, function() return self.status end, seconds or 20) then
		self:kill()
	end
	return self.status
end

return Led
