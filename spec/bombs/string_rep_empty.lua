-- ends: units
-- A loop in C without an instruction, in Lua's own library.
return function() while true do local _ = (''):rep(math.maxinteger) end end
