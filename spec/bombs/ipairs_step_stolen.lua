-- ends: error
return function()
	local step = ipairs {}
	return step(('\x40\x41\x41\x41\x41\x41\0\0'):rep(40), 0x7fffffffff)
end
