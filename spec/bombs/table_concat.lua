-- ends: string units
return function() local t = {} for i = 1, 3000 do t[i] = 'xxxxxxxxxxxxxxxx' end return table.concat(t) end
