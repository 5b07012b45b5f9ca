-- ends: units
-- The longest number that there is.
return function() while true do local _ = ('%99.99f%99.99f'):format(1e308, -1e308) end end
