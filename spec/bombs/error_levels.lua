-- ends: units
return function() while true do pcall(error, 'x', 199) end end
