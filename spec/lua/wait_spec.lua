-- Waiting and listening while other code waits, listens, fails or closes the node.
local H = require 'spec.helper'
local tl = require 'tidelock'
local task = require 'tidelock.task'

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
		H.wait_for(function() return refused == 96 end, 20)
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

	it('refuses what nothing can end', function()
		local endless <close> = tl.task(coroutine.yield)
		local ok, err = pcall(endless.wait, endless)
		assert.is_false(ok)
		assert.matches('for ever', tostring(err))
	end)
end)

describe('events', function()
	it('end with the node', function()
		local node, seen = open(), {}
		tl.task(function()
			tl.sleep '20ms'
			assert(node:sync():start_server '127.0.0.1:0')
			tl.sleep '100ms'
			node:close(0)
		end)
		for event in node:events() do
			seen[#seen + 1] = event.kind
		end
		assert.are.equal('server_started', seen[1])
	end)

	it('reach every listener, also when one fails, leaves or brings others', function()
		local node <close> = open()
		local before, told, reached = task.on_error, nil, 0
		task.on_error = function(err) told = err end
		node:on('server_started', function() error 'on purpose' end)
		for _ = 1, 8 do
			local stop
			stop = node:on('server_started', function()
				stop()
				reached = reached + 1
				for _ = 1, 8 do
					node:on('server_stopped', function() end)
				end
			end)
		end
		assert(node:sync():start_server '127.0.0.1:0')
		H.wait_for(function() return reached == 8 end)
		task.on_error, task.failed = before, nil
		assert.matches('on purpose', tostring(told))
	end)
end)
