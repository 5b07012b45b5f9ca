-- ends: units
return function() while true do print 'again' end end
