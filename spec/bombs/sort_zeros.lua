-- ends: units
-- A comparison in C, of texts that are slow to compare.
return function()
	local t = {}
	for i = 1, 60 do t[i] = ('\0'):rep(14000) .. (60 - i) end
	while true do table.sort(t) end
end
