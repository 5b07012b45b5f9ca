-- Saves stay small.
local hook = { databases = 'save-*' }

function hook.before_commit(ctx)
	if ctx.size > 1024 * 1024 - 4096 then
		return nil, 'this save is too large; delete a slot'
	end
end

return hook
