-- relay(address) -> the address of a relay to that peer which takes the offer of v1 out of the answer
-- to a handshake: whoever dials it takes the peer for one of version 0.2.0. Nothing else passes.
local uv = require('tidelock').loop

-- The answer without the offer, or nil while it is not whole.
local function without_offer(answer)
	local head, body = answer:match '^(.-\r\n\r\n)(.*)$'
	local length = head and tonumber(head:lower():match 'content%-length: *(%d+)')
	if not length or #body < length then
		return nil
	end
	body = body:gsub(',?"tidelock":%b{}', '')
	return ('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n'
		.. 'Content-Length: %d\r\n\r\n%s'):format(#body, body)
end

local function close(handle)
	if not handle:is_closing() then
		handle:close()
	end
end

local function pass(client, host, port)
	local peer, request, answer = uv.new_tcp(), '', ''
	peer:connect(host, port, function(err)
		if err then
			close(client)
			return
		end
		client:read_start(function(_, piece)
			request = request .. (piece or '')
			if piece and (request:find('Handshake', 1, true) or not request:find '\r\n\r\n.') then
				peer:write(piece)
			else
				close(client)
				close(peer)
			end
		end)
		peer:read_start(function(_, piece)
			answer = answer .. (piece or '')
			local whole = without_offer(answer)
			if whole then
				client:write(whole, function() close(client) end)
			elseif not piece then
				close(client)
			end
			if whole or not piece then
				close(peer)
			end
		end)
	end)
end

return function(address)
	local host, port = address:match '([%d.]+):(%d+)$'
	local server = uv.new_tcp()
	assert(server:bind('127.0.0.1', 0))
	assert(server:listen(16, function()
		local client = uv.new_tcp()
		server:accept(client)
		pass(client, host, tonumber(port))
	end))
	server:unref()
	return ('http:127.0.0.1:%d'):format(server:getsockname().port)
end
