-- Only the owner's key changes who may do what.
local keyring = require 'tidelock.keyring'
local owners = keyring 'owners.keys'.owners

return {
	before_commit = function(ctx)
		for _, change in ipairs(ctx.is_root_entry and {} or ctx.changes) do
			if change.store == '_settings' and change.path[1] == 'auth' and not owners[ctx.author] then
				return nil, 'only an owner lets others in'
			end
		end
	end,
}
