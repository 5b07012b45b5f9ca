-- What people are told about a raised value: an object that can say itself does, everything else comes
-- with a traceback. told(err [, the coroutine that raised it, or how many functions of a message handler
-- are between]).
return function(err, place)
	local meta = debug.getmetatable(err)
	local text = type(err) == 'number' and tostring(err) or err
	if type(text) ~= 'string' and meta and meta.__tostring then
		local ok, said = pcall(tostring, err)
		if ok then
			return said
		end
	end
	if type(text) ~= 'string' then
		text = ('(an error that is a %s)'):format(type(err))
	end
	if type(place) == 'thread' then
		return debug.traceback(place, text)
	end
	return debug.traceback(text, 2 + (place or 0))
end
