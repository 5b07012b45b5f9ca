-- ends: memory units
return function() local f = type while true do local g = f f = function() return g end end end
