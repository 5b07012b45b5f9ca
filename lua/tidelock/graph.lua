-- Draws entries as a graph, newest first: one column for each line of history.
local M = {}

local function lane_of(lanes, id)
	for index, expected in ipairs(lanes) do
		if expected == id then
			return index
		end
	end
	lanes[#lanes + 1] = id
	return #lanes
end

-- `mark` in one column, `before` and `after` in the others.
local function row(lanes, at, before, mark, after)
	local cells = {}
	for index = 1, #lanes do
		cells[index] = index < at and before or index == at and mark or after
	end
	return table.concat(cells, ' ')
end

-- Lines that lead to the entry just drawn end in its column.
local function join(lanes, id, at, out)
	for index = #lanes, at + 1, -1 do
		if lanes[index] == id then
			out(row(lanes, index, '|', '/', '/'))
			table.remove(lanes, index)
		end
	end
end

-- Further parents open columns of their own, unless one leads there already.
local function fork(lanes, parents, at, out)
	for index = 2, #parents do
		local known = false
		for _, expected in ipairs(lanes) do
			known = known or expected == parents[index]
		end
		if not known then
			table.insert(lanes, at + 1, parents[index])
			out(row(lanes, at, '|', '|', '\\'))
		end
	end
end

--- `entries` in ascending (height, id) order, each with id and parents; label(entry) is shown
--- beside it. Calls out(line).
function M.draw(entries, label, out)
	local lanes = {}
	for index = #entries, 1, -1 do
		local entry = entries[index]
		local at = lane_of(lanes, entry.id)
		out(row(lanes, at, '|', '*', '|') .. '  ' .. label(entry))
		join(lanes, entry.id, at, out)
		if #entry.parents == 0 then
			table.remove(lanes, at)
		else
			lanes[at] = entry.parents[1]
			fork(lanes, entry.parents, at, out)
		end
	end
end

--- The first digits of an id.
function M.short(id)
	return (id:match ':(%x%x%x%x%x%x%x%x%x%x)' or id)
end

return M
