-- The program `tidelock`: its command line. What the commands do is in cli/.
--
-- Exit status: 0 well, 1 the command failed, 2 wrong usage, 3 verify found something, 128 + N ended
-- by signal N.
local core = require 'tidelock.core'
local shown = require 'tidelock.cli.show'

local DEFAULT_DATA = 'tidelock-data'

local commands = {}
for _, subject in ipairs { 'node', 'database', 'run' } do
	for name, command in pairs(require('tidelock.cli.' .. subject)) do
		commands[name] = command
	end
end

local function whole_number(text)
	local number = math.tointeger(tonumber(text))
	if number and number > 0 then
		return number
	end
	return nil, ("'%s' is no whole number above 0"):format(text)
end

-- Seconds.
local function duration(text)
	local ok, milliseconds = pcall(core.duration, tonumber(text) or text)
	if not ok then
		return nil, ("'%s' is no duration; write seconds or 250ms, 10s, 5m"):format(text)
	end
	return milliseconds / 1000
end

local function descriptor(text)
	return text:match '^%d+$' and math.tointeger(tonumber(text)) or nil, ("'%s' is no descriptor"):format(text)
end

local function parser()
	local p = require 'argparse'('tidelock', 'Keeps databases of signed entries in step.')
	p:require_command(true):command_target 'command'
	p:add_help '-h --help'

	local function opening(command)
		command:option('--wait', 'How long to wait while another process has the directory open.', '5s')
			:convert(duration)
		command:mutex(
			command:option('--passphrase-file', 'File with the passphrase of a sealed directory;\n'
				.. 'without it TIDELOCK_PASSPHRASE.'),
			command:option('--passphrase-fd', 'Descriptor to read it from.'):convert(descriptor))
		return command
	end
	local function data(command)
		command:option('-d --data', 'Data directory.', DEFAULT_DATA)
		command:flag('--json', 'Answer in JSON.')
		return opening(command)
	end
	local run = opening(p:command('run', 'Run a Lua script with the tidelock modules.'))
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

	data(p:command('backup', 'Copy the whole data directory into a new file.')):argument('file', 'The copy.')

	local db = p:command('db', 'Databases.')
	db:require_command(true):command_target 'db_command'
	data(db:command('list', 'All databases.'))
	local create = data(db:command('create', 'Create a database; prints its id.'))
	create:flag('--init', 'Create the data directory when it is missing.')
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
	local import = data(db:command('import', 'Read entries, verify and keep them.'))
	import:flag('--init', 'Create the data directory when it is missing.')
	import:argument('file', 'Standard input without it.'):args '?'
	return p
end

-- Keeps the passphrase for the nodes that are opened.
local function take_passphrase(options, program)
	if options.passphrase_file then
		shown.checked(program.passphrase_file(options.passphrase_file))
	elseif options.passphrase_fd then
		shown.checked(program.passphrase_fd(options.passphrase_fd))
	end
end

local function perform(name, options, program)
	take_passphrase(options, program)
	return commands[name](options, program)
end

-- What was said may still be on its way, and fail: a full disk, a closed output.
local function written(status)
	local ok, err = io.stdout:flush()
	if not ok then
		shown.refuse('cannot write the answer: %s', err)
	end
	return status
end

local function complain(text)
	io.stderr:write('tidelock: ', text, '\n')
end

local function main(program)
	if arg[1] == 'run' and arg[2] and not arg[2]:find '^%-' then
		table.insert(arg, 2, '--') -- what follows the script is the script's, whatever it looks like
	end
	local ok, options = parser():pparse(arg)
	if not ok then
		complain(shown.escape(options))
		return 2
	end
	local name = options.command == 'db' and 'db_' .. options.db_command or options.command
	local done, status = xpcall(perform, shown.described, name, options, program)
	if done then
		done, status = xpcall(written, shown.described, status)
	end
	local stopping = program.stopping()
	if stopping or done then
		return stopping and 128 + stopping or status or 0
	end
	complain(status)
	return 1
end

return main
