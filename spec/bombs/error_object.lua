-- ends: error
return function() error { message = 'never shown' } end
