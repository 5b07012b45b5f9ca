-- The command line: words in, options out.
local nearest = require 'tidelock.script.nearest'
local new_parser = require 'tidelock.cli.commands'

local M = {}

-- Options begin with a letter: -5, -1e3 and '- milk' are values. argparse would take them for options,
-- so they go through it behind a byte that no word of a command line holds.
local MARK = '\0'

local function marked(words)
	local out, options = {}, true
	for index, word in ipairs(words) do
		options = options and word ~= '--'
		local value = options and word:find '^%-' and not word:find '^%-%-?%a'
		out[index] = value and MARK .. word or word
	end
	return out
end

local function unmarked(value)
	if type(value) == 'table' then
		for name, item in pairs(value) do
			value[name] = unmarked(item)
		end
	elseif type(value) == 'string' then
		value = value:gsub(MARK, '')
	end
	return value
end

-- --- mistakes -----------------------------------------------------------------------------------

-- The command that the words name so far.
local function command_at(p, children, words)
	local command = p
	for _, word in ipairs(words) do
		command = children[command][word] or command
	end
	return command
end

local function option_names(p, command)
	local names = {}
	for _, each in ipairs { p, command } do
		for name in each:get_help():gmatch '%-%-[%l-]+' do
			names[name] = true
		end
	end
	return names
end

-- What argparse says, with our own word for what was meant, of the options and commands there.
local function explained(message, options, commands)
	message = message:gsub('\nDid you mean.*', '')
	local kind, word = message:match "^unknown (%a+) '(.*)'$"
	local known = kind == 'command' and commands or kind == 'option' and options
	local meant = known and nearest(word, known)
	if meant then
		return ("%s; did you mean '%s'?"):format(message, meant)
	elseif kind == 'option' then
		return message .. "; a value that begins with a dash goes behind '--'"
	elseif kind == 'command' or message == 'a command is required' then
		return message .. '; `tidelock help` lists them'
	end
	return message
end

-- --- parsing ------------------------------------------------------------------------------------

-- How many words behind it an option takes, by its name; each name means the same everywhere.
local function option_sizes(children)
	local sizes = {}
	for command in pairs(children) do
		for _, option in ipairs(command._options) do
			for _, name in ipairs(option._aliases) do
				sizes[name] = option._maxargs
			end
		end
	end
	return sizes
end

local function is_option(word)
	return word and word:find '^%-%-?%a' and word ~= '-h' and word ~= '--help'
end

-- How many words an option takes, itself included; nil for one that no command has.
local function option_size(sizes, word)
	local name = word:match '^%-%-[^=]+' or word:match '^%-%a'
	return sizes[name] and (word == name and 1 + sizes[name] or 1)
end

-- Options may stand before the command as well: they go behind it, to whom they belong. Nil and a message
-- where no command has the option.
local function options_behind(p, children, words)
	local sizes, command, options, at = option_sizes(children), {}, {}, 1
	local place = p
	while words[at] and place and next(children[place]) do
		local size = 1
		if is_option(words[at]) then
			size = option_size(sizes, words[at])
			if not size then
				return nil, explained(("unknown option '%s'"):format(words[at]:match '^[^=]+'), sizes)
			end
			table.move(words, at, math.min(at + size - 1, #words), #options + 1, options)
		else
			command[#command + 1] = words[at]
			place = children[place][words[at]]
		end
		at = at + size
	end
	if place and next(children[place]) then
		return command -- what is missing is told
	end
	table.move(options, 1, #options, #command + 1, command)
	return table.move(words, at, #words, #command + 1, command)
end

-- What follows the script of `run` is the script's, whatever it looks like.
local function script_arguments_apart(words)
	local out = table.move(words, 1, #words, 1, {})
	if words[1] == 'run' then
		local at = 2
		while words[at] and words[at]:find '^%-' and words[at] ~= '--' do
			at = at + (words[at]:find '=' and 1 or 2) -- each has one argument
		end
		table.insert(out, math.min(at, #out + 1), '--')
	end
	return out
end

local LEVELS = { debug = true, info = true, warning = true, error = true, off = true }

-- What no option says; nil and a message when it makes no sense.
local function from_environment(options)
	local function variable(name)
		local value = os.getenv(name)
		return value ~= '' and value or nil
	end
	options.data = options.data or variable 'TIDELOCK_DATA' or 'tidelock-data'
	options.log = options.log or variable 'TIDELOCK_LOG'
	if options.log and not LEVELS[options.log] then
		return nil, ("'%s' is no level of the log; use debug, info, warning, error or off"):format(options.log)
	end
	return options
end

local function full_name(options)
	local parts = { options.command, options[(options.command or '') .. '_command'] }
	return table.concat(parts, '_')
end

--- Whether the words ask for JSON, also where they are wrong otherwise.
function M.wants_json(words)
	for _, word in ipairs(words) do
		if word == '--' or word == '--json' then
			return word == '--json'
		end
	end
	return false
end

local function help(command)
	return { action = 'help', help = command:get_help() }
end

local function help_on(p, children, words)
	local command = p
	for index = 2, #words do
		local found = children[command][words[index]]
		if not found then
			local message = ("unknown command '%s'"):format(words[index])
			return nil, explained(message, {}, children[command])
		end
		command = found
	end
	return help(command)
end

--- words -> the options with `action`, the name of the command; a help text is there as `help`. Or nil
--- and what is wrong.
function M.parse(words)
	local wanted
	local p, children = new_parser(function(command) wanted = wanted or command end)
	if words[1] == 'help' then
		return help_on(p, children, words)
	elseif words[1] == '--version' then
		words = table.move(words, 2, #words, 2, { 'version' })
	end
	local ordered, problem = options_behind(p, children, words)
	if not ordered then
		return nil, problem
	end
	local ok, options = p:pparse(marked(script_arguments_apart(ordered)))
	if wanted then
		return help(wanted)
	elseif not ok then
		local command = command_at(p, children, ordered)
		return nil, explained(unmarked(options), option_names(p, command), children[command])
	end
	options = unmarked(options)
	options.action = full_name(options)
	return from_environment(options)
end

return M
