-- ends: units error
return function() return table.concat({}, '', 1, math.maxinteger) end
