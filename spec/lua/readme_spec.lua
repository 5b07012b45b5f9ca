-- The script of the top README does what it says, also the second time.
local H = require 'spec.helper'
local tl = require 'tidelock'

local ADDRESS = "'http:192.168.1.100:8080'"

local function script_of_readme()
	local file <close> = assert(io.open 'README.md')
	return assert(file:read 'a':match '```lua\n(.-)```')
end

describe('the script of the README', function()
	teardown(H.clean)

	it('runs again and again against a peer', function()
		local folder = H.folder()
		local _, said = H.run('init', '--json', '-d', folder .. '/notes')
		local peer <close> = assert(tl.open {
			backend = tl.memory(), accept_databases_from = { tl.json.decode(said).device_key },
		})
		assert(peer:sync():enable_http_transport())
		local address = assert(peer:sync():start_server '127.0.0.1:0')
		address = type(address) == 'string' and address or peer:sync():get_server_address()
		local place = ("'http:%s'"):format((address:gsub('^http:', '')))
		local text, count = script_of_readme():gsub(ADDRESS, place)
		assert.are.equal(1, count)
		H.write(folder .. '/script.lua', text)
		for _ = 1, 2 do
			local line = ('cd %q && env -u LUA_CPATH %q run script.lua 2>&1'):format(folder, H.program)
			local pipe = assert(io.popen(line))
			assert.are.equal('', pipe:read 'a')
			assert.are.equal(0, (select(3, pipe:close())))
		end
		local _, list = H.run('db', 'list', '--json', '-d', folder .. '/notes')
		local databases = tl.json.decode(list)
		assert.are.equal(1, #databases)
		assert.are.same({ databases[1].id }, peer:all_databases())
		local db <close> = assert(peer:find_database 'notes')
		assert.are.equal('Hello, distributed world!', db:get_store('data', tl.DocStore):get 'message')
		assert.are.equal(3, databases[1].entries)
	end)
end)
