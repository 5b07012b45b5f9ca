-- ends: memory
-- A little more with every call, until the cell is full.
-- calls: 2000
local kept = {}
return function() for _ = 1, 20 do kept[#kept + 1] = ('x'):rep(1000) .. #kept end end
