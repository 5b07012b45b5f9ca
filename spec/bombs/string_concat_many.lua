-- ends: units string
-- One instruction that copies many kilobytes.
return function() local s = ('x'):rep(16000) while true do local _ = s .. 'y' .. '' end end
