-- Saves of a game go everywhere, but never during a match: the game calls sync:set_fact('in_match', true).
local rule = require 'tidelock.rule'

return {
	rule { 'saves', databases = 'save-*', peers = 'all', every = '5m',
		when = function(ctx) return not ctx.facts.in_match end },
}
