-- A way between two nodes on which connections are cut anywhere: all arrives by itself, and nothing twice but
-- what was under way at a cut.
local H = require 'spec.helper'
local tl = require 'tidelock'
local uv = require 'luv'

local MARK = 'mark%d%d%d%d;'
local MARK_LEN = #'mark0000;'

-- The same numbers for the same seed, in [1, most].
local function numbers(seed)
	return function(most)
		seed = (seed * 1103515245 + 12345) % 0x80000000
		return (seed >> 8) % most + 1
	end
end

-- Passes on what comes, either way, and while `cutting` ends each connection after so many bytes or so long.
-- Counts the marks that pass: `seen` of each, and in `cost` what may come again for a cut. What was under
-- way does, twice where it had arrived and only its answer was lost: as it was, and signed anew. And what
-- went one way since the last cut may come back with the pull that looks what was missed.
local function cutter_to(address, draw)
	local cutter = { seen = {}, cost = 0, since = 0, cuts = 0, cutting = false, handles = {} }
	local port = tonumber(address:match '%d+$')
	local listener = uv.new_tcp()
	cutter.handles[listener] = true

	local function close(handle, reset)
		if cutter.handles[handle] then
			cutter.handles[handle] = nil
			if reset then handle:close_reset() else handle:close() end
		end
	end

	-- A request and its answer follow each other: a new exchange begins when the client speaks again.
	local function note(way, from_client, piece)
		if from_client and way.answering then
			way.marks, way.tails = 0, { [true] = '', [false] = '' }
		end
		way.answering = not from_client
		local text = way.tails[from_client] .. piece
		for mark in text:gmatch(MARK) do
			cutter.seen[mark] = (cutter.seen[mark] or 0) + 1
			way.marks, cutter.since = way.marks + 1, cutter.since + 1
		end
		local last = text:match('.*' .. MARK .. '()') or 1
		way.tails[from_client] = text:sub(math.max(last, #text - MARK_LEN + 2))
	end

	local function finish(way, cut)
		if way.over then return end
		way.over = true
		if cut then
			cutter.cuts = cutter.cuts + 1
			cutter.cost, cutter.since = cutter.cost + 2 * way.marks + cutter.since, 0
		end
		close(way.timer)
		close(way.client, cut)
		close(way.server, cut)
	end

	local function pass(way, from, to)
		from:read_start(function(err, piece)
			if err or not piece then
				return finish(way, false)
			end
			local room = cutter.cutting and math.max(way.room, 0) or math.huge
			way.room = way.room - #piece
			if #piece >= room then
				piece = piece:sub(1, room)
			end
			note(way, from == way.client, piece)
			if #piece < room then
				to:write(piece)
			else -- what was passed on arrives, and then the end
				to:write(piece, function() finish(way, true) end)
				from:read_stop()
			end
		end)
	end

	local function begin(client)
		local way = { client = client, server = uv.new_tcp(), timer = uv.new_timer(), marks = 0,
			tails = { [true] = '', [false] = '' }, room = draw(30000) }
		cutter.handles[client], cutter.handles[way.server], cutter.handles[way.timer] = true, true, true
		way.server:connect('127.0.0.1', port, function(err)
			if err or way.over then return finish(way, false) end
			pass(way, client, way.server)
			pass(way, way.server, client)
		end)
		way.timer:start(draw(500), 500, function()
			if cutter.cutting then finish(way, true) end
		end)
	end

	assert(listener:bind('127.0.0.1', 0))
	assert(listener:listen(16, function()
		local client = uv.new_tcp()
		assert(listener:accept(client))
		begin(client)
	end))
	cutter.address = '127.0.0.1:' .. listener:getsockname().port

	function cutter:close()
		for handle in pairs(self.handles) do
			close(handle)
		end
	end
	return cutter
end

local function open(name)
	local node = assert(tl.open { backend = tl.memory(), name = name, retry_max = '200ms',
		max_attempts = 0, periodic = 0, connection_check = 0 })
	assert(node:sync():enable_http_transport())
	assert(node:add_private_key 'k')
	return node, node:sync()
end

-- A hub that is dialled through a cutter, and who dials; both write to one database.
local function hub_and_guest(draw)
	local hub, hub_sync = open 'hub'
	local guest, sync = open 'guest'
	local db = assert(hub:new_database({ name = 'n' }, 'k'))
	db:set_default_auth_key 'k'
	assert(db:transact(function(tx)
		assert(tx:settings():add_auth_key(guest:get_public_key 'k', 'write:10'))
	end))
	assert(hub_sync:start_server '127.0.0.1:0')
	local direct = hub_sync:get_server_address()
	local cutter = cutter_to(direct, draw)
	assert(sync:sync_with_peer(cutter.address, db:root_id()))
	sync:remove_peer_address(hub:device_key(), direct)
	local copy = assert(guest:load_database(db:root_id()))
	copy:set_default_auth_key 'k'
	H.wait_for(function() return hub_sync:get_peer_info(guest:device_key()).inbound.watches == 1 end)
	return { hub = hub, guest = guest, dbs = { db, copy }, cutter = cutter }
end

local function has_all(db, count)
	local doc = db:doc 'd'
	for i = 1, count do
		if not doc:get('k' .. i) then return false end
	end
	return true
end

-- Each of them once from one of the two, whichever is drawn.
local function commit(p, draw, from, to)
	for i = from, to do
		assert(p.dbs[draw(2)]:transact(function(tx)
			tx:doc 'd':set('k' .. i, ('mark%04d;'):format(i))
		end))
		tl.sleep(draw(30) .. 'ms')
	end
	-- Nothing but commits, watches and what follows a cut makes anybody speak.
	for _, db in ipairs(p.dbs) do
		H.wait_for(function() return has_all(db, to) end)
	end
end

-- How many passed, and how often one of them came again.
local function count_passed(cutter)
	local passed, again = 0, 0
	for _, times in pairs(cutter.seen) do
		passed, again = passed + 1, again + times - 1
	end
	return passed, again
end

describe('on a way that cuts connections anywhere', function()
	teardown(H.clean)

	for seed = 1, 3 do
		it('everything arrives, and nothing twice beyond what a cut costs (seed ' .. seed .. ')', function()
			local draw = numbers(seed)
			local p = hub_and_guest(draw)
			commit(p, draw, 1, 15)
			assert.are.same({ 15, 0 }, { count_passed(p.cutter) })
			p.cutter.cutting = true
			commit(p, draw, 16, 75)
			local passed, again = count_passed(p.cutter)
			assert.are.equal(75, passed)
			assert.is_true(p.cutter.cuts >= 5, p.cutter.cuts .. ' cuts')
			assert.is_true(again <= p.cutter.cost,
				('%d came again, %d may have at %d cuts'):format(again, p.cutter.cost, p.cutter.cuts))
			p.cutter:close()
			p.guest:close(0)
			p.hub:close(0)
		end)
	end
end)
