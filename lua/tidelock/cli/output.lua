-- A file that is whole or not there: written beside its place under another name, and put there at the
-- end. What a process leaves that is killed is called NAME.PID-N.partial.
local program = require 'tidelock.program'
local show = require 'tidelock.cli.show'
local uv = require 'luv'

local checked, refuse = show.checked, show.refuse

local M = {}

local Output = {}
Output.__index = Output

--- A line, escaped where a terminal shows it.
function Output:write_line(text)
	show.write(self.file, self.escaped and show.harmless(text) or text, '\n')
end

--- Everything is written.
function Output:finish()
	show.written(self.file:flush())
	if self.place then
		show.written(self.file:close())
		self.file = nil
		checked(uv.fs_rename(self.partial, self.place))
		program.partial()
		self.partial = nil
	end
end

-- Takes away what was not finished.
function Output:__close()
	if self.place and self.file then
		self.file:close()
	end
	if self.partial then
		os.remove(self.partial)
		program.partial()
	end
end

-- Takes away what processes left beside `place` that were killed.
local function clear_partials(place)
	local folder, name = place:match '^(.*/)([^/]*)$'
	folder, name = folder or './', name or place
	local scan = uv.fs_scandir(folder)
	for other in function() return scan and (uv.fs_scandir_next(scan)) end do
		local pid = other:sub(1, #name) == name and other:match('^%.(%d+)%-%d+%.partial$', #name + 1)
		if pid and select(3, uv.kill(tonumber(pid), 0)) == 'ESRCH' then
			os.remove(folder .. other)
		end
	end
end

-- A file beside `place` that nobody else has. It is named to the program before it is there: a signal
-- that comes in between finds nobody else who knows of it.
local function make_partial(place)
	clear_partials(place)
	for number = 1, 100 do
		local partial = ('%s.%d-%d.partial'):format(place, uv.os_getpid(), number)
		program.partial(partial)
		local fd, message, code = uv.fs_open(partial, 'wx', 438) -- 0666
		if fd then
			uv.fs_close(fd)
			return partial
		end
		program.partial()
		if code ~= 'EEXIST' then
			refuse('io', "cannot write '%s': %s", place, message:match '^%u+: (.-): ' or message)
		end
	end
	refuse('already_exists', "files like '%s.1.partial' are in the way; remove them", place)
end

--- Opens `name`, or standard output without one. Devices and pipes are written to as they are.
function M.open(name)
	if not name then
		return setmetatable({ file = io.stdout, escaped = show.to_terminal() }, Output)
	end
	local place = uv.fs_realpath(name) or name
	local info = uv.fs_stat(place)
	if info and info.type ~= 'file' then
		return setmetatable({ file = checked(io.open(place, 'wb')) }, Output)
	end
	local self = setmetatable({ place = place }, Output)
	self.partial = make_partial(place)
	if info then
		checked(uv.fs_chmod(self.partial, info.mode & 4095)) -- the umask does not take part
	end
	self.file = checked(io.open(self.partial, 'wb'))
	return self
end

return M
