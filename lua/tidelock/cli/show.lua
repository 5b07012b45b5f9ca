-- What the program writes to people. Names, values and reasons may come from anybody, so nothing of
-- them reaches a terminal as it is.
local core = require 'tidelock.core'
local json = require 'tidelock.json'
local told = require 'tidelock.told'
local uv = require 'luv'

local M = {}

--- A text that others wrote, fit for a terminal.
M.escape = core.escape

--- One line on standard output; texts among the values are escaped.
function M.say(format, ...)
	local values = table.pack(...)
	for index = 1, values.n do
		if type(values[index]) == 'string' then
			values[index] = core.escape(values[index])
		end
	end
	io.stdout:write(format:format(table.unpack(values, 1, values.n)), '\n')
end

--- Whether standard output is one.
function M.to_terminal()
	return uv.guess_handle(1) == 'tty'
end

-- What the user can mend: shown by its text alone, where other errors get a traceback.
local Refusal = { __tostring = function(refusal) return refusal.message end }

function M.refuse(message, ...)
	error(setmetatable({ message = message:format(...) }, Refusal), 0)
end

--- What is said about a raised value: objects that say themselves in one line, and one for each cause;
--- everything else with a traceback.
function M.described(err)
	if type(err) == 'table' and err.code then
		local text = core.escape(('%s: %s'):format(err.code, err.message))
		return err.cause and text .. '\n  because ' .. M.described(err.cause) or text
	end
	local plain = type(err) ~= 'string' and told.plain(err)
	return plain and core.escape(plain) or told.traced(err, 1)
end

--- What io functions return: the value, or a refusal that says their message.
function M.checked(value, message)
	return value or M.refuse('%s', message)
end

-- answer -> its JSON, where nothing is lost
M.texts = setmetatable({}, { __mode = 'k' })

--- JSON with --json; else fn(value) says it.
function M.show(options, value, fn)
	if options.json then
		M.say('%s', M.texts[value] or json.encode(value))
	else
		fn(value)
	end
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

--- A value that is given as compact JSON.
function M.say_json(text)
	io.stdout:write(indented(core.escape(text)), '\n')
end

--- A text that is the whole answer: as it is for a file or a program, escaped on a terminal.
function M.say_text(text)
	io.stdout:write(M.to_terminal() and core.escape(text) or text, '\n')
end

return M
