-- ends: table
-- Keys that are no list: growing moves all of them in one instruction.
return function()
	local t, n = {}, 0
	while true do
		n = n + 1
		t['k' .. n] = n
	end
end
