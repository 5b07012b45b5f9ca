-- ends: units
-- Each moves everything.
return function() local t = {} while true do table.insert(t, 1, 1) end end
