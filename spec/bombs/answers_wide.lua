-- ends: error units
-- The same table over and over: two, four, eight.
return function() local t = {} for _ = 1, 30 do t = { t, t } end return t end
