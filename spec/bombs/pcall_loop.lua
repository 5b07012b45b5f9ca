-- ends: units
-- Each time the end is caught, it goes on.
return function() while true do pcall(function() while true do end end) end end
