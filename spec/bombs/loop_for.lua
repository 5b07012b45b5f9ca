-- ends: units
return function() for _ = 1, math.maxinteger do end end
