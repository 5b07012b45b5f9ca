-- ends: error
return function() local t = {} t.t = t return t end
