-- Acme's gateway. Globex sees one database, over TLS, at a pace, and nothing else.
local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'
local ours, theirs = keyring 'acme.keys', keyring 'globex.keys'
local ORDERS = 'sha256:00000000000000000000000000000000000000000000000000000000000000aa'

return policy.first {
	policy.usual { peer = theirs.all, database = ORDERS, encrypted = true, rate = '512KiB/s' },
	policy.deny { peer = theirs.all, reason = 'orders only, and only over TLS' },
	policy.usual { peer = ours.all },
	policy.deny 'stranger',
}
