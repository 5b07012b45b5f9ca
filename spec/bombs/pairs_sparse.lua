-- ends: units
-- A table with room for many and nothing in it: one call walks over all of it.
local t = {}
for i = 1, 100000 do t[i] = i end
for i = 1, 100000 do t[i] = nil end
return function() while true do next(t) end end
