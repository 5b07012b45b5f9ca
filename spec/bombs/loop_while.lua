-- ends: units
-- The plainest one.
return function() while true do end end
