-- ends: units
return function() local s = ('x'):rep(16000) while true do log.error(s, s:len()) end end
