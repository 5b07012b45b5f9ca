-- ends: units string
-- Each new string is hashed as a whole.
return function()
	local t, s = {}, ('x'):rep(16000)
	while true do local _ = t[s .. 'y'] end
end
