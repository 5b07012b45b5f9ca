-- Asks the process that has the data directory open; when there is none this process opens it, and
-- answers itself the same way.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local json = require 'tidelock.json'
local show = require 'tidelock.cli.show'
local tl = require 'tidelock'

local refuse, texts = show.refuse, show.texts

local M = {}

-- A mistyped directory is not made into an empty node.
local function check_data(directory)
	if not tl.loop.fs_stat(directory .. '/tidelock.db') then
		refuse("there is no data directory '%s'; `tidelock init` makes one", directory)
	end
end

--- Runs fn(ask); ask(call, members) gives the decoded result and its JSON, or raises
-- the error.
function M.with_owner(options, fn)
	local own
	-- `value` is JSON text that goes in as it is: it may hold what a table cannot (null).
	local function ask(call, members, value)
		local request = { call = call }
		for name, member in pairs(members or {}) do
			request[name] = member
		end
		request = json.encode(request)
		if value then
			request = request:sub(1, -2) .. ',"value":' .. value .. '}'
		end
		local text, err = core.control(options.data, request)
		if not text and err.code == 'connection_failed' and not own then
			check_data(options.data)
			own = assert(tl.open { path = options.data, on_commit = false, periodic = 0 })
			text, err = core.control(options.data, request)
		end
		if not text then
			error(err, 0)
		end
		local answer, problem = json.decode(text)
		if type(answer) == 'table' then
			texts[answer] = text
		end
		return answer, text, problem
	end
	local results = table.pack(pcall(fn, ask))
	if own then
		own:close(0)
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
