-- ends: error
return function() local t = {} for _ = 1, 100 do t = { t } end return t end
