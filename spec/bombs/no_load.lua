-- ends: error
return function() return load('while true do end')() end
