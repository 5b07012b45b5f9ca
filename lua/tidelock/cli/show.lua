-- What the program writes to people. Names, values and reasons may come from anybody, so nothing of
-- them reaches a terminal as it is. Two ways of escaping:
-- `escape` for texts: a backslash becomes two, so that `\n` is a line feed and `\\n` two letters;
-- `harmless` for what is escaped already (JSON, messages of errors, findings), which stays what it is.
local core = require 'tidelock.core'
local json = require 'tidelock.json'
local program = require 'tidelock.program'
local told = require 'tidelock.told'
local uv = require 'luv'

local M = {}

--- A text that others wrote, fit for a terminal, from which the text can be told.
function M.escape(text)
	return core.escape((text:gsub('\\', '\\\\')))
end

--- Text that is escaped already, or JSON: fit for a terminal, and the same.
M.harmless = core.escape

--- What main gets when nobody reads what is written: `tidelock … | head` is no failure.
M.unread = setmetatable({}, { __tostring = function() return 'nobody reads the answer' end })

--- Writes, or ends the command.
function M.write(file, ...)
	return M.written(file:write(...))
end

--- What writing, flushing and closing return, when it went well.
function M.written(ok, message, code)
	if not ok and code == program.broken_pipe then
		error(M.unread, 0)
	end
	return ok or M.refuse('io', 'cannot write the answer: %s', message)
end

--- One line on standard output, made harmless.
function M.say_line(text)
	M.write(io.stdout, M.harmless(text), '\n')
end

--- One line on standard output; texts among the values are escaped.
function M.say(format, ...)
	local values = table.pack(...)
	for index = 1, values.n do
		if type(values[index]) == 'string' then
			values[index] = M.escape(values[index])
		end
	end
	M.write(io.stdout, format:format(table.unpack(values, 1, values.n)), '\n')
end

--- Whether standard output is one.
function M.to_terminal()
	return uv.guess_handle(1) == 'tty'
end

-- --- errors -------------------------------------------------------------------------------------

-- What is told about a failed command: its code and message, and the text that people get.
local Failure = { __tostring = function(failure) return failure.message end }

--- `message` is shown as it is, or as `text` where that says more.
function M.failure(code, message, text)
	return setmetatable({ code = code, message = message, text = text or core.escape(message) }, Failure)
end

--- Ends the command with what the user can mend.
function M.refuse(code, message, ...)
	error(M.failure(code, message:format(...)), 0)
end

-- One line, and one for each cause.
local function described(err)
	local text = core.escape(('%s: %s'):format(err.code, err.message))
	return err.cause and text .. '\n  because ' .. described(err.cause) or text
end

--- The failure of a raised value; a value that cannot say itself gets a traceback.
function M.failure_of(err)
	if getmetatable(err) == Failure or err == M.unread then
		return err
	elseif type(err) == 'table' and err.code then
		return M.failure(err.code, err.message, described(err))
	end
	local plain = type(err) ~= 'string' and told.plain(err)
	local text = plain and core.escape(plain) or told.traced(err, 1)
	return M.failure('internal', plain or text, text)
end

--- Tells it on standard error.
function M.complain(failure, as_json)
	if as_json then
		local err = { code = failure.code, message = failure.message }
		io.stderr:write(core.escape(json.encode { error = err }), '\n')
	else
		io.stderr:write('tidelock: ', failure.text, '\n')
	end
end

--- What io functions return: the value, or a refusal that says their message.
function M.checked(value, message)
	return value or M.refuse('io', '%s', message)
end

-- --- answers ------------------------------------------------------------------------------------

--- The answer as exact JSON with --json; else fn() says it.
function M.show(options, answer, fn)
	if options.json then
		M.say_line(answer)
	else
		fn()
	end
end

--- JSON for people; escapes keep it the same JSON.
function M.say_json(text)
	for line in json.encode(json.decode(text), { pretty = true }):gmatch '[^\n]+' do
		M.say_line(line)
	end
end

--- A text that is the whole answer: as it is for a file or a program, escaped on a terminal.
function M.say_text(text)
	M.write(io.stdout, M.to_terminal() and M.escape(text) or text, '\n')
end

return M
