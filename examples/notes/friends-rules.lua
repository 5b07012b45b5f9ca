-- With whom the host of a folder keeps it in step: who stands in friends.keys.
local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'

return {
	rule { 'notes to friends', databases = 'notes', peers = keyring 'friends.keys'.all, every = '5m' },
}
