-- ends: units memory table
-- A table at the edge of its size: every new key moves all of them.
local t, n = {}, 0
for i = 1, 1 << 13 do t['k' .. i] = i end
return function()
	while true do
		n = n + 1
		t['k' .. n] = nil
		t['k' .. n + (1 << 13)] = n
	end
end
