-- A family: laptops that roam and a NAS that listens. The same file on every device.
local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'
local family = keyring 'family.keys'

return policy.first {
	policy.grant { peer = family.laptops, may = 'create' }, -- whoever makes a database may bring it
	policy.usual { peer = family.all }, -- else their keys and relations decide, as without a policy
	policy.deny 'not one of the family',
}
