-- ends: error
return function()
	local step = pairs { a = 1 }
	return step(0x41414140)
end
