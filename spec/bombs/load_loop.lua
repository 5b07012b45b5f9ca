-- ends: units
-- Before there is anything to call.
while true do end
