-- What was meant by a mistyped word. Cells have the same in C.
local core = require 'tidelock.core'

--- The nearest of these names (name -> true), when it is near enough to have been meant.
return function(word, names)
	local best, least = nil, math.min(math.max(2, #word // 2) + 1, #word)
	for name in pairs(names) do
		local distance = core.distance(word, name)
		if distance < least or distance == least and best and name < best then
			best, least = name, distance
		end
	end
	return best
end
