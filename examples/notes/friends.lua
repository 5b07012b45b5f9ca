-- Who of those that have rights may come to the host of a folder: who stands in friends.keys.
local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'

return policy.first {
	policy.usual { peer = keyring 'friends.keys'.all },
	policy.deny 'not in friends.keys',
}
