-- What people are told about a raised value: what it says of itself, and where it was raised.
local core = require 'tidelock.core'

-- What lies below a hook, a listener or a script is nobody's business.
local function without_program(text)
	text = text:gsub("\n\t%[C%]: in function 'xpcall'\n\ttidelock:tidelock%.task:%d+: in .*", '')
	text = text:gsub('\n\t%(%.%.%.tail calls%.%.%.%)\n\ttidelock:tidelock%.cli[%a.]*:.*', '')
	return (text:gsub('\n\ttidelock:tidelock%.cli[%a.]*:.*', ''))
end

local M = {}

--- What is raised in a program that is asked to stop: its ordinary end, of which nobody is told.
M.ending = setmetatable({ code = 'cancelled', message = 'the program was asked to stop' },
	debug.getregistry()['tidelock.error'])

--- The text of an object that can say itself, of a string or a number; else nil.
function M.plain(err)
	local meta = debug.getmetatable(err)
	if type(err) == 'string' or type(err) == 'number' then
		return tostring(err)
	elseif meta and meta.__tostring then
		local ok, said = pcall(tostring, err)
		return ok and said or nil
	elseif type(err) == 'table' and type(rawget(err, 'message')) == 'string' then
		return err.message
	end
end

--- The same for any value: a table is no text that anybody can read.
function M.shown(value)
	local kind = type(value)
	return M.plain(value) or (kind == 'boolean' or kind == 'nil') and tostring(value)
		or ('(of type %s)'):format(kind)
end

-- What it says may quote anybody: a further line is told from the lines of this program.
local function lines(text)
	local escaped = {}
	for line in (text .. '\n'):gmatch '([^\n]*)\n' do
		escaped[#escaped + 1] = core.escape((line:gsub('\t', '    ')))
	end
	return table.concat(escaped, '\n  ')
end

--- What was raised, with a traceback. `place` is the coroutine that raised it, or for message
--- handlers how many functions lie between them and this one.
function M.traced(err, place)
	if err == M.ending then
		return err
	end
	local text = lines(M.plain(err) or ('(an error of type %s)'):format(type(err)))
	if type(place) == 'thread' then
		return without_program(debug.traceback(place, text))
	end
	return without_program(debug.traceback(text, 2 + (place or 0)))
end

return M
