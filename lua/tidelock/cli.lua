-- The program `tidelock`. Commands about data ask the process that has the directory open; when
-- there is none this process opens it, and answers itself the same way.
--
-- Exit status: 0 well, 1 the command failed, 2 wrong usage, 3 verify found something, 128 + N ended
-- by signal N.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local json = require 'tidelock.json'
local node_module = require 'tidelock.node'
local task = require 'tidelock.task'
local told = require 'tidelock.told'
local tl = require 'tidelock'

local DEFAULT_DATA = 'tidelock-data'

local function say(...)
	io.stdout:write(string.format(...), '\n')
end

-- What the user can mend: shown by its text alone, where other errors get a traceback.
local Refusal = { __tostring = function(refusal) return refusal.message end }

local function refuse(message, ...)
	error(setmetatable({ message = message:format(...) }, Refusal), 0)
end

-- --- asking the owner ---------------------------------------------------------------------------

local texts = setmetatable({}, { __mode = 'k' }) -- answer -> its JSON, where nothing is lost

-- A mistyped directory is not made into an empty node.
local function check_data(directory)
	if not tl.loop.fs_stat(directory .. '/tidelock.db') then
		refuse("there is no data directory '%s'; `tidelock init` makes one", directory)
	end
end

-- Runs fn(ask); ask(call, members) gives the decoded result and its JSON, or raises
-- the error.
local function with_owner(options, fn)
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

local function show(options, value, fn)
	if options.json then
		say('%s', texts[value] or json.encode(value))
	else
		fn(value)
	end
end

-- A database is named by its id, or by its name when only one has it.
local function find_db(ask, text)
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

-- --- commands ----------------------------------------------------------------------------------

local commands = {}

function commands.version(options)
	show(options, { version = core.version() }, function(v) say('tidelock %s', v.version) end)
end

function commands.init(options)
	local node <close> = assert(tl.open { path = options.data })
	local key = assert(node:device_key())
	show(options, { data = options.data, device_key = key }, function()
		say('data directory %s is ready', options.data)
		say('device key     %s', key)
	end)
end

function commands.status(options)
	with_owner(options, function(ask)
		show(options, ask 'status', function(status)
			say('%s  tidelock %s  pid %d', status.name, status.version, status.pid)
			say('device key %s', status.device_key)
			for _, server in ipairs(status.sync and status.sync.servers or {}) do
				say('serving    %s', type(server) == 'table' and server.address or server)
			end
			for _, db in ipairs(ask 'db list') do
				say('database   %s  %-16s %d entries, %d tips, %d pending, %d quarantined',
					graph.short(db.id), db.name or '(no name)', db.entries, db.tips,
					db.pending, db.quarantined)
			end
			for _, pair in ipairs(status.sync and status.sync.pairs or {}) do
				say('relation   %s with %s: %s%s', graph.short(pair.db), pair.peer,
					pair.state, pair.last_error and ': ' .. pair.last_error or '')
			end
		end)
	end)
end

function commands.db_list(options)
	with_owner(options, function(ask)
		show(options, ask 'db list', function(dbs)
			for _, db in ipairs(dbs) do
				say('%s  %-20s %d entries', db.id, db.name or '(no name)', db.entries)
			end
		end)
	end)
end

-- Makes the key when it is missing: a first database should take one command.
local function ensure_key(options)
	local ok, err = pcall(function()
		local node <close> = assert(tl.open { path = options.data, sync = false })
		local _, missing = node:get_public_key(options.key)
		if missing then
			assert(node:add_private_key(options.key))
		end
	end)
	-- Another process has the directory open: then the key must be there already.
	if not ok and not (type(err) == 'table' and err.code == 'store_locked') then
		error(err, 0)
	end
end

function commands.db_create(options)
	ensure_key(options)
	with_owner(options, function(ask)
		local id = ask('db create', { name = options.name, key = options.key })
		show(options, { id = id }, function() say('%s', id) end)
	end)
end

-- Where the text of a JSON string that begins at `at` ends.
local function string_end(text, at)
	repeat
		at = text:find('["\\]', at + 1)
		local escape = text:sub(at, at) == '\\'
		at = escape and at + 1 or at
	until not escape
	return at
end

-- Compact JSON for people. Works on the text: numbers stay as they are written.
local function indented(text)
	local out, depth, at = {}, 0, 1
	local function line()
		out[#out + 1] = '\n' .. ('  '):rep(depth)
	end
	while at <= #text do
		local char = text:sub(at, at)
		local last = char == '"' and string_end(text, at) or at
		if char:find '[%]}]' then
			depth = depth - 1
			if not text:sub(at - 1, at - 1):find '[%[{]' then
				line()
			end
		end
		out[#out + 1] = text:sub(at, last)
		if char:find '[%[{]' then
			depth = depth + 1
		end
		if char == ',' or char:find '[%[{]' and not text:sub(at + 1, at + 1):find '[%]}]' then
			line()
		elseif char == ':' then
			out[#out + 1] = ' '
		end
		at = last + 1
	end
	return table.concat(out)
end

function commands.db_get(options)
	with_owner(options, function(ask)
		local value, text = ask('db get', { db = find_db(ask, options.db), store = options.store,
			path = options.path })
		if options.json then
			say('%s', text)
		else
			say('%s', type(value) == 'string' and value or indented(text))
		end
	end)
end

-- A value that reads as JSON is that value, everything else a text.
local function value_text(text)
	local ok, value = pcall(json.decode, text)
	if ok and value ~= nil or text == 'null' then
		return text
	end
	return json.encode(text)
end

function commands.db_set(options)
	with_owner(options, function(ask)
		local id = ask('db set', { db = find_db(ask, options.db), store = options.store,
			path = options.path, key = options.key }, value_text(options.value))
		show(options, { entry = id }, function() say('%s', id) end)
	end)
end

local function checked(value, message)
	return value or refuse('%s', message)
end

local function opened(name, mode, otherwise)
	return name and checked(io.open(name, mode)) or otherwise
end

function commands.db_export(options)
	with_owner(options, function(ask)
		local db = find_db(ask, options.db)
		local out = opened(options.file, 'wb', io.stdout)
		local since, more = 0, true
		while more do
			local page = ask('db export', { db = db, since = since })
			for _, entry in ipairs(page.entries) do
				checked(out:write(entry, '\n'))
			end
			since, more = page.next, page.more
		end
		checked(out:flush())
		if options.file then
			checked(out:close())
		end
	end)
end

function commands.db_import(options)
	local input = opened(options.file, 'rb', io.stdin)
	local node <close> = assert(tl.open { path = options.data, sync = false })
	local id, entered = node:import(function() return input:read(65536) end)
	if not id then
		error(entered, 0)
	end
	show(options, { id = id, entered = entered }, function()
		say('%s  %d new entries', id, entered)
	end)
end

function commands.log(options)
	with_owner(options, function(ask)
		local entries = ask('log', { db = find_db(ask, options.db), limit = options.limit })
		show(options, entries, function()
			local function label(entry)
				return ('%s  height %d, %d bytes%s'):format(graph.short(entry.id),
					entry.height, entry.size, entry.void and ', void' or '')
			end
			if options.graph then
				graph.draw(entries, label, function(line) say('%s', line) end)
				return
			end
			for index = #entries, 1, -1 do
				say('%s', label(entries[index]))
			end
		end)
	end)
end

function commands.verify(options)
	return with_owner(options, function(ask)
		local result = ask('verify', { db = options.db and find_db(ask, options.db) })
		show(options, result, function()
			for _, finding in ipairs(result.findings) do
				say('%s: %s', graph.short(finding.entry or finding.db), finding.text)
			end
			say('%d findings', result.count)
		end)
		return result.count == 0 and 0 or 3
	end)
end

-- --- run ---------------------------------------------------------------------------------------

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
	for node in pairs(node_module.open_nodes()) do
		flushing[#flushing + 1] = node:sync_start_flush(FLUSH) -- none without sync
	end
	for _, op in ipairs(flushing) do
		op:wait()
		op:close()
	end
	for node in pairs(node_module.open_nodes()) do
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

function commands.run(options, program)
	local chunk = checked(loadfile(options.file))
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

-- --- the command line --------------------------------------------------------------------------

local function whole_number(text)
	local number = math.tointeger(tonumber(text))
	if number and number > 0 then
		return number
	end
	return nil, ("'%s' is no whole number above 0"):format(text)
end

local function parser()
	local p = require 'argparse'('tidelock', 'Keeps databases of signed entries in step.')
	p:require_command(true):command_target 'command'
	p:add_help '-h --help'

	local function data(command)
		command:option('-d --data', 'Data directory.', DEFAULT_DATA)
		command:flag('--json', 'Answer in JSON.')
		return command
	end
	local run = p:command('run', 'Run a Lua script with the tidelock modules.')
	run:argument('file', 'The script.')
	run:argument('arguments', 'Its arguments.'):args '*'
	data(p:command('init', 'Create a data directory and its device key.'))
	data(p:command('status', 'What the node holds and does.'))
	p:command('version', 'Version of this program.'):flag('--json', 'Answer in JSON.')
	local log = data(p:command('log', 'Newest entries of a database.'))
	log:argument('db', 'Id or name of a database.')
	log:flag('--graph', 'Draw how entries build on each other.')
	log:option('-n --limit', 'How many.', '20'):convert(whole_number)
	data(p:command('verify', 'Recheck everything held.')):argument('db', 'Only this database.')
		:args '?'

	local db = p:command('db', 'Databases.')
	db:require_command(true):command_target 'db_command'
	data(db:command('list', 'All databases.'))
	local create = data(db:command('create', 'Create a database; prints its id.'))
	create:argument('name', 'Its name.')
	create:option('-k --key', 'Private key that signs; made when missing.', 'default')
	local get = data(db:command('get', 'Read a value of a DocStore.'))
	get:argument('db', 'Id or name.')
	get:argument('store', 'Name of the store.')
	get:argument('path', 'Path of the value; the whole store without it.'):args '?'
	local set = data(db:command('set', 'Set a value of a DocStore; null deletes.'))
	set:argument('db', 'Id or name.')
	set:argument('store', 'Name of the store.')
	set:argument('path', 'Path of the value.')
	set:argument('value', 'JSON, or else a text.')
	set:option('-k --key', 'Private key that signs; one that may write without it.')
	local export = data(db:command('export', 'Write the entries, one a line.'))
	export:argument('db', 'Id or name.')
	export:argument('file', 'Standard output without it.'):args '?'
	data(db:command('import', 'Read entries, verify and keep them.'))
		:argument('file', 'Standard input without it.'):args '?'
	return p
end

-- What was said may still be on its way, and fail: a full disk, a closed output.
local function written(status)
	local ok, err = io.stdout:flush()
	if not ok then
		refuse('cannot write the answer: %s', err)
	end
	return status
end

-- What a user can mend is an object that says itself; everything else gets a traceback.
local function describe(err)
	return type(err) ~= 'string' and told.plain(err) or told.traced(err, 1)
end

local function main(program)
	if arg[1] == 'run' and arg[2] and not arg[2]:find '^%-' then
		table.insert(arg, 2, '--') -- what follows the script is the script's, whatever it looks like
	end
	local ok, options = parser():pparse(arg)
	if not ok then
		io.stderr:write('tidelock: ', tostring(options), '\n')
		return 2
	end
	local name = options.command == 'db' and 'db_' .. options.db_command or options.command
	local done, status = xpcall(commands[name], describe, options, program)
	if done then
		done, status = xpcall(written, describe, status)
	end
	if done then
		return status or 0
	end
	io.stderr:write('tidelock: ', tostring(status), '\n')
	return 1
end

return main
