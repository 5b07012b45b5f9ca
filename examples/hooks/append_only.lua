-- What stands in a log stays: rows of the store `log` are added, and never changed or deleted.
local hook = { databases = '*-log' }

function hook.before_commit(ctx)
	for _, change in ipairs(ctx.changes) do
		if change.store == 'log' and ctx:get('log', { change.path[1] }) ~= nil then
			return nil, ("'%s' is in the log already"):format(change.path[1])
		end
	end
end

return hook
