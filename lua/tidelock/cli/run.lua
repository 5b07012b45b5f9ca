-- The command `run`: a script, what stops it, and the end of its nodes.
local node_module = require 'tidelock.node'
local shown = require 'tidelock.cli.show'
local task = require 'tidelock.task'
local tl = require 'tidelock'
local told = require 'tidelock.told'

-- Asked to stop: the loop ends, and whatever waits in a main chunk gets an error.
local function watch_stop(program)
	local poll = tl.loop.new_poll(program.stop_fd())
	poll:start('r', function()
		poll:stop()
		task.stop 'the program was asked to stop'
	end)
	poll:unref()
end

-- luv would end the process where a callback raises: here the program ends as by a signal.
local function guard_callbacks(program)
	program.guard_callbacks(tl.loop.hrtime, function(err)
		if not program.stopping() then
			task.report(told.traced(err, 1), 'a callback of the loop')
		end
		task.stop 'a callback of the loop failed'
	end)
end

local FLUSH = '5s'

-- All flush before the first closes: they may be each other's peers.
local function close_nodes()
	local flushing = {}
	for _, node in ipairs(node_module.open_nodes()) do
		flushing[#flushing + 1] = node:sync_start_flush(FLUSH) -- none without sync
	end
	for _, op in ipairs(flushing) do
		op:wait()
		op:close()
	end
	for _, node in ipairs(node_module.open_nodes()) do
		node:close(0)
	end
end

-- os.exit may come from anywhere, also from a callback of the loop, under which the state cannot be
-- closed: nodes are, and the process ends.
local function exit_in_order()
	local exit = os.exit
	rawset(os, 'exit', function(code)
		close_nodes()
		io.stdout:flush()
		exit(code)
	end)
end

-- Nothing runs any more, so whatever these wait for does not come.
local function tell_unfinished()
	for _, waiting in ipairs(task.unfinished()) do
		task.report(told.traced('nothing is left that ends its waiting', waiting.coroutine), 'a task')
	end
end

local function run(options, program)
	local chunk = shown.checked(loadfile(options.file))
	local arguments = options.arguments or {}
	rawset(_G, 'arg', table.move(arguments, 1, #arguments, 1, { [0] = options.file }))
	local function main_chunk()
		return chunk(table.unpack(arguments))
	end
	watch_stop(program)
	guard_callbacks(program)
	exit_in_order()
	task.enter = program.enter
	local ok, err = xpcall(function()
		main_chunk()
		tl.run()
	end, function(err)
		return err == task.stopped and err or told.traced(err, 1)
	end)
	local stopping = program.stopping()
	if ok and not task.stopped then
		tell_unfinished()
	end
	if not ok and err ~= task.stopped and not stopping then
		io.stderr:write('tidelock: ', options.file, ': ', err, '\n')
		task.failed = true
	end
	program.ended()
	close_nodes()
	return stopping and 128 + stopping or task.failed and 1 or 0
end

return { run = run }
