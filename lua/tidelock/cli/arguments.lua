-- The command line: words in, options out.
local core = require 'tidelock.core'
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

-- The nearest of these names, when it is near enough to have been meant.
local function nearest(word, names)
	local best, least = nil, math.max(2, #word // 2) + 1
	for name in pairs(names) do
		local distance = core.distance(word, name)
		if distance < least or distance == least and best and name < best then
			best, least = name, distance
		end
	end
	return best
end

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

-- What argparse says, with our own word for what was meant. `names` are those of the commands there.
local function explained(p, command, names, message)
	message = message:gsub('\nDid you mean.*', '')
	local kind, word = message:match "^unknown (%a+) '(.*)'$"
	local known = kind == 'command' and names or kind == 'option' and option_names(p, command)
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
			return nil, explained(p, command, children[command], message)
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
	local ok, options = p:pparse(marked(script_arguments_apart(words)))
	if wanted then
		return help(wanted)
	elseif not ok then
		local command = command_at(p, children, words)
		return nil, explained(p, command, children[command], unmarked(options))
	end
	options = unmarked(options)
	options.action = full_name(options)
	return from_environment(options)
end

return M
