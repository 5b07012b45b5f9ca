-- What a node tells, to several readers at once.
local H = require 'spec.helper'
local tl = require 'tidelock'
local task = require 'tidelock.task'
local uv = require 'luv'

local function open()
	local node = assert(tl.open { backend = tl.memory() })
	assert(node:sync():enable_http_transport())
	return node
end


local function with_database()
	local node = assert(tl.open { backend = tl.memory(), sync = false })
	assert(node:add_private_key 'me')
	local db = assert(node:new_database({ name = 'n' }, 'me'))
	return node, function(count)
		for n = 1, count or 1 do
			assert(db:transact(function(tx) tx:doc 'd':set('k', n) end))
		end
	end
end

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

	it('come to every reader, whatever waits and takes meanwhile', function()
		local node <close> = open()
		local db = assert(node:new_database({ name = 'n' }, '_device_key'))
		assert.is_nil(node:next_event()) -- from here on
		local heard, looped = {}, {}
		node:on('entry_committed', function(event) heard[#heard + 1] = event.entry end)
		local loop = tl.task(function()
			for event in node:events { 'entry_committed' } do
				looped[#looped + 1] = event.entry
			end
		end)
		local committed = {}
		for n = 1, 30 do
			committed[n] = assert(db:transact(function(tx) tx:doc 'd':set('k', n) end))
			if n % 3 == 0 then
				assert(node:sync():flush())
			elseif n % 5 == 0 then
				node:sync():connect_to_peer 'http:127.0.0.1:1'
			end
		end
		local taken = {}
		for event in node.next_event, node do
			if event.kind == 'entry_committed' then
				taken[#taken + 1] = event.entry
			end
		end
		H.wait_for(function() return #looped == 30 end)
		loop:cancel()
		assert.are.same(committed, taken)
		assert.are.same(committed, heard)
		assert.are.same(committed, looped)
	end)

	it('are kept in order while listeners take, commit, and close the node', function()
		local node, commit = with_database()
		local first, second, looped, taken, closed = {}, {}, 0, 0, false
		node:on('entry_committed', function(event)
			first[#first + 1] = event.number
			if #first < 5 then
				commit()
				while not closed and node:next_event() do
					taken = taken + 1
				end
			end
		end)
		node:on('entry_committed', function(event)
			second[#second + 1] = event.number
			if #second == 10 then
				closed = true
				node:close(0)
			end
		end)
		local loop = tl.task(function()
			for _ in node:events() do
				looped = looped + 1
			end
		end)
		commit(6)
		loop:wait()
		assert.are.same({ 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, first)
		assert.are.same(first, second)
		assert.are.equal(10, looped)
		assert.are.equal(9, taken) -- its reading began after the first
	end)

	it('keep a program running only while somebody waits for one', function()
		local node <close>, commit = with_database()
		local step, _, _, left <close> = node:events { 'entry_committed' } -- luacheck: ignore left
		uv.run 'nowait'
		assert.is_false(uv.loop_alive())
		commit()
		assert.are.equal('entry_committed', step().kind)
		uv.run 'nowait'
		assert.is_false(uv.loop_alive())
		local reading = tl.task(step)
		uv.run 'nowait'
		assert.is_true(uv.loop_alive())
		commit()
		assert.are.equal('entry_committed', reading:wait().kind)
		uv.run 'nowait'
		assert.is_false(uv.loop_alive())
	end)

	it('are kept for a slow reader up to a number, and what is lost is counted', function()
		local node <close>, commit = with_database()
		node:next_event()
		node:on('server_started', function() end) -- brings every event to the readers at once
		local all, some = {}, 0
		local go = false
		local slow = tl.task(function()
			for event in node:events() do
				all[#all + 1] = event
				H.wait_for(function() return go end)
				if event.kind == 'overflow' then
					break
				end
			end
		end)
		local only = tl.task(function()
			for _ in node:events { 'server_started', 'entry_committed' } do
				some = some + 1
				H.wait_for(function() return go end)
				if some == 10001 then
					break
				end
			end
		end)
		for _ = 1, 26 do
			commit(400)
			tl.sleep '1ms'
		end
		go = true
		slow:wait()
		only:wait()
		-- One more was taken at once, when the first came.
		assert.are.equal(10002, #all)
		for n = 1, 10001 do
			assert(all[n].kind == 'entry_committed' and all[n].number == n + 1)
		end
		assert.are.equal(10400 - 10001, all[10002].number)
		local count, last = 0, nil
		for event in node.next_event, node do
			count, last = count + 1, event
		end
		assert.are.equal(10001, count)
		assert.are.equal('overflow', last.kind)
		assert.are.equal(400, last.number)
	end)

	it('go to one of the tasks that share a loop', function()
		local node, commit = with_database()
		local take, got = node:events { 'entry_committed' }, {}
		local tasks = {}
		for n = 1, 3 do
			tasks[n] = tl.task(function()
				for event in take do
					got[#got + 1] = event.number
				end
			end)
		end
		tl.task(take):cancel()
		for _ = 1, 5 do
			commit(2)
			tl.sleep '1ms'
		end
		node:close(0)
		for n = 1, 3 do
			tasks[n]:wait()
		end
		table.sort(got)
		assert.are.same({ 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, got)
	end)

	it('are asked for by their names', function()
		local node <close> = open()
		assert.has_error(function() node:events 'server_started' end)
		assert.has_error(function() node:events { 'server_startd' } end)
		assert.has_error(function() node:on('server_startd', print) end)
	end)
end)
