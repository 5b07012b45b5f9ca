-- Tasks: coroutines that may wait. Inside a task a waiting call yields; in a main chunk it runs the
-- loop until its answer is there. Everywhere else it refuses at once with `would_block`, whether or
-- not there would be anything to wait for: in a callback of the loop, in a hook, in a listener, and
-- in a coroutine of a task's own, whose yields belong to whoever resumes it.
local core = require 'tidelock.core'
local handles = require 'tidelock.handles'
local misuse = require 'tidelock.misuse'
local told = require 'tidelock.told'
local uv = require 'luv'

local M = {}
local current = setmetatable({}, { __mode = 'k' }) -- coroutine -> task
local unfinished = {} -- task -> true
local active -- the task that runs now
local refusing -- whether a hook or listener runs

local Task = {}
Task.__index = Task
Task.__name = 'tidelock.task'

function Task:__tostring()
	return ('tidelock.task (%s)'):format(self.over and 'over' or 'running')
end

-- --- failures ----------------------------------------------------------------------------------

-- Called with the error of a task that nobody waits for, of a listener, or of a callback of luv.
function M.on_error(err, who)
	io.stderr:write('tidelock: ', who, ' failed: ', tostring(err), '\n')
end

--- An error that nobody else can get: `tidelock run` ends with status 1 later on.
function M.report(err, who)
	if err == told.ending then
		return
	end
	M.failed = M.failed or err
	M.on_error(err, who or 'a task or listener')
end

handles.report = M.report

-- Tasks that failed and whose error nobody has taken yet -> whether a turn of the watch has seen them.
-- What is left when the state ends is told then: not every program runs the loop.
local watch -- timer
local untaken = setmetatable({}, { __gc = function()
	watch = nil -- the loop is gone
	M.report_failures()
end })
local WATCH = 1000 -- milliseconds

local function forget_failure(task)
	untaken[task] = nil
	if watch and not next(untaken) then
		handles.close(watch)
		watch = nil
	end
end

local function report_failures(old_only)
	local tasks = {}
	for task, seen in pairs(untaken) do
		if seen or not old_only then
			tasks[#tasks + 1] = task
		end
		untaken[task] = true
	end
	for _, task in ipairs(tasks) do
		forget_failure(task)
		M.report(task.failure)
	end
end

--- Reports every failure that nobody has waited for: for when nobody can any more.
function M.report_failures()
	report_failures(false)
end

-- Whoever is to wait for a failed task has a second of the loop's time for it, and at most two.
local function keep_failure(task)
	if task.alone then
		M.report(task.failure)
		return
	end
	untaken[task] = false
	if not watch then
		watch = uv.new_timer()
		watch:start(WATCH, WATCH, handles.callback(function() report_failures(true) end))
		watch:unref()
	end
end

-- --- running -----------------------------------------------------------------------------------

local function take_out(array, item)
	for at, other in ipairs(array) do
		if other == item then
			table.remove(array, at)
			return
		end
	end
end

--- Waits among others who wait for the same: until someone wakes them all. changed(), if given, is
--- called whenever one more or one fewer waits.
function M.wait_among(what, waiting, changed)
	return M.wait(what, function(wake)
		waiting[#waiting + 1] = wake
		if changed then
			changed()
		end
	end, function(wake)
		take_out(waiting, wake)
		if changed then
			changed()
		end
	end)
end

--- Wakes everyone in the array and takes them out. Who is woken may make others leave it, or wait in
--- it again; it needs no memory, and who cannot go on keeps nobody else waiting.
function M.wake_all(waiting)
	local good, failure = true, nil
	for _ = 1, #waiting do
		local wake = table.remove(waiting, 1)
		if wake then
			local ok, err = pcall(wake)
			if not ok then
				good, failure = false, err
			end
		end
	end
	if not good then
		error(failure, 0)
	end
end

-- `results` begin with whether it ended well.
local function finish(task, results)
	task.over, task.results = true, results
	unfinished[task] = nil
	M.wake_all(task.waiting)
end

-- Tells the program which coroutine runs, so that a signal can interrupt it.
local entered = coroutine.running()
function M.enter() end

-- Its <close> values cannot wait: a coroutine does not yield while it is closed.
local function close(task)
	local before = refusing
	refusing = true
	local ok, err = coroutine.close(task.coroutine)
	refusing = before
	return ok, err
end

local function packed(fn, ...)
	return table.pack(fn(...))
end

-- A task has its own right to wait, whoever wakes it. What ran before is noted again in any case, also
-- when there is no memory for what this one gives.
local function resume(task, ...)
	if task.over then
		return
	end
	local before, before_active, before_refusing = entered, active, refusing
	entered, active, refusing = task.coroutine, task, false
	M.enter(entered)
	local kept, results = pcall(packed, coroutine.resume, task.coroutine, ...)
	entered, active, refusing = before, before_active, before_refusing
	M.enter(before)
	if not kept then
		results = { false, results, n = 2 }
	end
	if coroutine.status(task.coroutine) ~= 'dead' then
		if not kept then
			M.report(results[2])
		end
		return
	end
	if not results[1] then
		local traced, failure = pcall(told.traced, results[2], task.coroutine)
		task.failure = traced and failure or results[2]
		close(task)
		if not pcall(keep_failure, task) then
			pcall(M.report, task.failure)
		end
	end
	finish(task, results)
end

local function start(task, fn, ...)
	misuse.check_function(1, fn)
	task.coroutine, task.waiting = coroutine.create(fn), {}
	unfinished[task] = true
	current[task.coroutine] = task
	resume(task, ...)
	return task
end

--- Starts `fn(...)` as a task, at once; it runs until it first waits.
function M.start(fn, ...)
	local task = start(setmetatable({}, Task), fn, ...)
	return task
end

--- The same for a task that nobody will wait for: its failure is reported at once.
function M.start_alone(fn, ...)
	return start(setmetatable({ alone = true }, Task), fn, ...)
end

--- The tasks that are not over.
function M.unfinished()
	local tasks = {}
	for task in pairs(unfinished) do
		tasks[#tasks + 1] = task
	end
	return tasks
end

-- --- waiting -----------------------------------------------------------------------------------

local function fail(code, message)
	return setmetatable({ code = code, message = message },
		debug.getregistry()['tidelock.error'])
end

--- From now on nothing waits any more: main chunks that do get this error. For the program, when it
--- is to end, because it was asked to or for another reason.
function M.stop(why)
	M.stopped = M.stopped or why and fail('cancelled', why) or told.ending
	uv.stop()
end

--- Calls fn(...), in which nothing may wait: what pcall gives, or xpcall with a handler.
function M.protected(handler, fn, ...)
	local before = refusing
	refusing = true
	local kept, results = pcall(packed, xpcall, fn, handler, ...)
	refusing = before
	if not kept then
		return false, results
	end
	return table.unpack(results, 1, results.n)
end

--- Whether a call may wait here, and the task that does.
function M.may_wait()
	local task = current[coroutine.running()]
	return not refusing and (task or not active and not uv.loop_mode()) and true or false, task
end

--- Raises `would_block` where nothing may wait, and when the program is to end. A waiting call asks
--- before it begins anything.
function M.check_waiting(what)
	local may, task = M.may_wait()
	if not may then
		local instead = active and not refusing
			and ' would block in a coroutine of a task\'s own; call it in the task itself, or in one of '
				.. 'its own: tl.task(function() ... end)'
			or ' would block here; call it inside tl.task(function() ... end)'
		error(fail('would_block', what .. instead), 0)
	elseif not task and M.stopped then
		error(M.stopped, 0)
	end
	return task
end

local function run_until(done, what)
	while not done() do
		if M.stopped then
			error(M.stopped, 0)
		end
		if not uv.run 'once' and not done() and not M.stopped then
			error(fail('cancelled', what .. ' would wait for ever: nothing is left that ends it'), 0)
		end
	end
end

local NOTHING = { n = 0 } -- to wake takes no memory
local Leaving = {}
function Leaving.__close(leaving)
	leaving.call(leaving.wake)
end

--- The heart of every waiting call. `arrange(wake)` sees to it that wake(...) is called once, later or
--- at once; its arguments are the results. leave(wake) is called when the waiting is over, also when
--- the task was cancelled or arranging failed half way, and takes back what was arranged.
function M.wait(what, arrange, leave)
	local task = M.check_waiting(what)
	local results, yielded, looping
	local function wake(...)
		results = results or select('#', ...) == 0 and NOTHING or table.pack(...)
		if yielded then
			resume(task)
		elseif looping then
			uv.stop() -- a turn of the loop runs its timers first, and would then wait for others
		end
	end
	local _ <close> = setmetatable({ call = leave, wake = wake }, Leaving)
	arrange(wake)
	if task then
		yielded = true
		while not results do
			coroutine.yield()
		end
		yielded = false
	else
		looping = true
		run_until(function() return results ~= nil end, what)
		looping = false
	end
	return table.unpack(results, 1, results.n)
end

--- Waits for the task's end: what it returned, or nil and its error, which nobody else is told then.
function Task:wait()
	misuse.check_self(self, Task)
	if current[coroutine.running()] == self then
		misuse.raise 'a task cannot wait for itself'
	end
	M.check_waiting 'task:wait'
	if not self.over then
		M.wait_among('task:wait', self.waiting)
	end
	forget_failure(self)
	local results = self.results
	if not results[1] then
		return nil, results[2]
	end
	return table.unpack(results, 2, results.n)
end

--- Ends the task where it waits: its <close> values are closed. A task that runs right now is not
--- ended.
function Task:cancel()
	misuse.check_self(self, Task)
	if self.over or coroutine.status(self.coroutine) ~= 'suspended' then
		return false
	end
	local results = { false, 'cancelled', n = 2 }
	local ok, err = close(self)
	if not ok then
		results[2] = err
	end
	finish(self, results)
	return true
end

Task.__close = Task.cancel

--- Waits for at least this long: seconds or '250ms'.
function M.sleep(duration)
	local ms = core.duration(duration)
	local timer = uv.new_timer()
	M.wait('sleep', function(wake)
		handles.arm(timer, ms, wake)
	end, function()
		handles.close(timer)
	end)
end

--- Whether something goes on outside of this loop that keeps it alive, as servers of nodes do.
function M.outside()
	return false
end

return M
