-- ends: units
-- A table that was filled while the script was loaded, and is asked when somebody waits.
local t, far = {}, ((1 << 13) - 1) * ((1 << 14) - 1)
for i = 1, 5000 do t[i * far] = i end
return function()
	while true do local _ = t[0] end
end
