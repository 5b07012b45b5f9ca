-- ends: units
-- Calls of a C function that does next to nothing.
return function() repeat until type(type) == 1 end
