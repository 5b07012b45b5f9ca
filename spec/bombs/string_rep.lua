-- ends: string units
return function() return ('x'):rep(1 << 40) end
