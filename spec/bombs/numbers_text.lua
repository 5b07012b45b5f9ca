-- ends: units
return function() local s = ('1'):rep(16000) while true do tonumber(s) tonumber(s, 2) end end
