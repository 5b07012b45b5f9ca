-- ends: units
-- The same of zeros that stand nowhere in the file.
return function()
	local a = string.char(0)
	for _ = 1, 13 do a = a .. a end
	local b = a .. utf8.char(0)
	while true do local _ = a < b end
end
