-- Large things at night, work at any time, and nothing twice: the first rule that means a pair counts.
local rule = require 'tidelock.rule'

local function at_night(ctx) return ctx.hour >= 22 or ctx.hour < 6 end
local function at_weekend(ctx) return ctx.weekday >= 6 end -- 1 is Monday

return {
	rule { 'films', databases = { 'films*', 'photos*' }, peers = 'all', on_commit = false, every = '30m',
		rate = '2MiB/s', when = at_night },
	rule { 'backups', databases = 'backup-?', peers = 'all', direction = 'push', every = '1d',
		when = at_weekend },
	rule { 'work', databases = '*', peers = 'all', priority = 9 },
}
