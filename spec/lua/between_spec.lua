-- What stands between two nodes: reverse proxies that limit bodies, balancers that drop idle connections.
local H = require 'spec.helper'
local tl = require 'tidelock'
local uv = require 'luv'

local MIB = 1024 * 1024

-- A proxy for requests with a length, one at a time on each connection. `look(proxy, request)` is called
-- while a request comes in: { head, length, got, fresh, idle } and may give 'refuse' (413), 'cut' (an end
-- in the middle), 'mute' (nothing at all comes any more) or nil.
local function proxy_to(address, look)
	local proxy = { largest = 0, refused = 0, connections = 0, handles = {} }
	local port = tonumber(address:match '%d+$')
	local listener = uv.new_tcp()
	proxy.handles[listener] = true

	local function close(handle)
		proxy.handles[handle] = nil
		if not handle:is_closing() then
			handle:close()
		end
	end

	local function forward(client, whole, done)
		local upstream = uv.new_tcp()
		proxy.handles[upstream] = true
		local answer = ''
		upstream:connect('127.0.0.1', port, function(err)
			if err then
				close(upstream)
				return close(client)
			end
			upstream:write(whole)
			upstream:read_start(function(_, piece)
				answer = answer .. (piece or '')
				local head, rest = answer:match '^(.-\r\n\r\n)(.*)$'
				local length = head and tonumber(head:lower():match 'content%-length: *(%d+)' or 0)
				if head and #rest >= length then
					close(upstream)
					if not client:is_closing() then
						client:write(answer)
					end
					done()
				elseif not piece then
					close(upstream)
					close(client)
				end
			end)
		end)
	end

	local function serve(client)
		local got, answered, mute = '', nil, false
		client:read_start(function(err, piece)
			if err or not piece then
				return close(client)
			end
			got = got .. piece
			local head, rest = got:match '^(.-\r\n\r\n)(.*)$'
			if not head or mute then
				return
			end
			local length = tonumber(head:lower():match 'content%-length: *(%d+)' or 0)
			local what = look(proxy, { head = head, length = length, got = #rest, fresh = not answered,
				idle = answered and (uv.hrtime() - answered) / 1e9 or 0 })
			if what then
				proxy.refused = proxy.refused + 1
			end
			if what == 'refuse' then
				mute = true
				client:write 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
				client:shutdown()
			elseif what == 'cut' then
				proxy.handles[client] = nil
				client:close_reset()
			elseif what == 'mute' then
				mute = true
			elseif #rest >= length then
				proxy.largest = math.max(proxy.largest, length)
				got = ''
				forward(client, head .. rest, function() answered = uv.hrtime() end)
			end
		end)
	end

	assert(listener:bind('127.0.0.1', 0))
	assert(listener:listen(16, function()
		local client = uv.new_tcp()
		assert(listener:accept(client))
		proxy.connections = proxy.connections + 1
		proxy.handles[client] = true
		serve(client)
	end))
	proxy.address = '127.0.0.1:' .. listener:getsockname().port

	function proxy:close()
		for handle in pairs(self.handles) do
			if not handle:is_closing() then
				handle:close()
			end
		end
	end
	return proxy
end

local function open(options)
	options.backend = tl.memory()
	local node = assert(tl.open(options))
	assert(node:sync():enable_http_transport())
	return node, node:sync()
end

-- Two nodes of which the first knows the second only through a proxy.
local function pair_with(look, options)
	options = options or {}
	options.name, options.retry_max = 'ann', '200ms'
	options.connection_check, options.periodic = 0, 0
	local ann, sync = open(options)
	local bob, bobs = open { name = 'bob', accept_databases_from = { ann:device_key() } }
	assert(bobs:start_server '127.0.0.1:0')
	local direct = bobs:get_server_address()
	local proxy = proxy_to(direct, look)
	assert(ann:add_private_key 'me')
	local peer = assert(sync:connect_to_peer(proxy.address))
	sync:remove_peer_address(peer, direct)
	local db = assert(ann:new_database({ name = 'n' }, 'me'))
	return {
		ann = ann, bob = bob, sync = sync, peer = peer, db = db, proxy = proxy,
		close = function()
			proxy:close()
			ann:close(0)
			bob:close(0)
		end,
	}
end

local function write(db, count, bytes)
	for i = 1, count do
		assert(db:transact(function(tx) tx:doc 'd':set('k' .. i, ('x'):rep(bytes)) end))
	end
end

local function arrived(p)
	local copy = p.bob:load_database(p.db:root_id())
	return copy and copy:arrival() or 0
end

local function limit(bytes, how)
	return function(_, request)
		if request.length > bytes and (how == 'refuse' or request.got > bytes // 2) then
			return how
		end
	end
end

describe('between two nodes', function()
	teardown(H.clean)

	it('messages stay below 1 MiB, whatever the size of their entries', function()
		for _, entries in ipairs { { 300, 4000 }, { 1500, 300 }, { 120, 9500 }, { 30, 60000 } } do
			local p = pair_with(limit(MIB - 1, 'refuse'))
			write(p.db, entries[1], entries[2])
			assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
			assert(p.sync:flush '60s')
			assert.are.equal(p.db:arrival(), arrived(p))
			assert.are.equal(0, p.proxy.refused)
			p.close()
		end
	end)

	it('a node can be told to send smaller ones', function()
		local p = pair_with(function() end, { max_page_bytes = '128KiB' })
		write(p.db, 100, 10000)
		assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
		assert(p.sync:flush '60s')
		assert.are.equal(p.db:arrival(), arrived(p))
		assert.is_true(p.proxy.largest <= 128 * 1024)
		p.close()
	end)

	for _, how in ipairs { 'refuse', 'cut' } do
		it('smaller pages go where bodies are limited (' .. how .. '), and that is remembered', function()
			local p = pair_with(limit(200 * 1024, how))
			write(p.db, 150, 10000)
			assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
			assert(p.sync:flush '60s')
			assert.are.equal(p.db:arrival(), arrived(p))
			assert.is_true(p.proxy.refused > 0)
			local before = p.proxy.refused
			write(p.db, 100, 10000)
			assert(p.sync:flush '60s')
			assert.are.equal(p.db:arrival(), arrived(p))
			assert.are.equal(before, p.proxy.refused)
			p.close()
		end)
	end

	it('entries go one by one where next to nothing passes', function()
		local p = pair_with(limit(20 * 1024, 'refuse'))
		write(p.db, 40, 10000)
		assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
		assert(p.sync:flush '60s')
		assert.are.equal(p.db:arrival(), arrived(p))
		p.close()
	end)

	it('a small message that is cut once is no limit', function()
		local left = 0
		local p = pair_with(function(_, request)
			if left > 0 and request.got > 0 then
				left = left - 1
				return 'cut'
			end
		end)
		write(p.db, 1, 10)
		assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
		assert(p.sync:flush '20s')
		left = 2 -- what dies on a kept connection is sent once more
		write(p.db, 1, 10)
		assert(p.sync:flush '20s')
		assert.are.equal(0, left)
		p.proxy.largest = 0
		write(p.db, 60, 200)
		assert(p.sync:flush '20s')
		assert.are.equal(p.db:arrival(), arrived(p))
		assert.is_true(p.proxy.largest > 4000)
		p.close()
	end)

	it('one that does not pass even alone is told with its cause', function()
		local p = pair_with(limit(100 * 1024, 'refuse'))
		write(p.db, 1, 300000)
		assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
		assert.is_not_true(p.sync:flush '2s')
		local pair = p.sync:status().pairs[1]
		assert.truthy(pair.last_error:find('limits bodies', 1, true), pair.last_error)
		assert.truthy(pair.last_error:find('413', 1, true))
		p.close()
	end)

	for _, how in ipairs { 'cut', 'mute' } do
		it('no call fails because an idle connection is gone (' .. how .. ')', function()
			local p = pair_with(function(_, request)
				return request.idle > 0.1 and how or nil
			end)
			local failed = 0
			p.ann:on('sync_failed', function() failed = failed + 1 end)
			tl.sleep '300ms'
			assert(p.sync:discover_peer_trees(p.peer))
			assert(p.sync:add_tree_sync(p.peer, p.db:root_id()))
			assert(p.sync:flush '60s')
			tl.sleep '300ms'
			write(p.db, 1, 100)
			assert(p.sync:flush '60s')
			assert.are.equal(p.db:arrival(), arrived(p))
			assert.are.equal(0, failed)
			assert.is_true(p.proxy.refused > 0)
			p.close()
		end)
	end
end)
