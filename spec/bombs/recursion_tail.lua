-- ends: units
local function again() return again() end
return again
