-- ends: units
return function() local s = ('x'):rep(16000) while true do s:upper() end end
