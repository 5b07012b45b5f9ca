-- What the program writes to people.
local json = require 'tidelock.json'

local M = {}

function M.say(...)
	io.stdout:write(string.format(...), '\n')
end

-- What the user can mend: shown by its text alone, where other errors get a traceback.
local Refusal = { __tostring = function(refusal) return refusal.message end }

function M.refuse(message, ...)
	error(setmetatable({ message = message:format(...) }, Refusal), 0)
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

--- Compact JSON for people. Works on the text: numbers stay as they are written.
function M.indented(text)
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

return M
