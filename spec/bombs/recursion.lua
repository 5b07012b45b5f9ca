-- ends: memory units
-- A stack that grows until the cell is full.
local function deeper() return 1 + deeper() end
return deeper
