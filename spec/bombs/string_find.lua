-- ends: units
-- The worst text for a search that goes back.
return function()
	local text, what = ('a'):rep(16000), ('a'):rep(120) .. 'b' .. ('a'):rep(120)
	while true do text:find(what, 1, true) end
end
