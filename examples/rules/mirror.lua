-- A machine that keeps a copy of whatever the others have: it takes, and sends nothing.
local rule = require 'tidelock.rule'

return {
	rule { 'mirror', databases = '*', peers = function(peer) return peer.name ~= nil end, direction = 'pull',
		every = '10m', discover = true },
}
