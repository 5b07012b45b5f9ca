-- Processes that stop or are killed beside others over Iroh: nobody else waits for them, and they have all
-- when they go on. Without the plugin every case is skipped, by name.
local uv = require 'luv'
local H = require 'spec.helper'
local Led = dofile 'spec/iroh/led.lua'

local PLUGIN = os.getenv 'TIDELOCK_IROH' or 'build/libtidelock_iroh.so'
local SOON = 5 -- seconds in which the others have it
local FILLED, PIECE = 60, 200000

local started

local function case(name, fn)
	if not uv.fs_stat(PLUGIN) then return print('skipped: ' .. name) end
	it(name, function()
		started = {}
		local ok, problem = pcall(fn)
		for _, process in ipairs(started) do
			if not process.status then process:kill() end
		end
		if not ok then error(problem, 0) end
	end)
end

local function open(name)
	local process = Led.start(H.program, { 'run', 'spec/iroh/node.lua' })
	started[#started + 1] = process
	process.key = process:ask({ ['do'] = 'open', name = name, serve = true, iroh = {
		relay_mode = 'disabled', lookup = 'none', bind = '127.0.0.1:0', plugin = PLUGIN,
	} }, 'open')
	return process
end

--- A host, and two who may have its database; its address and id.
local function three()
	local host, one, other = open 'host', open 'one', open 'other'
	local db = host:ask({ ['do'] = 'create', writer = one.key }, 'create')
	host:ask({ ['do'] = 'allow', writer = other.key }, 'allow')
	return host, one, other, { ['do'] = 'join', db = db, address = host:ask({ ['do'] = 'address' }, 'address') }
end

local counted = 0

--- Commits at `from`; `to` has it before `seconds` are over.
local function pass(from, to, seconds)
	counted = counted + 1
	from:ask({ ['do'] = 'put', n = counted }, 'put')
	local since = uv.hrtime()
	repeat until to:hear('seen', seconds) == counted
	assert.is_true((uv.hrtime() - since) / 1e9 <= seconds)
end

describe('over Iroh', function()
	teardown(H.clean)

	case('one that is stopped holds nobody up, and has all when it goes on', function()
		local host, one, other, join = three()
		one:ask(join, 'join')
		other:ask(join, 'join')
		pass(host, one, SOON)
		uv.kill(one.pid, 'sigstop')
		for _ = 1, 20 do pass(host, other, SOON) end
		for _ = 1, 5 do pass(other, host, SOON) end
		uv.kill(one.pid, 'sigcont')
		repeat until one:hear 'seen' == counted
		pass(one, host, SOON)
	end)

	case('one that stops in the middle of what it fetches goes on with it', function()
		local host, one, other, join = three()
		host:ask({ ['do'] = 'fill', count = FILLED, bytes = PIECE }, 'fill')
		one:say(join)
		H.wait_for(function()
			for _, connection in ipairs(host:ask({ ['do'] = 'status' }, 'status')) do
				if connection.sent > PIECE then return true end
			end
		end)
		uv.kill(one.pid, 'sigstop')
		other:ask(join, 'join')
		for _ = 1, 5 do pass(host, other, SOON) end
		for _, line in ipairs(one.said) do assert.is_nil(line.join) end -- it was in the middle
		uv.kill(one.pid, 'sigcont')
		assert.are.equal(host.key, one:hear 'join')
		pass(host, one, SOON)
	end)

	case('one that is killed is forgotten, and another one takes its place', function()
		local host, one, other, join = three()
		one:ask(join, 'join')
		other:ask(join, 'join')
		pass(one, host, SOON)
		one:kill()
		for _ = 1, 10 do pass(host, other, SOON) end
		H.wait_for(function()
			for _, connection in ipairs(host:ask({ ['do'] = 'status' }, 'status')) do
				if connection.peer == one.key then return false end
			end
			return true
		end, 30)
		local third = open 'third'
		host:ask({ ['do'] = 'allow', writer = third.key }, 'allow')
		third:ask(join, 'join')
		pass(third, other, SOON)
	end)
end)
