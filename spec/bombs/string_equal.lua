-- ends: units
return function()
	local a, b = ('x'):rep(16000), ('x'):rep(15999) .. 'x'
	while true do local _ = a == b end
end
