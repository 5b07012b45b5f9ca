-- What several specifications use: folders that vanish, programs, nodes.
local uv = require 'luv'
local H = {}
package.loaded['spec.helper'] = H

H.build = assert(os.getenv 'TIDELOCK_BUILD', 'run specifications by spec/busted')
H.program = H.build .. '/tidelock'

local folders, started = {}, {}

--- A fresh folder, removed by H.clean().
function H.folder()
	local path = assert(uv.fs_mkdtemp((os.getenv 'TMPDIR' or '/tmp') .. '/tidelock-spec-XXXXXX'))
	folders[#folders + 1] = path
	return path
end

function H.clean()
	for _, process in ipairs(started) do -- those of a case that failed
		if not process.status then
			process:kill 'sigkill'
		end
	end
	started = {}
	for _, path in ipairs(folders) do
		os.execute(('rm -rf %q'):format(path))
	end
	folders = {}
end

function H.write(path, text)
	local file <close> = assert(io.open(path, 'wb'))
	assert(file:write(text))
	return path
end

-- The program has its modules in it, so it does not get our path to them.
local function command_line(before, ...)
	local words = { 'env -u LUA_CPATH', before, ('%q'):format(H.program) }
	for _, word in ipairs { ... } do
		words[#words + 1] = ("'%s'"):format(word:gsub("'", [['\'']]))
	end
	return words
end

--- Runs the program to its end on a terminal: all that it wrote there, with line ends as usual.
function H.run_on_terminal(...)
	local words = command_line("python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])'", ...)
	local pipe = assert(io.popen(table.concat(words, ' ') .. ' </dev/null'))
	local out = pipe:read 'a'
	pipe:close()
	return (out:gsub('\r\n', '\n'))
end

--- Runs the program to its end: status, standard output, standard error.
function H.run(...)
	local words = command_line('', ...)
	local err_file = os.tmpname()
	local pipe = assert(io.popen(table.concat(words, ' ') .. ' 2>' .. err_file .. ' </dev/null'))
	local out = pipe:read 'a'
	local _, _, status = pipe:close()
	local file <close> = assert(io.open(err_file))
	local err = file:read 'a'
	os.remove(err_file)
	return status, out, err
end

--- The thread sanitizer keeps a signal back until the program calls a function that it knows.
H.keeps_signals = H.build:find 'san%-thread' ~= nil

local Process = {}
Process.__index = Process

function Process:kill(signal)
	return uv.kill(self.pid, signal)
end

--- Waits until it has ended: its status (128 and the signal's number when that ended it), what it
--- wrote, and how many seconds that took.
function Process:wait(seconds)
	local since = uv.hrtime()
	H.wait_for(function() return self.status and self.open == 0 end, seconds)
	return self.status, self.out, self.err, (uv.hrtime() - since) / 1e9
end

--- Starts the program (or `options.program`) beside us.
function H.start(options, ...)
	local self = setmetatable({ out = '', err = '', open = 2 }, Process)
	local pipes = { out = uv.new_pipe(), err = uv.new_pipe() }
	local words = { ... }
	if options.env then
		table.move(words, 1, #words, #options.env + 2)
		table.move(options.env, 1, #options.env, 1, words)
		words[#options.env + 1] = H.program
	end
	self.handle, self.pid = uv.spawn(options.env and 'env' or options.program or H.program, {
		args = words, cwd = options.cwd, stdio = { options.stdin, pipes.out, pipes.err },
	}, function(code, signal)
		self.handle:close()
		self.status = signal > 0 and 128 + signal or code
	end)
	assert(self.handle, self.pid)
	started[#started + 1] = self
	for name, pipe in pairs(pipes) do
		pipe:read_start(function(_, piece)
			if piece then
				self[name] = self[name] .. piece
			else
				self.open = self.open - 1
				pipe:close()
			end
		end)
	end
	return self
end

--- Waits until fn() is true, running the loop; fails after `seconds`, or a minute, which is enough for
--- what comes at all, also on a busy machine.
function H.wait_for(fn, seconds)
	local tl = require 'tidelock'
	local deadline = uv.hrtime() + (seconds or 60) * 1e9
	while not fn() do
		if uv.hrtime() > deadline then
			error('waited in vain', 2)
		end
		tl.sleep '10ms'
	end
end

--- A port of the loopback that nobody listens at now.
function H.free_port()
	local socket = uv.new_tcp()
	assert(socket:bind('127.0.0.1', 0))
	local port = socket:getsockname().port
	socket:close()
	return port
end

--- How many handles the loop has that are not closing.
function H.handles()
	local count = 0
	uv.walk(function(handle)
		count = count + (handle:is_closing() and 0 or 1)
	end)
	return count
end

--- Switches to a locale with a decimal comma, made for this; false where it cannot be made. Switch
--- back with os.setlocale 'C'.
function H.comma_locale()
	local folder = H.folder()
	H.write(folder .. '/source', 'LC_NUMERIC\ndecimal_point "<U002C>"\nthousands_sep "<U002E>"\n'
		.. 'grouping 3;3\nEND LC_NUMERIC\n')
	os.execute(('localedef -c -i %q %q >/dev/null 2>&1'):format(folder .. '/source', folder .. '/comma'))
	uv.os_setenv('LOCPATH', folder)
	local made = os.setlocale 'comma'
	uv.os_unsetenv 'LOCPATH'
	return made ~= nil
end

--- Seeds math.random with `own`. SPEC_SEED in the environment moves all seeds of a run; what this
--- returns is told when a random specification fails.
function H.seed(own)
	local moved = math.tointeger(tonumber(os.getenv 'SPEC_SEED' or 0)) or 0
	math.randomseed(own + moved * 1000003)
	return ('SPEC_SEED=%d repeats this'):format(moved)
end

return H
