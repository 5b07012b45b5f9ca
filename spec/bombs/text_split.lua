-- ends: units memory
return function() while true do text.split((','):rep(16000), ',') end end
