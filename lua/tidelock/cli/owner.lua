-- Asks the process that has the data directory open; when there is none this process opens it, and
-- answers itself the same way.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local json = require 'tidelock.json'
local nearest = require 'tidelock.script.nearest'
local program = require 'tidelock.program'
local show = require 'tidelock.cli.show'
local tl = require 'tidelock'
local uv = require 'luv'

local refuse = show.refuse

local FIRST_PAUSE, LAST_PAUSE = 10, 50 -- milliseconds between two attempts
local LEAST_TIMEOUT = 0.2 -- seconds in which a process that has the directory open begins with a call

local M = {}

-- --- the directory ------------------------------------------------------------------------------

-- The lock is there before anything else.
local function is_data(directory)
	local found, _, code = uv.fs_stat(directory .. '/tidelock.db')
	if code == 'EACCES' then
		refuse('store_read_only', "no permission to look into '%s'; run this as the user it belongs to",
			directory)
	end
	return found or uv.fs_stat(directory .. '/lock')
end

local STICKY = 512 -- 01000: whoever likes puts things there, as in /tmp

local function parent_of(directory)
	local parent = directory:match '^(.*)/[^/]*$' or '.'
	return parent == '' and '/' or parent
end

-- The names in a folder that lead to `inside`.
local function names_with(folder, inside)
	local names, scan = {}, uv.fs_scandir(folder)
	for name in function() return scan and (uv.fs_scandir_next(scan)) end do
		if uv.fs_stat(('%s/%s/%s'):format(folder, name, inside)) then
			names[name] = true
		end
	end
	return names
end

-- The data directory beside this one whose name comes first.
local function neighbour(directory)
	local parent, first = parent_of(directory), nil
	local info = uv.fs_stat(parent)
	for name in pairs(info and info.mode & STICKY == 0 and names_with(parent, 'tidelock.db') or {}) do
		first = (not first or name < first) and name or first
	end
	return first
end

-- The data directory whose path is near to this one, at each step.
local function meant(directory)
	local place = directory:sub(1, 1) == '/' and '' or '.'
	for part, slash in directory:gmatch '([^/]+)(/*)' do
		local inside = slash == '' and 'tidelock.db' or '.'
		local found = uv.fs_stat(('%s/%s/%s'):format(place, part, inside)) and part
			or nearest(part, names_with(place .. '/', inside))
		if not found then
			return nil
		end
		place = place .. '/' .. found
	end
	return place:find '/' and place:gsub('^%./', '') or nil
end

-- A mistyped directory is not made into an empty node.
local function check_data(options)
	if options.init or is_data(options.data) then
		return
	end
	local directory = options.data:gsub('(.)/+$', '%1')
	local near, beside = meant(directory), neighbour(directory)
	local makes = options.action == 'db_create' or options.action == 'db_import'
		or options.action == 'join'
	refuse('not_found', "there is no data directory '%s'%s `tidelock init`%s makes one", options.data,
		near and ("; did you mean '%s'?"):format(near) or beside and (", beside it is '%s';"):format(beside) or ';',
		makes and ' or --init' or '')
end

--- Whether there is nothing yet that this directory could be mistyped for: it is missing or empty, its
--- parent is there, and no data directory lies beside it.
function M.is_first(directory)
	directory = directory:gsub('(.)/+$', '%1') -- one value
	local scan = uv.fs_scandir(directory)
	local free = not uv.fs_lstat(directory) or scan and not uv.fs_scandir_next(scan)
	return free and uv.fs_stat(parent_of(directory)) and not neighbour(directory) or false
end

-- --- requests -----------------------------------------------------------------------------------

-- Whether it was meant as JSON: an array, an object, a text in quotes, or digits that make a number.
local function looks_like_json(text)
	local digits = text:match '^%s*[+-]?([%d.]+)[eE]?[+-]?%d*%s*$'
	return text:find '^%s*[%[{"]' or digits and digits:find '^%d*%.?%d*$' and digits:find '%d'
end

--- A value as people type it, as JSON in one line: what reads as JSON is that value, what only looks like
--- it is refused, and everything else is a text; all of it is one with `is_text`.
function M.as_json(text, is_text)
	local value, err = json.decode(text)
	if value ~= nil and not is_text then
		return (text:gsub('[\r\n]', ' ')) -- they stand between values only
	elseif not utf8.len(text) then
		refuse('bad_argument', 'a value is a text in UTF-8')
	elseif looks_like_json(text) and not is_text then
		refuse('bad_json', 'the value looks like JSON and is none: %s; with --text it is a text as it stands',
			err.message)
	end
	return json.encode(text)
end

-- A request as JSON. `value` is JSON text that goes in as it is written.
local function request_text(call, members, value)
	local request = { call = call }
	for name, member in pairs(members or {}) do
		request[name] = member
	end
	local ok, text = pcall(json.encode, request)
	if not ok then
		refuse('bad_argument', 'names, keys and paths are texts in UTF-8')
	end
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
		if self.own and self.transport then
			local sync = self.own:sync()
			local enable = sync['enable_' .. self.transport.name .. '_transport']
			local enabled, problem = enable(sync, self.transport.options)
			if not enabled then
				return nil, problem
			end
		end
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
	return answer, text
end

--- Runs fn(ask, owned); ask(call, members [, value [, how]]) gives the decoded result and its JSON, or
--- raises the error. `value` is JSON text; `how` may have `progress`, called with what is done and the
--- total, and `input_fd`, a descriptor that the call reads from. owned() tells, once something was asked,
--- whether another process has the directory open. `transport`, { name =, options = }, is enabled where none
--- has.
function M.with_owner(options, fn, transport)
	local asking = setmetatable({ options = options, transport = transport }, Asking)
	local results = table.pack(pcall(fn, function(...) return asking:ask(...) end, function()
		return not asking.own
	end))
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
				refuse('bad_argument', "several databases are called '%s'; give the id", text)
			end
			found = db.id
		end
	end
	return found or refuse('database_not_found', "there is no database '%s'; see `tidelock db list`", text)
end

return M
