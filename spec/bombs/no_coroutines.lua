-- ends: error
-- Each would start a count of its own.
return function() return coroutine.wrap(function() while true do end end)() end
