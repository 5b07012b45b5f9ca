-- ends: string units
-- Where strings may be long, a comparison is a long instruction.
return function()
	local a, b = ('x'):rep(1000000) .. '1', ('x'):rep(1000000) .. '2'
	while true do local _ = a < b end
end
