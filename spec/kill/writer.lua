-- Commits for ever and tells each entry once it is acknowledged: writer.lua DATA [COUNT]
-- With a count it ends after so many commits, made without waiting for the disk.
local tl = require 'tidelock'

local count = tonumber(arg[2])
local node <close> = assert(tl.open {
	path = arg[1], sync = false, durability = count and 'relaxed' or 'full',
})
local db = node:find_database 'notes'
if not db then
	assert(node:add_private_key('k', ('\1'):rep(32)))
	db = assert(node:new_database({ name = 'notes' }, 'k'))
	assert(db:transact(function(tx) assert(tx:settings():set_global 'read') end))
end
assert(db:set_default_auth_key 'k')
print('ready ' .. db:root_id())
io.stdout:flush()
local number = db:arrival()
while not count or number < count do
	number = number + 1
	local id = assert(db:transact(function(tx)
		local data = tx:doc 'data'
		data:set('last', number)
		data:set({ 'key ' .. number % 500 }, ('x'):rep(number % 200))
	end))
	io.stdout:write('committed ', id, '\n')
	io.stdout:flush()
end
