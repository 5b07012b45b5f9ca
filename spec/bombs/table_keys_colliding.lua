-- ends: table cpu
-- Whole numbers that all belong at one place of a table, so that each goes past all the others.
return function()
	local t, n = {}, 0
	while true do
		n = n + 1
		t[n * ((1 << 16) - 1) * ((1 << 11) - 1) * ((1 << 13) - 1)] = n
	end
end
