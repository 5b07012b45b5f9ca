-- ends: units
local t = {}
for i = 1, 1000 do t[i] = i end
local function pass(...) return ... end
return function() while true do pass(table.unpack(t)) end end
