-- A node that does what it is told, a line a time, until its standard input ends: node.lua DATA LISTEN
-- LISTEN is "-" for one that only dials. A line is `NUMBER COMMAND ARGUMENT…`, its answer
-- `NUMBER ok TEXT` or `NUMBER failed TEXT`.
local tl = require 'tidelock'
local uv = tl.loop

local data, listen = assert(arg[1]), assert(arg[2])
local node = assert(tl.open { path = data, durability = 'relaxed' })
local sync = node:sync()
assert(sync:enable_http_transport())
if listen ~= '-' then assert(sync:start_server(listen)) end

local db
local commands = {}

function commands.open(id)
	db = assert(node:load_database(id))
	assert(db:set_default_auth_key '_device_key')
	return id
end

-- Everybody may write, so that nobody need be let in.
function commands.create()
	local new = assert(node:new_database({ name = 'soak' }, '_device_key'))
	assert(new:set_default_auth_key '_device_key')
	assert(new:transact(function(tx) assert(tx:settings():set_global 'write:10') end))
	return commands.open(new:root_id())
end

function commands.join(address, id)
	assert(sync:sync_with_peer(address, id))
	return commands.open(id)
end

-- The id of the entry, once it is acknowledged.
function commands.commit(key, size)
	return assert(db:transact(function(tx)
		tx:doc 'data':set({ key }, ('x'):rep(math.tointeger(size)))
	end))
end

-- How many entries, the tips, and what is not at rest.
function commands.look()
	local restless = {}
	for _, pair in ipairs(assert(sync:status()).pairs) do
		if pair.state ~= 'idle' or pair.dirty then
			restless[#restless + 1] = ('%s%s'):format(pair.state, pair.last_error and ': ' .. pair.last_error or '')
		end
	end
	return ('%d %s %s'):format(db:counts().entries, table.concat(assert(db:get_tips()), ','),
		table.concat(restless, '; '))
end

-- How many of these entries are not there.
function commands.lack(ids)
	local lacking = 0
	for id in ids:gmatch '[^,]+' do
		if not db:has(id) then lacking = lacking + 1 end
	end
	return lacking
end

function commands.verify()
	local findings = assert(db:verify())
	return findings[1] and findings[1].text or 'good'
end

local function answer(line)
	local number, command, rest = line:match '^(%d+) (%S+) ?(.*)$'
	local words = {}
	for word in rest:gmatch '%S+' do words[#words + 1] = word end
	local ok, text = pcall(commands[command], table.unpack(words))
	io.stdout:write(('%s %s %s\n'):format(number, ok and 'ok' or 'failed', (tostring(text):gsub('\n', ' '))))
	io.stdout:flush()
end

print('ready ' .. (listen ~= '-' and sync:get_server_address() or '-'))
io.stdout:flush()
local input = uv.new_pipe()
assert(input:open(0))
local rest, over = '', false
input:read_start(function(_, piece)
	over = not piece
	rest = (rest .. (piece or '')):gsub('([^\n]*)\n', function(line)
		tl.task(function() answer(line) end)
		return ''
	end)
end)
while not over do tl.sleep '20ms' end
node:close()
