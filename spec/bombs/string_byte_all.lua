-- ends: error
-- A hundred thousand values from one call.
return function() return ('x'):rep(16000):byte(1, -1) end
