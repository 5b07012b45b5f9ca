-- ends: units error
-- Sorts within sorts: levels of C.
local function sort() table.sort({ 2, 1 }, function() sort() return false end) end
return function() while true do pcall(sort) end end
