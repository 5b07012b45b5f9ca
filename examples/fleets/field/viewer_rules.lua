-- A screen fetches every site that the hub lists to it.
local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'
local fleet = keyring 'field.keys'

return {
	rule { 'reports', databases = 'site-*', peers = fleet.hub, direction = 'pull', every = '1m',
		discover = true },
}
