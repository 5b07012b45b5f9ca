-- What it hands up, and when: the modem's daemon calls sync:set_fact('metered', true).
local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'
local fleet = keyring 'iot.keys'

local function on_wifi(ctx)
	return not ctx.facts.metered
end

return {
	rule { 'alarms', databases = 'alarms', peers = fleet.gateway, priority = 9 },
	rule { 'settings', databases = 'settings', peers = fleet.gateway, direction = 'pull', on_commit = false,
		every = '1h' },
	rule { 'telemetry', databases = 'telemetry*', peers = fleet.gateway, direction = 'push', on_commit = false,
		every = '15m', rate = '16KiB/s', when = on_wifi },
}
