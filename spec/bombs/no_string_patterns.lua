-- ends: error
return function() return (('a'):rep(30)):match(('a*'):rep(30) .. 'b') end
