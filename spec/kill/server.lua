-- Serves what it holds: server.lua DATA LISTEN [iroh]
local tl = require 'tidelock'

local node = assert(tl.open { path = arg[1] })
local sync = node:sync()
if arg[3] == 'iroh' then
	assert(sync:enable_iroh_transport {
		relay_mode = 'disabled', lookup = 'none', bind = arg[2], plugin = os.getenv 'TIDELOCK_IROH',
	})
	assert(sync:start_server('', { transport = 'iroh' }))
else
	assert(sync:enable_http_transport())
	assert(sync:start_server(arg[2]))
end
print('ready ' .. sync:get_server_address())
io.stdout:flush()
