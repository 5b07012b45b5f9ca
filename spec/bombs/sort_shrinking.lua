-- ends: units
-- A comparison that empties the table.
return function()
	while true do
		local t = {}
		for i = 1, 100 do t[i] = i end
		table.sort(t, function(a, b) for i = 1, #t do t[i] = nil end return a < b end)
	end
end
