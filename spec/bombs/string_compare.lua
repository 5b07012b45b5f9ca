-- ends: units
-- One instruction that reads as much as a string is long.
return function()
	local a, b = ('x'):rep(16000) .. '1', ('x'):rep(16000) .. '2'
	while true do local _ = a < b end
end
