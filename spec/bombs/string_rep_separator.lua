-- ends: string units
return function() return (''):rep(math.maxinteger, 'x') end
