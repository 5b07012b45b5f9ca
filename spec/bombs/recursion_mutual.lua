-- ends: units memory
local ping
local function pong(n) return 1 + ping(n + 1) end
function ping(n) return 1 + pong(n + 1) end
return function() return ping(0) end
