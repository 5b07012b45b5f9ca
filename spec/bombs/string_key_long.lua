-- ends: string units
-- Looked for in a table, strings that are alike are compared as a whole.
return function()
	local s = ('x'):rep(1000000)
	local t, other = { [s] = 1 }, ('x'):rep(999999) .. 'x'
	while true do local _ = t[other] end
end
