-- The hub of a plant: devices in the field write to it, screens only read.
local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'
local fleet = keyring 'field.keys'

return policy.first {
	policy.deny { peer = fleet.viewers, may = { 'write', 'create' }, reason = 'screens only read' },
	policy.grant { peer = fleet.viewers, may = 'read', database = 'site-*' }, -- they have no key there
	policy.grant { peer = fleet.field, may = 'create', rate = '256KiB/s' }, -- a new device brings its database
	policy.usual { peer = fleet.field },
	policy.deny 'unknown device',
}
