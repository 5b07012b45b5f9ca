-- ends: units
-- A tower of pcalls, of which each level tries twice.
local function tower() pcall(tower) pcall(tower) return tower() end
return tower
