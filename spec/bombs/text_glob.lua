-- ends: units
-- Stars that each try every place.
return function() return text.glob(('a*'):rep(4000) .. 'b', ('a'):rep(16000)) end
