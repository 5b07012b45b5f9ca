-- ends: string units error
return function() return ('%s'):rep(8000):format(('x'):rep(16000)) end
