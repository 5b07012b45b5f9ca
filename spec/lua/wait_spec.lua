-- Waiting and listening while other code waits, listens, fails or closes the node.
local H = require 'spec.helper'
local tl = require 'tidelock'

local function open()
	local node = assert(tl.open { backend = tl.memory() })
	assert(node:sync():enable_http_transport())
	return node
end

-- A listening socket that never answers; returns its address and a function that closes it.
local function silent()
	local server, taken = tl.loop.new_tcp(), {}
	server:bind('127.0.0.1', 0)
	server:listen(8, function()
		taken[#taken + 1] = tl.loop.new_tcp()
		server:accept(taken[#taken])
	end)
	return 'http:127.0.0.1:' .. server:getsockname().port, function()
		for _, socket in ipairs(taken) do
			socket:close()
		end
		server:close()
	end
end

describe('waiting', function()
	teardown(H.clean)

	it('goes on in many tasks that wait again as soon as they are woken', function()
		local node <close> = open()
		local refused = 0
		for _ = 1, 12 do
			tl.task(function()
				for port = 1, 8 do
					local _, err = node:sync():connect_to_peer('http:127.0.0.1:' .. port)
					refused = refused + (err.code == 'connection_failed' and 1 or 0)
				end
			end)
		end
		H.wait_for(function() return refused == 96 end)
	end)

	it('ends when the node is closed', function()
		local node = open()
		local address, stop = silent()
		tl.task(function()
			tl.sleep '50ms'
			node:close(0)
		end)
		local peer, err = node:sync():connect_to_peer(address)
		assert.is_nil(peer)
		assert.is_true(err.code == 'cancelled' or err.code == 'closed')
		stop()
	end)

	it('may close the node that woke it', function()
		local node, closed = open(), false
		tl.task(function()
			node:sync():connect_to_peer 'http:127.0.0.1:1'
			node:close(0)
			closed = true
		end)
		H.wait_for(function() return closed end)
	end)

	it('leaves nothing behind when its task is cancelled', function()
		local node <close> = open()
		local http <close> = assert(tl.transport.http())
		local server <close> = assert(http:serve('127.0.0.1:0', function() tl.sleep '1h' end))
		local address, stop = silent()
		local _ <close> = setmetatable({}, { __close = stop })
		local slow <close> = tl.task(function() tl.sleep '1h' end)
		local before = H.handles()
		for name, fn in pairs {
			sleep = function() tl.sleep '1h' end,
			operation = function() node:sync():connect_to_peer(address) end,
			fetch = function() node:sync():sync_with_peer(address, 'sha256:' .. ('0'):rep(64)) end,
			request = function() http:request { address = server:address(), path = '/' } end,
			events = function() for _ in node:events() do end end,
			task = function() slow:wait() end,
			nested = function()
				local inner <close> = tl.task(function() tl.sleep '1h' end)
				inner:wait()
			end,
		} do
			for _ = 1, 3 do
				assert.is_true(tl.task(fn):cancel(), name)
			end
			H.wait_for(function() return H.handles() <= before + 1 end) -- one is of this waiting
		end
		slow:cancel()
		assert.are.same({}, require 'tidelock.task'.unfinished())
	end)

	it('is refused at once where nothing may wait, also when there is nothing to wait for', function()
		local node <close> = open()
		local finished = tl.task(function() return 'done' end)
		local waits = {
			sleep = function() tl.sleep(0) end,
			flush = function() node:sync():flush() end,
			wait = function() finished:wait() end,
			events = function() for _ in node:events() do end end,
		}
		for name, fn in pairs(waits) do
			local places = {}
			tl.task(function()
				places.own = { coroutine.resume(coroutine.create(fn)) }
				tl.sleep '1ms'
				places.own_later = { coroutine.resume(coroutine.create(fn)) }
			end):wait()
			local timer = tl.loop.new_timer()
			timer:start(0, 0, function()
				timer:close()
				places.callback = { pcall(fn) }
			end)
			local stop = node:on('server_started', function() places.listener = { pcall(fn) } end)
			assert(node:sync():start_server '127.0.0.1:0')
			H.wait_for(function() return places.listener end)
			node:sync():stop_server()
			stop()
			local closing = tl.task(function()
				local _ <close> = setmetatable({}, { __close = function() places.closing = { pcall(fn) } end })
				tl.sleep '1h'
			end)
			closing:cancel()
			for _, place in ipairs { 'own', 'own_later', 'callback', 'listener', 'closing' } do
				assert.is_false(places[place][1], name .. ' ' .. place)
				assert.are.equal('would_block', places[place][2].code, name .. ' ' .. place)
			end
			-- A coroutine of the main chunk's own has nobody who could be kept from his turn.
			assert.is_true(name == 'events' or coroutine.resume(coroutine.create(fn)))
		end
	end)

	it('ends with the timer that was due before the loop turned, whatever else is watched', function()
		local node <close> = open()
		node:on('overflow', function() end) -- a descriptor on which nothing happens
		local timer = tl.loop.new_timer()
		require 'tidelock.task'.wait('spec', function(wake)
			timer:start(1, 0, wake)
			local since = tl.loop.hrtime()
			while tl.loop.hrtime() - since < 10e6 do end
		end, function()
			timer:close()
		end)
	end)

	it('refuses what nothing can end', function()
		local endless <close> = tl.task(coroutine.yield)
		local ok, err = pcall(endless.wait, endless)
		assert.is_false(ok)
		assert.matches('for ever', tostring(err))
	end)
end)
