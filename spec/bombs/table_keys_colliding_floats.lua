-- ends: table cpu
-- The same with floats, which are told by a part of them.
return function()
	local t, n = {}, 0
	while true do
		n = n + 1
		t[n * 2.0 ^ 60 + 2.0 ^ 100] = n
		t[2.0 ^ -n] = n
	end
end
