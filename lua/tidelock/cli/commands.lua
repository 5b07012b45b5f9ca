-- The commands of the program, their arguments and options.
local argparse = require 'argparse'
local core = require 'tidelock.core'

-- --- values -------------------------------------------------------------------------------------

local function whole_number(text)
	local number = text:match '^%d+$' and math.tointeger(tonumber(text))
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

-- --- what commands have in common ---------------------------------------------------------------

local children -- command -> { name -> command }, the program's own included
local on_help

local function with_help(command)
	children[command] = {}
	command:add_help { '-h --help', action = function() on_help(command) end }
	return command
end

-- `shape` is what the usage shows behind the name, `more` what the command's own help says besides.
local function add(parent, name, shape, summary, more)
	local command = with_help(parent:command(name)):summary(summary)
	command:description(more and summary .. '\n' .. more or summary)
	children[parent][name] = command
	command:usage(('Usage: tidelock %s%s'):format(parent._parent and parent._name .. ' ' or '',
		name .. ' ' .. shape))
	return command
end

-- A command that opens data directories.
local function add_opening(parent, name, shape, ...)
	local command = add(parent, name, '[OPTIONS] ' .. shape, ...)
	command:option('--wait', 'How long to wait while another process has the directory open.', '5s')
		:convert(duration)
	command:mutex(
		command:option('--passphrase-file', 'File with the passphrase of a sealed directory;\n'
			.. 'without it TIDELOCK_PASSPHRASE.'),
		command:option('--passphrase-fd', 'Descriptor to read it from.'):convert(descriptor))
	command:option('--log', 'Least level of log lines on standard error: debug, info,\n'
		.. 'warning, error or off; without it TIDELOCK_LOG.')
	return command
end

-- A command about one directory.
local function add_data(...)
	local command = add_opening(...)
	command:option('-d --data', 'Data directory; without it TIDELOCK_DATA, or tidelock-data.')
	command:flag('--json', 'Answer in JSON, exactly; errors too, on standard error.')
	return command
end

local function with_db(command)
	command:argument('db', 'Id or name of the database.')
	return command
end

local function with_store(command, kind)
	with_db(command):argument('store', ('Name of the %s.'):format(kind))
	return command
end

local function with_signer(command)
	command:option('-k --key', 'Private key that signs; one that may write without it.')
	return command
end

local function with_value(command)
	command:flag('--text', 'The value is a text, whatever it looks like.')
	return command
end

local function may_init(command)
	command:flag('--init', 'Create the data directory when it is missing.')
	return command
end

-- --- the commands -------------------------------------------------------------------------------

local function add_node_commands(p)
	local run = add_opening(p, 'run', '<file> [<arguments>] ...', 'Run a Lua script with the tidelock modules.')
	run:argument('file', 'The script.')
	run:argument('arguments', 'Its arguments.'):args '*'
	add_data(p, 'init', '', 'Create a data directory and its device key.')
	add_data(p, 'status', '', 'What the node holds and does; stopped where nobody runs it.')
	local why = add_data(p, 'why', '[<db> [<peer>]]', 'Why databases are not in step with peers.')
	why:argument('db', 'Name, id or its first characters.'):args '?'
	why:argument('peer', 'Key, or your name for it.'):args '?'
	add(p, 'version', '[--json]', 'Version of this program.'):flag('--json', 'Answer in JSON.')
	local log = with_db(add_data(p, 'log', '<db>', 'Newest entries of a database, their authors and stores.'))
	log:flag('--graph', 'Draw how entries build on each other.')
	log:option('-n --limit', 'How many.', '20'):convert(whole_number)
	local verify = add_data(p, 'verify', '[<db>]', 'Recheck everything held.')
	verify:argument('db', 'Only this database.'):args '?'
	local backup = add_data(p, 'backup', '<file>', 'Copy the whole data directory into a new file.')
	backup:argument('file', 'The copy.')
end

-- Paths of values.
local function with_path(command, count, more)
	command:argument('path', 'Keys with dots between them; several arguments are one\n'
		.. 'key each, dots included. ' .. more):args(count)
	command:flag('--literal', 'A single path argument is one key as well.')
	return command
end

local function add_value_commands(db)
	local get = add_data(db, 'get', '<db> <store> [<path>] ...', 'Read a value of a DocStore.',
		'A text is written as it is, but escaped on a terminal; all else, and everything with --json,\n'
		.. 'is exact JSON.')
	with_path(with_store(get, 'DocStore'), '*', 'Without: the whole store.')
	local set = add_data(db, 'set', '<db> <store> <path> ... <value>', 'Set a value of a DocStore.',
		'What reads as JSON is that value, and null deletes; what only looks like JSON ([1, or 01) is\n'
		.. 'refused; everything else is a text. So is 1.50, as DocStores have whole numbers only.')
	with_value(with_signer(with_path(with_store(set, 'DocStore'), '2+', 'The last argument is the value.')))
end

local function add_db_commands(p)
	local db = add(p, 'db', '<command> ...', 'Databases, and values of their DocStores.')
	db:require_command(true):command_target 'db_command'
	add_data(db, 'list', '', 'All databases.')
	local create = may_init(add_data(db, 'create', '<name>', 'Create a database; prints its id.'))
	create:argument('name', 'Its name.')
	create:option('-k --key', 'Private key that signs; made when missing.', 'default')
	add_value_commands(db)
	local export = with_db(add_data(db, 'export', '<db> [<file>]', 'Write the entries, one a line.',
		'An empty line comes first and one that counts the entries last, so that db import can tell\n'
		.. 'whether all is there.'))
	export:argument('file', 'Standard output without it.'):args '?'
	local import = may_init(add_data(db, 'import', '[<file>]', 'Read entries, verify and keep them.',
		'The database\'s first entry comes first; others may come in any order. A line that is damaged\n'
		.. 'or altered, one that builds on a line that is missing, and a file that was cut fail, with the\n'
		.. 'first bad line and how many entries entered and stay. Lines that are missing altogether show\n'
		.. 'by the count in the last line; exports of 0.2 have none, which is told.'))
	import:argument('file', 'Standard input without it.'):args '?'
end

local function add_row_commands(p)
	local row = add(p, 'row', '<command> ...', 'Rows of Tables, as JSON.')
	row:require_command(true):command_target 'row_command'
	local function add_row(name, shape, summary, more)
		return with_store(add_data(row, name, '<db> <store> ' .. shape, summary, more), 'Table')
	end
	local function add_writing(name, shape, summary)
		return with_value(with_signer(add_row(name, shape, summary,
			'What reads as JSON is that value; what only looks like JSON ([1, or 01) is refused; everything\n'
			.. 'else is a text.')))
	end
	local list = add_row('list', '', 'Rows in order of their keys.')
	list:option('--after', 'Only rows behind this key.')
	list:option('-n --limit', 'How many; all without it.'):convert(whole_number)
	add_row('get', '<row>', 'Read a row.'):argument('row_key', 'Its key.'):argname '<row>'
	local set = add_writing('set', '<row> <value>', 'Set or replace a row.')
	set:argument('row_key', 'Its key.'):argname '<row>'
	set:argument('value', 'JSON, or else a text.')
	local insert = add_writing('add', '<value>', 'Add a row under a new key, which is printed.')
	insert:argument('value', 'JSON, or else a text.')
	with_signer(add_row('delete', '<row>', 'Delete a row.')):argument('row_key', 'Its key.'):argname '<row>'
end

local function add_access_commands(p)
	local access = add(p, 'access', '<command> ...', 'Who asks for access to databases of this node.')
	access:require_command(true):command_target 'access_command'
	local list = add_data(access, 'list', '', 'Access requests, those that wait if nothing else is said.')
	list:option('--state', 'pending, approved or rejected.', 'pending')
	local function add_deciding(name, summary, more)
		local command = add_data(access, name, '<request>', summary, more)
		command:argument('request', 'Its id.')
		command:option('-k --key', 'Private key that decides; the first that is Admin there without it.')
		return command
	end
	add_deciding('approve', 'Give what was asked for.',
		'What else is needed where that alone gives nothing is told.')
		:option('--name', 'Name of the key there; as its owner calls it without it.')
	add_deciding('reject', 'Give nothing; asking again changes nothing.')
end

local function transport(text)
	return (text == 'http' or text == 'iroh') and text, ("'%s' is no transport; use http or iroh"):format(text)
end

local function add_share_commands(p)
	local share = add_data(p, 'share', '<db> | --list | --revoke <id>',
		'Invite another node to a database: prints a text with which it joins, once.',
		'Whoever sees the text first may use it. The node must be running and serve.')
	share:argument('db', 'Id or name of the database.'):args '?'
	share:option('--permission', 'What it gives: read, write:10 or admin:1.', 'read')
	share:option('--expires', 'How long it can be used: 10m, 1d; at most 30 days.', '1d'):convert(duration)
	share:option('-k --key', 'Private key that gives it; the first that may without it.')
	share:flag('--list', 'Shares made here, and what became of them.')
	share:option('--revoke', 'Id of a share that nobody is to use any more.'):argname '<id>'
	local join = may_init(add_data(p, 'join', '<text>', 'Join a database by the text that share printed.',
		'Prints the id of the database once it is here. With - the text is read from standard input.'))
	join:argument('text', 'The text; - for standard input.')
	join:option('-k --key', 'Private key that gets access; the first without it, made where there is none.')
	join:option('--transport', 'http or iroh: used where no running node has the directory open.', 'http')
		:convert(transport)
	join:option('--relay', 'Of Iroh: default, disabled, staging, or the URL of one; again for more URLs.')
		:count '*'
	join:option('--lookup', 'Of Iroh, how keys are found: none, n0 or mdns.')
end

local KINDS = { connect = true, list = true, read = true, write = true, create = true, request = true,
	dial = true, fetch = true }

local function kind_of_request(text)
	return KINDS[text] and text,
		("'%s' is no kind; use connect, list, read, write, create, request, dial or fetch"):format(text)
end

local function time_of_day(text)
	local hour, minute = text:match '^(%d%d):(%d%d)$'
	local time = hour and { hour = math.tointeger(tonumber(hour)), minute = math.tointeger(tonumber(minute)) }
	return time and time.hour < 24 and time.minute < 60 and time or nil,
		("'%s' is no time of the day, as 22:30"):format(text)
end

local function fact_of(text)
	local name, value = text:match '^([^=]+)=(.*)$'
	return name and { name = name, value = value }, ("'%s' is no fact, as metered=true"):format(text)
end

local function add_script_commands(p)
	local check = add(p, 'check', '[--json] <file> ...', 'Whether scripts are what a node would take.',
		'Policies, lists of rules and hooks: what does not load, with its line, and presets that never answer.')
	check:argument('files', 'The scripts.'):argname '<file>':args '+'
	check:flag('--json', 'Answer in JSON.')
	local try = add_data(p, 'try', '<file> [--kind <kind> | --from-log]',
		'What a policy answers, or which rule counts, with line and units.',
		'A policy is asked with --kind; with --from-log what a node that runs was asked last, and where that was\n'
			.. 'answered otherwise. Rules are asked with --peer and --db; --at and --fact are what `when` sees.')
	try:argument('file', 'The policy, or the rules.')
	try:mutex(
		try:option('--kind', 'connect, list, read, write, create, request, dial or fetch.')
			:convert(kind_of_request),
		try:flag('--from-log', 'The last 1,000 questions that the node was asked.'))
	try:option('--at', 'Time of the day for rules, HH:MM; now without it.'):convert(time_of_day)
	try:option('--fact', 'NAME=VALUE for rules, the value in JSON.'):count '*':convert(fact_of)
	try:option('--peer', 'Device key of whoever asks; without it one that proves none.')
	try:option('--db', 'Name or id of the database.')
	try:option('--id', 'Id of the database whose name --db is.')
	try:option('--name', 'What the owner calls the peer.')
	try:option('--said-name', 'What the peer calls itself.')
	try:flag('--related', 'A relation gives it.')
	try:flag('--granted', 'A proven key has the permission.')
	try:flag('--encrypted', 'The channel is encrypted.')
	try:flag('--v0', 'By a peer of 0.2.0.')
	local script = add(p, 'script', '<command> ...', 'Scripts that decide in a node that runs.')
	script:require_command(true):command_target 'script_command'
	add_data(script, 'list', '', 'Which there are, and how they are.')
	add_data(script, 'diff', '', 'Where the shadow answered something else than the policy at work.')
	for name, summary in pairs { log = 'The last failures of a script.',
		reload = 'Load it again; on a failure what is there stays.' } do
		add_data(script, name, '[<name>]', summary):argument('name', 'Of its file; the first without it.'):args '?'
	end
end

--- The parser, and of each command its own by name. `wanted(command)` is called where its help is asked
--- for.
return function(wanted)
	children, on_help = {}, wanted
	local p = with_help(argparse('tidelock', 'Keeps databases of signed entries in step.'))
	p:require_command(true):command_target 'command'
	p:flag '--version':description 'Version of this program.'
	add(p, 'help', '[<command>] ...', 'Help on a command.'):argument('words', 'Its name.'):args '*'
	add_node_commands(p)
	add_db_commands(p)
	add_row_commands(p)
	add_access_commands(p)
	add_share_commands(p)
	add_script_commands(p)
	return p, children
end
