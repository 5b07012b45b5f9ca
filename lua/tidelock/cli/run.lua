-- The command `run`: a script, what stops it, and the end of its nodes.
local log_sink = require 'tidelock.log_sink'
local node_module = require 'tidelock.node'
local shown = require 'tidelock.cli.show'
local task = require 'tidelock.task'
local tl = require 'tidelock'
local told = require 'tidelock.told'
local uv = require 'luv'

-- Asked to stop: the loop ends, and whatever waits in a main chunk gets an error.
local function watch_stop(program)
	local poll = tl.loop.new_poll(program.stop_fd())
	poll:start('r', function()
		poll:stop()
		task.stop()
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

local FLUSH = 5 -- seconds
local QUIET = 0.5 -- of them before the waiting is told

-- Who has not got everything yet: `PEER` or `PEER and 2 others`, with the address where it is known.
local function awaited(nodes)
	local seen, peers = {}, {}
	for _, node in ipairs(nodes) do
		local status = node:sync():status() or {}
		for _, pair in ipairs(status.pairs or {}) do
			if pair.dirty and not seen[pair.peer] then
				seen[pair.peer] = true
				peers[#peers + 1] = shown.harmless(pair.peer
					.. (pair.last_error and ' (' .. pair.last_error .. ')' or ''))
			end
		end
	end
	return #peers == 0 and 'peers' or #peers == 1 and peers[1]
		or ('%s and %d more'):format(peers[1], #peers - 1)
end

local function all_done(ops)
	for _, op in ipairs(ops) do
		if not op:done() then
			return false
		end
	end
	return true
end

-- Waits until all have flushed; a signal ends it.
local function wait_flushed(program, nodes, ops)
	local begun, told_of, signals = tl.loop.hrtime(), false, program.signals()
	while not all_done(ops) and program.signals() == signals do
		if not told_of and tl.loop.hrtime() - begun > QUIET * 1e9 then
			told_of = true
			io.stderr:write(('tidelock: waiting up to %d s for %s; Ctrl-C ends the waiting\n'):format(
				FLUSH, awaited(nodes)))
		end
		uv.sleep(10)
	end
end

-- All flush before the first closes: they may be each other's peers.
local function close_nodes(program)
	local nodes, ops = node_module.open_nodes(), {}
	for _, node in ipairs(nodes) do
		ops[#ops + 1] = node:sync_start_flush(FLUSH) -- none without sync
	end
	wait_flushed(program, nodes, ops)
	for _, op in ipairs(ops) do
		op:close()
	end
	for _, node in ipairs(nodes) do
		node:close(0)
	end
	log_sink.deliver()
end

-- os.exit may come from anywhere, also from a callback of the loop, under which the state cannot be
-- closed: nodes are, and the process ends.
local function exit_in_order(program)
	local exit = os.exit
	rawset(os, 'exit', function(code)
		close_nodes(program)
		task.report_failures()
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
	program.script(told.ending)
	node_module.wait = options.wait * 1000
	watch_stop(program)
	guard_callbacks(program)
	exit_in_order(program)
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
		io.stderr:write('tidelock: ', shown.escape(options.file), ': ', err, '\n')
		task.failed = true
	end
	program.ended()
	close_nodes(program)
	task.report_failures()
	stopping = program.stopping()
	return stopping and 128 + stopping or task.failed and 1 or 0
end

return { run = run }
