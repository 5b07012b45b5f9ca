-- Processes in networks of their own: behind routers that mask them, with a relay outside. Needs root, nft
-- and `make deps-relay`; without them each case is skipped, by name. TIMES=1 prints how long each step took.
local uv = require 'luv'
local H = require 'spec.helper'
local json = require 'tidelock.json'
local Led = dofile 'spec/iroh/led.lua'
local Net = dofile 'spec/iroh/net.lua'
local Relay = dofile 'spec/iroh/relay.lua'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local OUTSIDE = '198.51.100.9'
local ROUNDS = 10

local function is_there()
	local file <close> = io.open(PLUGIN)
	if not file then return false, 'no plugin' end
	if not Relay.is_there() then return false, 'no relay' end
	return Net.is_there()
end

local there, why = is_there()

-- What a case has started ends with it, also where it fails.
local started

local function case(name, fn)
	if not there then return print(('skipped: %s (%s)'):format(name, why)) end
	it(name, function()
		started = {}
		local ok, problem = xpcall(fn, function(problem)
			return type(problem) == 'string' and debug.traceback(problem) or problem
		end)
		for i = #started, 1, -1 do
			local one = started[i]
			if one.close then one:close() elseif not one.status then one:kill() end
		end
		if not ok then error(problem, 0) end
	end)
end

local function keep(one)
	started[#started + 1] = one
	return one
end

local function took(what, since)
	local seconds = (uv.hrtime() - since) / 1e9
	if os.getenv 'TIMES' then print(('%s: %.2f s'):format(what, seconds)) end
	return seconds
end

--- A relay outside that also tells each side how it is seen there; the option of the transport that names it.
local function relay_outside(net)
	local certificate = Relay.certificate(OUTSIDE)
	local relay = keep(Relay.start { host = OUTSIDE, discovery = certificate, within = net:within 'pub' })
	return relay, { { url = relay.url, quic_port = relay.quic_port, root = certificate .. '/cert.der' } }
end

--- A node at `where`; its key is `key`.
local function open(net, where, relays, bind)
	local words = net:within(where)
	for _, word in ipairs { H.program, 'run', 'spec/iroh/node.lua' } do words[#words + 1] = word end
	local process = keep(Led.start(table.remove(words, 1), words))
	process.key = process:ask({ ['do'] = 'open', name = where, serve = true, iroh = {
		relay_mode = relays, lookup = 'none', bind = bind or '0.0.0.0:0', plugin = PLUGIN,
	} }, 'open')
	return process
end

--- Its address with its relay as the only way, once that knows it and has told it how it is seen.
local function by_relay(process, seen_as)
	local address
	H.wait_for(function()
		address = json.decode((process:ask({ ['do'] = 'address' }, 'address'):gsub('^iroh:', '')))
		return address.relay_url and table.concat(address.direct_addresses, ' '):find(seen_as, 1, true)
	end)
	return 'iroh:' .. json.encode { node_id = address.node_id, relay_url = address.relay_url }
end

--- Both have the database of `host`.
local function share(host, guest, address)
	local db = host:ask({ ['do'] = 'create', writer = guest.key }, 'create')
	assert.are.equal(host.key, guest:ask({ ['do'] = 'join', address = address, db = db }, 'join'))
end

local counted = 0

--- Commits at `from`; seconds until `to` has it.
local function pass(from, to, seconds)
	local since = uv.hrtime()
	counted = counted + 1
	from:ask({ ['do'] = 'put', n = counted }, 'put')
	repeat until to:hear('seen', seconds or 15) == counted
	return took('a commit arrived', since)
end

--- Waits for a change of path to one that begins with `how`.
local function path(process, how, seconds)
	local text
	local ok = pcall(function()
		repeat text = process:hear('path', seconds).text until text:find(how, 1, true) == 1
	end)
	assert(ok, ('no path %s: %s\n%s'):format(how, tostring(text), process.err))
end

local function connections(process)
	return process:ask({ ['do'] = 'status' }, 'status')
end

--- Two that know each other by the relay alone and then go directly.
local function two(net, relays, bind)
	local host, guest = open(net, 'hb', relays, bind), open(net, 'ha', relays, bind)
	local address = by_relay(host, '198.51.100.12:')
	by_relay(guest, '198.51.100.11:')
	local since = uv.hrtime()
	share(host, guest, address)
	path(guest, 'direct 198.51.100.12:', 15)
	path(host, 'direct 198.51.100.11:', 15)
	assert.is_true(took('direct', since) <= 15)
	return host, guest
end

describe('behind NATs', function()
	teardown(H.clean)

	case('one reaches another outside, and is reached through what it keeps open', function()
		local net = keep(Net.behind_nats { 'a' })
		local host, guest = open(net, 'pub', 'disabled'), open(net, 'ha', 'disabled')
		share(host, guest, host:ask({ ['do'] = 'address' }, 'address'))
		pass(guest, host)
		pass(host, guest)
		local connection = connections(host)[1]
		assert.matches('^198.51.100.11:%d+$', connection.path)
		assert.is_false(connection.relayed)
	end)

	case('one is called by another outside, by the relay and then directly', function()
		local net = keep(Net.behind_nats { 'a' })
		local _, relays = relay_outside(net)
		local guest, host = open(net, 'pub', relays), open(net, 'ha', relays)
		share(host, guest, by_relay(host, '198.51.100.11:'))
		path(guest, 'direct 198.51.100.11:', 15)
		pass(guest, host)
	end)

	case(('two meet by the relay and go directly, %d times in a row'):format(ROUNDS), function()
		local net = keep(Net.behind_nats { 'a', 'b' })
		local _, relays = relay_outside(net)
		for _ = 1, ROUNDS do
			local host, guest = two(net, relays)
			pass(guest, host)
			pass(host, guest)
			assert.is_false(connections(guest)[1].relayed)
			guest:finish()
			host:finish()
		end
	end)

	case('two whose routers give each way another port stay with the relay', function()
		local net = keep(Net.behind_nats({ 'a', 'b' }, 'random'))
		local relay, relays = relay_outside(net)
		local host, guest = open(net, 'hb', relays), open(net, 'ha', relays)
		share(host, guest, by_relay(host, '198.51.100.12:'))
		pass(guest, host)
		pass(host, guest)
		local connection = connections(guest)[1]
		assert.is_true(connection.relayed)
		assert.are.equal(relay.url, connection.path)
	end)

	for _, speaks in ipairs { 'the one that dials', 'the one that was dialled' } do
		case('a direct path that breaks without a word is left for the relay by ' .. speaks, function()
			local net = keep(Net.behind_nats { 'a', 'b' })
			local _, relays = relay_outside(net)
			local host, guest = two(net, relays)
			pass(guest, host)
			pass(host, guest)
			local first, second = guest, host
			if speaks == 'the one that was dialled' then first, second = host, guest end
			net:cut 'ra'
			net:cut 'rb'
			assert.is_true(pass(first, second) <= 5)
			assert.is_true(pass(second, first) <= 5)
			path(guest, 'relay', 15)
			assert.is_true(connections(guest)[1].relayed)
			net:mend 'ra'
			net:mend 'rb'
			pass(guest, host)
		end)
	end

	case('a relay that dies under a direct path is not missed', function()
		local net = keep(Net.behind_nats { 'a', 'b' })
		local relay, relays = relay_outside(net)
		local host, guest = two(net, relays)
		pass(guest, host)
		local before = connections(guest)
		relay:kill()
		for _ = 1, 5 do
			assert.is_true(pass(guest, host) <= 2)
			assert.is_true(pass(host, guest) <= 2)
		end
		local now = connections(guest)
		assert.are.equal(#before, #now)
		assert.are.equal(before[1].path, now[1].path)
		assert.is_false(pcall(guest.hear, guest, 'path', 3))
	end)

	case('one that gets another address is found again', function()
		local net = keep(Net.behind_nats { 'a', 'b' })
		local _, relays = relay_outside(net)
		local host, guest = two(net, relays, '0.0.0.0:5000')
		pass(guest, host)
		for side, number in pairs { a = 11, b = 12 } do
			net:run('h' .. side, 'ip address del 192.168.%d.2/24 dev eth0; ip address add 192.168.%d.77/24 dev eth0; '
				.. 'ip route add default via 192.168.%d.1', number, number, number)
			assert.is_true(pass(guest, host) <= 10)
			assert.is_true(pass(host, guest) <= 10)
		end
	end)

	case('the networks are gone when who made them is killed', function()
		local script = H.write(H.folder() .. '/maker.lua', [[
			dofile 'spec/lua/helper.lua'
			local net = dofile 'spec/iroh/net.lua'.behind_nats { 'a' }
			print(require 'tidelock.json'.encode { holders = net.holders })
			io.stdout:flush()
			require 'luv'.run()
		]])
		local maker = keep(Led.start(H.program, { 'run', script }))
		local holders = maker:hear 'holders'
		for _, pid in pairs(holders) do assert.are.equal(0, uv.kill(pid, 0)) end
		maker:kill()
		H.wait_for(function()
			for _, pid in pairs(holders) do
				local file = io.open(('/proc/%d/stat'):format(pid))
				local alive = file and not file:read 'a':find(') Z ', 1, true)
				if file then file:close() end
				if alive then return false end
			end
			return true
		end)
	end)
end)
