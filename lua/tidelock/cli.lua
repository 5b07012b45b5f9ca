-- The program `tidelock`. The command line is read in cli/arguments.lua; what commands do is in the other
-- files of cli/.
--
-- Exit status: 0 well, 1 the command failed, 2 wrong usage, 3 verify found something, 128 + N ended
-- by signal N, where 141 (SIGPIPE) says that nobody reads the answer any more. Errors go to standard
-- error; with --json as {"error":{"code":…,"message":…}}.
local arguments = require 'tidelock.cli.arguments'
local shown = require 'tidelock.cli.show'
local tl = require 'tidelock'

local commands = {}
for _, subject in ipairs { 'node', 'database', 'row', 'access', 'share', 'run', 'script' } do
	for name, command in pairs(require('tidelock.cli.' .. subject)) do
		commands[name] = command
	end
end

function commands.help(options)
	shown.write(io.stdout, options.help, '\n')
end

-- Keeps the passphrase for the nodes that are opened.
local function take_passphrase(options, program)
	if options.passphrase_file then
		shown.checked(program.passphrase_file(options.passphrase_file))
	elseif options.passphrase_fd then
		shown.checked(program.passphrase_fd(options.passphrase_fd))
	end
end

local function perform(options, program)
	take_passphrase(options, program)
	if options.log then
		tl.log.level(options.log)
	end
	return commands[options.action](options, program)
end

local UNREAD = 128 + 13 -- as a program ends that leaves SIGPIPE alone

-- What was said may still be on its way, and fail: a full disk, a closed output.
local function flush(status, program)
	shown.written(io.stdout:flush())
	local lost, code = program.output_lost()
	shown.written(not lost, 'something written before is lost', code)
	return status
end

local function main(program)
	local json = arguments.wants_json(arg)
	local options, problem = arguments.parse(arg)
	if not options then
		shown.complain(shown.failure('bad_argument', problem), json)
		return 2
	end
	local done, status = xpcall(perform, shown.failure_of, options, program)
	if done then
		done, status = xpcall(flush, shown.failure_of, status, program)
	end
	local stopping = program.stopping()
	if done then
		return status or 0 -- a signal that came too late changes nothing
	elseif stopping then
		return 128 + stopping
	elseif status == shown.unread then
		return UNREAD
	end
	shown.complain(status, json)
	return 1
end

return main
