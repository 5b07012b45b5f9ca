-- ends: units string error
return function() error(('x'):rep(16384)) end
