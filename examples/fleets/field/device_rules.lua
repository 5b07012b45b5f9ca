-- A device in the field hands up what it measures.
local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'
local fleet = keyring 'field.keys'

return { rule { 'up', databases = 'site-*', peers = fleet.hub } }
