-- Tasks: coroutines that may wait. Inside a task a waiting call yields; in a main chunk it runs the
-- loop until its answer is there; inside a callback of the loop it refuses with `would_block`.
local core = require 'tidelock.core'
local handles = require 'tidelock.handles'
local told = require 'tidelock.told'
local uv = require 'luv'

local M = {}
local current = setmetatable({}, { __mode = 'k' }) -- coroutine -> task
local unfinished = {} -- task -> true

local Task = {}
Task.__index = Task
Task.__name = 'tidelock.task'

function Task:__tostring()
	return ('tidelock.task (%s)'):format(self.over and 'over' or 'running')
end

local function finish(task, ok, ...)
	task.over, task.ok, task.results = true, ok, table.pack(...)
	unfinished[task] = nil
	for _, wake in ipairs(task.waiting) do
		wake()
	end
end

-- Tells the program which coroutine runs, so that a signal can interrupt it.
local entered = coroutine.running()
function M.enter() end

local function resume(task, ...)
	if task.over then
		return
	end
	local before = entered
	entered = task.coroutine
	M.enter(entered)
	local results = table.pack(coroutine.resume(task.coroutine, ...))
	entered = before
	M.enter(before)
	if coroutine.status(task.coroutine) ~= 'dead' then
		return
	end
	local failure
	if not results[1] then
		failure = #task.waiting == 0 and told.traced(results[2], task.coroutine)
		coroutine.close(task.coroutine)
	end
	finish(task, table.unpack(results, 1, results.n))
	if failure then
		M.report(failure)
	end
end

-- Called with the error of a task that nobody waits for, of a listener, or of a callback of luv.
function M.on_error(err, who)
	io.stderr:write('tidelock: ', who, ' failed: ', tostring(err), '\n')
end

--- An error that nobody else can get: `tidelock run` ends with status 1 later on.
function M.report(err, who)
	M.failed = M.failed or err
	M.on_error(err, who or 'a task or listener')
end

--- Starts `fn(...)` as a task, at once; it runs until it first waits.
function M.start(fn, ...)
	local task = setmetatable({ coroutine = coroutine.create(fn), waiting = {} }, Task)
	unfinished[task] = true
	current[task.coroutine] = task
	resume(task, ...)
	return task
end

local function fail(code, message)
	return setmetatable({ code = code, message = message },
		debug.getregistry()['tidelock.error'])
end

local function would_block(what)
	error(fail('would_block',
		what .. ' would block here; call it inside tl.task(function() ... end)'), 0)
end

--- From now on nothing waits any more: main chunks that do get this error. For the program, when it
--- is to end.
function M.stop(why)
	M.stopped = M.stopped or fail('cancelled', why)
	uv.stop()
end

-- Runs the loop until done() says so. Callbacks of the loop may not come here.
local function run_until(done, what)
	if uv.loop_mode() or M.in_hook then
		would_block(what)
	end
	while not done() do
		if M.stopped then
			error(M.stopped, 0)
		end
		if not uv.run 'once' and not done() and not M.stopped then
			error(fail('cancelled', what .. ' would wait for ever: nothing is left that ends it'), 0)
		end
	end
end

--- Whether a call may wait here.
function M.may_wait()
	return not M.in_hook and (current[coroutine.running()] ~= nil or not uv.loop_mode())
end

--- The heart of every waiting call. `start(wake)` arranges that wake(...) is called once, later or
--- at once; its arguments are the results.
function M.wait(what, start)
	local task = current[coroutine.running()]
	local results, yielded
	local function wake(...)
		if results then
			return
		end
		results = table.pack(...)
		if yielded then
			resume(task)
		end
	end
	if task and M.in_hook then
		would_block(what)
	end
	start(wake)
	if results then
		return table.unpack(results, 1, results.n)
	end
	if task then
		yielded = true
		repeat
			coroutine.yield()
		until results
	else
		run_until(function() return results ~= nil end, what)
	end
	return table.unpack(results, 1, results.n)
end

--- The tasks that are not over.
function M.unfinished()
	local tasks = {}
	for task in pairs(unfinished) do
		tasks[#tasks + 1] = task
	end
	return tasks
end

--- Waits for the task's end: what it returned, or nil and its error.
function Task:wait()
	if current[coroutine.running()] == self then
		error('a task cannot wait for itself', 2)
	end
	if not self.over then
		M.wait('task:wait', function(wake)
			table.insert(self.waiting, wake)
		end)
	end
	if not self.ok then
		return nil, self.results[1]
	end
	return table.unpack(self.results, 1, self.results.n)
end

--- Ends the task where it waits: its <close> values are closed. A task that runs right now is not
--- ended.
function Task:cancel()
	if self.over or coroutine.status(self.coroutine) ~= 'suspended' then
		return false
	end
	local ok, err = coroutine.close(self.coroutine)
	self.waiting[#self.waiting + 1] = function() end -- a cancelled task is no failure
	finish(self, false, ok and 'cancelled' or err)
	return true
end

Task.__close = Task.cancel

--- Waits for this long: seconds or '250ms'.
function M.sleep(duration)
	local ms = core.duration(duration)
	M.wait('sleep', function(wake)
		local timer = uv.new_timer()
		timer:start(ms, 0, function()
			handles.close(timer)
			wake()
		end)
	end)
end

--- Whether something goes on outside of this loop that keeps it alive, as servers of nodes do.
function M.outside()
	return false
end

return M
