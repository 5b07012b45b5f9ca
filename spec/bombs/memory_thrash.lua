-- ends: memory units cpu
-- A full cell in which every request makes the collector run.
-- calls: 500
local kept = {}
return function()
	for _ = 1, 100 do kept[#kept + 1] = { #kept } end
	for _ = 1, 1000 do local _ = { {}, {} } end
end
