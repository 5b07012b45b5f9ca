-- A laptop that is on a telephone's link now and then. What watches the link says so:
-- sync:set_fact('metered', true), and sync:set_fact('battery', 0.2).
local rule = require 'tidelock.rule'

local function small(db) return db.name ~= nil and #db.name < 20 end

return {
	rule { 'messages', databases = 'messages', peers = 'all', priority = 9 },
	rule { 'small ones', databases = small, peers = 'all', every = '15m',
		when = function(ctx) return not ctx.facts.metered end },
	rule { 'all else', databases = '*', peers = 'all', on_commit = false, every = '1h',
		when = function(ctx) return not ctx.facts.metered and (ctx.facts.battery or 1) > 0.5 end },
}
