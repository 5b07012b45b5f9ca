-- Asks the process that has the data directory open; when there is none this process opens it, and
-- answers itself the same way.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local json = require 'tidelock.json'
local program = require 'tidelock.program'
local show = require 'tidelock.cli.show'
local tl = require 'tidelock'
local uv = require 'luv'

local refuse, texts = show.refuse, show.texts

local FIRST_PAUSE, LAST_PAUSE = 10, 50 -- milliseconds between two attempts
local LEAST_TIMEOUT = 1 -- seconds that a process which has the directory open gets to answer

local M = {}

-- A mistyped directory is not made into an empty node. The lock is there before anything else.
local function check_data(options)
	local found, _, code = uv.fs_stat(options.data .. '/tidelock.db')
	if code == 'EACCES' then
		refuse("no permission to look into '%s'; run this as the user it belongs to", options.data)
	elseif not (found or options.init or uv.fs_stat(options.data .. '/lock')) then
		refuse("there is no data directory '%s'; `tidelock init` makes one", options.data)
	end
end

-- A request as JSON. `value` is JSON text that goes in as it is written.
local function request_text(call, members, value)
	local request = { call = call }
	for name, member in pairs(members or {}) do
		request[name] = member
	end
	local text = json.encode(request)
	return value and text:sub(1, -2) .. ',"value":' .. value .. '}' or text
end

local function check_stop()
	if program.stopping() then
		error('interrupted', 0)
	end
end

-- Calls attempt() again, for up to `wait` seconds, while another process has the directory open and
-- does not answer yet or any more: it is starting, ending, or a command as well.
local function patiently(wait, attempt)
	local deadline, pause = uv.hrtime() + wait * 1e9, FIRST_PAUSE
	while true do
		local result, err = attempt()
		check_stop()
		if result or err.code ~= 'store_locked' or uv.hrtime() >= deadline then
			return result, err
		end
		program.pause(pause)
		pause = math.min(pause * 2, LAST_PAUSE)
	end
end

--- tl.open for commands: waits while another process has the directory open.
function M.open(options, given)
	given.path = options.data
	return patiently(options.wait, function() return tl.open(given) end)
end

local Asking = {}
Asking.__index = Asking

function Asking:call_owner(request, how)
	return core.control(self.options.data, request, {
		timeout = math.max(self.options.wait, LEAST_TIMEOUT), cancel_fd = program.stop_fd(),
		progress = how.progress, input_fd = how.input_fd,
	})
end

-- The answer's JSON, or nil and the error.
function Asking:attempt(request, how)
	local text, err = self:call_owner(request, how)
	if not text and err.code == 'connection_failed' and not self.own then
		check_data(self.options)
		self.own, err = tl.open { path = self.options.data, on_commit = false, periodic = 0 }
		if self.own then
			text, err = self:call_owner(request, how)
		end
	end
	return text, err
end

function Asking:ask(call, members, value, how)
	local request = request_text(call, members, value)
	local text, err = patiently(self.options.wait, function()
		return self:attempt(request, how or {})
	end)
	if not text then
		error(err, 0)
	end
	local answer, problem = core.record(text)
	if problem then
		error(problem, 0)
	end
	if type(answer) == 'table' then
		texts[answer] = text
	end
	return answer, text
end

--- Runs fn(ask); ask(call, members [, value [, how]]) gives the decoded result and its JSON, or raises
--- the error. `value` is JSON text; `how` may have `progress`, called with what is done and the total,
--- and `input_fd`, a descriptor that the call reads from.
function M.with_owner(options, fn)
	local asking = setmetatable({ options = options }, Asking)
	local results = table.pack(pcall(fn, function(...) return asking:ask(...) end))
	if asking.own then
		asking.own:close(0)
	end
	if not results[1] then
		error(results[2], 0)
	end
	return table.unpack(results, 2, results.n)
end

--- A database is named by its id, or by its name when only one has it.
function M.find_db(ask, text)
	if text:find ':' then
		return text
	end
	local found
	for _, db in ipairs(ask 'db list') do
		if db.name == text or graph.short(db.id) == text then
			if found then
				refuse("several databases are called '%s'; give the id", text)
			end
			found = db.id
		end
	end
	return found or refuse("there is no database '%s'; see `tidelock db list`", text)
end

return M
