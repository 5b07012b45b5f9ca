-- Which rule of a file counts for a peer and a database, as plain data: `tidelock try`. Runs in cells.
local rule = require 'tidelock.rule'

--- nil: none does.
return function(rules, peer, db, ctx)
	local match = rule.match(rules, { peer }, { db }, ctx)[1]
	if not match then
		return nil
	end
	local one = match.rule
	return { rule = one.name, where = one.at, paused = match.paused, direction = one.direction,
		on_commit = one.on_commit, every = one.every, rate = one.rate, priority = one.priority,
		discover = one.discover }
end
