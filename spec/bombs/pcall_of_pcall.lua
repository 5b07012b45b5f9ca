-- ends: units
return function() while true do pcall(pcall, pcall, pcall, error) end end
