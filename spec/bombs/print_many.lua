-- ends: error
return function()
	local t = {}
	for i = 1, 900 do t[i] = i end
	print(table.unpack(t))
	error 'printed'
end
