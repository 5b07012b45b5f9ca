-- busted inside the program `tidelock`.
local files = table.move(arg, 1, #arg, 1, {})
_G.arg = { [0] = 'busted', '--helper=spec/lua/helper.lua', '-o', 'plainTerminal', '--no-auto-insulate' }
for _, file in ipairs(files) do
	arg[#arg + 1] = file
end
require 'busted.runner' { standalone = false }
