-- At most 60 commits a minute, also while this file is changed.
local minute, count = 0, 0

local function before_commit(ctx)
	if ctx.now // 60 ~= minute then
		minute, count = ctx.now // 60, 0
	end
	count = count + 1
	if count > 60 then
		return nil, 'more than 60 commits in this minute'
	end
end

return {
	databases = { 'sensor-*', 'telemetry' },
	before_commit = before_commit,
	save = function() return { minute, count } end,
	restore = function(old) minute, count = old[1], old[2] end,
}
