-- What scripts want of names, for plain Lua. In a cell `text` is the same in C, and charged for.
local M = {}

--- Whether the whole of `name` is like the pattern: `*` is any text, `?` one character.
function M.glob(pattern, name)
	local at, from, star, tried = 1, 1, nil, nil
	while from <= #name do
		local wanted = pattern:sub(at, at)
		if wanted == '*' then
			at, star, tried = at + 1, at + 1, from
		elseif wanted == '?' then
			at, from = at + 1, name:match('^.[\x80-\xBF]*()', from)
		elseif wanted ~= '' and wanted == name:sub(from, from) then
			at, from = at + 1, from + 1
		elseif star then
			at, from, tried = star, tried + 1, tried + 1
		else
			return false
		end
	end
	return pattern:match('^%**()', at) > #pattern
end

--- The pieces between each `separator`.
function M.split(text, separator)
	if separator == '' then
		error('what stands between the pieces is not empty', 2)
	end
	local pieces, from = {}, 1
	while true do
		local first, last = text:find(separator, from, true)
		pieces[#pieces + 1] = text:sub(from, (first or 0) - 1)
		if not first then
			return pieces
		end
		from = last + 1
	end
end

--- Without white space around it.
function M.trim(text)
	return (text:match '^%s*(.-)%s*$')
end

function M.starts(text, part)
	return text:sub(1, #part) == part
end

function M.ends(text, part)
	return part == '' or text:sub(-#part) == part
end

return M
