-- ends: units
return function()
	local t, s = {}, ('x'):rep(4000)
	for i = 1, 50 do t[i] = s .. i end
	while true do table.sort(t) end
end
