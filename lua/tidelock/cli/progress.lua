-- How far a long command has come: one line on standard error, drawn again and again and taken away
-- at the end; nothing where that is no terminal.
local uv = require 'luv'

local EVERY = 0.1 -- seconds
local CLEAR = '\r\27[K'

local M = {}

local Progress = {}
Progress.__index = Progress

local function as_time(seconds)
	seconds = math.ceil(seconds)
	local hours, minutes = seconds // 3600, seconds // 60 % 60
	if hours > 0 then
		return ('%d:%02d:%02d'):format(hours, minutes, seconds % 60)
	end
	return ('%d:%02d'):format(minutes, seconds % 60)
end

-- Numbers are shown as `unit` has them: entries as they are, bytes in MiB.
local function as_number(value, unit)
	return unit == 'MiB' and ('%.1f'):format(value / 1048576) or ('%d'):format(value // 1)
end

--- The line's text. `seconds` is how long it took to come so far.
function M.line(what, unit, done, total, seconds)
	local rate = seconds > 0 and done / seconds or 0
	local text = ('%s: %s'):format(what, as_number(done, unit))
	if total > 0 then
		text = ('%s of %s'):format(text, as_number(math.max(total, done), unit))
	end
	text = ('%s %s, %s %s/s'):format(text, unit, as_number(rate, unit), unit)
	if total > 0 and rate > 0 then
		text = ('%s, %s left'):format(text, as_time(math.max(total - done, 0) / rate))
	end
	return text
end

function Progress:draw()
	self.drawn = uv.hrtime()
	io.stderr:write(CLEAR, M.line(self.what, self.unit, self.done, self.total,
		(self.drawn - self.begun) / 1e9))
end

-- Takes the line away, after it was seen once at its last state.
function Progress:close()
	if self.drawn then
		self:draw()
		io.stderr:write(CLEAR)
		self.drawn = nil
	end
end

Progress.__close = Progress.close

--- A line for `what`, counting in 'entries' or 'MiB' (of bytes told). Its `tell` may be called as
--- often as one likes, with what is done and the total (0: not known). `hidden` where the answer itself
--- is on the way to the terminal.
function M.new(what, unit, hidden)
	local self = setmetatable({ what = what, unit = unit, begun = uv.hrtime(), done = 0, total = 0 },
		Progress)
	local shown = not hidden and uv.guess_handle(2) == 'tty'
	function self.tell(done, total)
		self.done, self.total = done, total
		if shown and (not self.drawn or uv.hrtime() - self.drawn > EVERY * 1e9) then
			self:draw()
		end
	end
	return self
end

return M
