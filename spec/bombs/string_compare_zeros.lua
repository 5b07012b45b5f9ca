-- ends: units
-- Each zero byte is a comparison of its own.
return function()
	local a, b = ('\0'):rep(16000) .. '1', ('\0'):rep(16000) .. '2'
	while true do local _ = a < b end
end
