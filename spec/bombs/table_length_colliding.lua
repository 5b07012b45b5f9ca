-- ends: units
-- The length of what is no list is looked for at 62 places.
local t, step = {}, (1 << 13) - 1
for i = 0, 61 do t[1 << i] = true end
for i = 1, 4000 do t[i * step * 2 + 1] = i end
return function()
	while true do local _ = #t end
end
