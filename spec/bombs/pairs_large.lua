-- ends: units
-- Sorting the keys again and again.
return function()
	local t = {}
	for i = 1, 1000 do t['k' .. i] = i end
	while true do for _ in pairs(t) do break end end
end
