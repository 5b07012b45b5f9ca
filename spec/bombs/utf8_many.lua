-- ends: units
return function() local s = ('é'):rep(8000) while true do utf8.len(s) end end
