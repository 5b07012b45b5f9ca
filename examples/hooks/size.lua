-- Entries stay small, whatever the database; photos may be larger.
return {
	before_commit = function(ctx)
		local most = ctx.db_name and text.starts(ctx.db_name, 'photos') and 512 or 16
		if ctx.size > most * 1024 then
			return nil, ('this would be an entry of %d KiB, and %d are the most'):format(ctx.size // 1024, most)
		end
	end,
}
