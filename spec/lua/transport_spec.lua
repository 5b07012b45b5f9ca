local H = require 'spec.helper'
local transport = require 'tidelock.transport'
local loop = require 'tidelock.loop'

local function echo(request)
	return { status = 201, content_type = 'text/plain', body = request.path .. ' ' .. request.body }
end

describe('transport', function()
	after_each(H.clean)

	it('asks and serves', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', echo))
		local address = server:address()
		assert.matches('^127%.0%.0%.1:%d+$', address)
		local answer = assert(http:request {
			address = address, path = '/a', body = 'b\0c', content_type = 'text/x',
		})
		assert.are.same({ status = 201, content_type = 'text/plain', channel = 'none',
			body = '/a b\0c' }, answer)
		assert.is_true(server:stop())
		assert.is_true(server:stop())
		local gone, err = http:request { address = address, path = '/a' }
		assert.is_nil(gone)
		assert.are.equal('connection_failed', err.code)
	end)

	it('answers one request after the other, in one task and in many', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', echo))
		local answered = 0
		local function ask(times)
			for round = 1, times do
				local path = '/' .. round
				local answer = assert(http:request { address = server:address(), path = path })
				assert(answer.body == path .. ' ')
				answered = answered + 1
			end
			return true
		end
		assert(loop.task(ask, 3):wait())
		local tasks = {}
		for at = 1, 20 do
			tasks[at] = loop.task(ask, 10)
		end
		for _, task in ipairs(tasks) do
			assert(task:wait())
		end
		assert.are.equal(203, answered)
	end)

	it('begins and stops servers in the functions of servers', function()
		local http <close> = assert(transport.http())
		local others = {}
		local first
		first = assert(http:serve('127.0.0.1:0', function(request)
			for _ = 1, 8 do
				others[#others + 1] = assert(http:serve('127.0.0.1:0', echo))
			end
			if request.path == '/last' then
				first:stop '20ms'
				for _, other in ipairs(others) do
					other:stop()
				end
			end
			return { body = others[#others]:address() }
		end))
		local answer = assert(http:request { address = first:address(), path = '/' })
		assert.are.equal('/x ', assert(http:request { address = answer.body, path = '/x' }).body)
		loop.task(function()
			http:request { address = first:address(), path = '/last' }
		end):wait()
		assert.are.equal(16, #others)
		loop.run() -- no server is left that keeps it alive
	end)

	it('shows the request', function()
		local http <close> = assert(transport.http())
		local seen
		local server = assert(http:serve('127.0.0.1:0', function(request)
			seen = request
			return {}
		end))
		local answer = assert(http:request { address = server:address(), path = '/x', body = '{}',
			content_type = 'application/json' })
		assert.are.same({ status = 200, body = '', channel = 'none' }, answer)
		assert.are.equal('POST', seen.method)
		assert.are.equal('/x', seen.path)
		assert.are.equal('{}', seen.body)
		assert.are.equal('application/json', seen.content_type)
		assert.are.equal('none', seen.channel)
		assert.matches('^127%.0%.0%.1:%d+$', seen.remote)
	end)

	it('runs requests side by side, also where the server waits', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', function(request)
			loop.sleep(request.path == '/slow' and '60ms' or '1ms')
			return { body = request.path }
		end))
		local order, tasks = {}, {}
		for _, path in ipairs { '/slow', '/fast' } do
			tasks[#tasks + 1] = loop.task(function()
				local answer = assert(http:request { address = server:address(), path = path })
				order[#order + 1] = answer.body
				return true
			end)
		end
		for _, task in ipairs(tasks) do
			assert(task:wait())
		end
		assert.are.same({ '/fast', '/slow' }, order)
	end)

	it('carries large bodies and keeps to its limits', function()
		local http <close> = assert(transport.http())
		local big = ('0123456789'):rep(200000)
		local server = assert(http:serve('127.0.0.1:0', function(request)
			return { body = request.body }
		end, { max_body = #big }))
		local function ask(body, max)
			return http:request { address = server:address(), path = '/', body = body,
				max_response = max }
		end
		assert.is_true(assert(ask(big, #big)).body == big)
		local answer, err = ask(big, #big - 1)
		assert.is_nil(answer)
		assert.are.equal('too_large', err.code)
		assert.are.equal(413, assert(ask(big .. 'x')).status)
	end)

	it('has limits by default', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', function(request)
			return { body = ('x'):rep(math.tointeger(tonumber(request.path:sub(2)))) }
		end))
		local function ask(size, body)
			return http:request { address = server:address(), path = '/' .. size, body = body }
		end
		assert.are.equal(16 << 20, #assert(ask(16 << 20)).body)
		assert.are.equal('too_large', select(2, ask((16 << 20) + 1)).code)
		assert.are.equal(200, assert(ask(0, ('x'):rep(1 << 20))).status)
		assert.are.equal(413, assert(ask(0, ('x'):rep((1 << 20) + 1))).status)
		assert.has_error(function() server:stop '61s' end)
		assert.is_true(server:stop '60s')
	end)

	it('is collected when nobody holds it', function()
		local weak = setmetatable({}, { __mode = 'k' })
		for _ = 1, 3 do
			local http = assert(transport.http())
			weak[http] = true
			local server = assert(http:serve('127.0.0.1:0', echo))
			assert(http:request { address = server:address(), path = '/' })
			server:stop()
		end
		-- What luv has of it goes with the loop's next turn.
		H.wait_for(function()
			collectgarbage()
			return not next(weak)
		end)
	end)

	it('answers 500 when the server raises, and tells of it', function()
		local task = require 'tidelock.task'
		local told, before, runs = {}, task.on_error, 0
		task.on_error = function(err) told[#told + 1] = tostring(err) end
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', function(request)
			runs = runs + 1
			if request.path == '/raise' then
				error 'on purpose'
			elseif request.path == '/odd' then
				return { status = 42 }
			elseif request.path == '/unknown' then
				return { staus = 200 }
			elseif request.path == '/control' then
				return { content_type = 'text/plain\r\nx: y', body = 'x' }
			elseif request.path == '/zero' then
				return { content_type = 'text\0', body = 'x' }
			elseif request.path == '/tab' then
				return { content_type = '\t', body = 'x' }
			elseif request.path == '/empty' then
				return { content_type = '' }
			end
		end))
		for _, path in ipairs { '/raise', '/odd', '/unknown', '/nothing', '/control', '/zero', '/tab', '/empty' } do
			assert.are.equal(500, assert(http:request { address = server:address(), path = path }).status)
		end
		task.on_error, task.failed = before, nil
		assert.are.same({ 8, 8 }, { #told, runs })
		assert.matches('on purpose', told[1])
		assert.matches('between 200 and 599', told[2])
		assert.matches("did you mean 'status'", told[3])
		assert.matches('content type is one line of printable ASCII', told[5])
	end)

	it('leaves nothing of a request whose task is cancelled', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', function()
			loop.sleep '30ms'
			return { body = 'late' }
		end))
		local task = loop.task(function()
			http:request { address = server:address(), path = '/' }
		end)
		assert.is_true(task:cancel())
		assert.are.equal('late', assert(http:request { address = server:address(), path = '/' }).body)
	end)

	it('ends what is under way when it is closed', function()
		local http = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', function()
			loop.sleep '200ms'
			return { body = 'to nobody' }
		end))
		local task = loop.task(function()
			return http:request { address = server:address(), path = '/' }
		end)
		loop.sleep '20ms'
		http:close()
		http:close()
		local answer, err = task:wait()
		assert.is_nil(answer)
		assert.are.equal('cancelled', err.code)
		assert.is_true(server:stop())
		assert.has_error(function() http:request { address = server:address(), path = '/' } end)
		assert.matches('closed', tostring(http))
	end)

	it('refuses what makes no sense', function()
		local http <close> = assert(transport.http())
		assert.has_error(function() http:request {} end)
		assert.has_error(function() http:request { address = '127.0.0.1:1', path = '/', boby = 'x' } end)
		assert.has_error(function() http:serve '127.0.0.1:0' end)
		assert.has_error(function() transport.http { tsl = true } end)
		local answer, err = http:request { address = 'http://127.0.0.1/', path = '/' }
		assert.is_nil(answer)
		assert.are.equal('bad_address', err.code)
		assert.are.equal('bad_argument',
			select(2, http:request { address = '127.0.0.1:1', path = 'no slash' }).code)
		assert.are.equal('tls', select(2, http:serve('127.0.0.1:0', echo, { certificate = 'x' })).code)
		local server = assert(http:serve('127.0.0.1:0', echo))
		local second, bind_err = http:serve(server:address(), echo)
		assert.is_nil(second)
		assert.are.equal('server_bind', bind_err.code)
	end)

	it('refuses to wait in a callback of the loop', function()
		local http <close> = assert(transport.http())
		local err
		local timer = loop.new_timer()
		timer:start(1, 0, function()
			timer:close()
			err = select(2, pcall(http.request, http, { address = '127.0.0.1:1', path = '/' }))
		end)
		loop.sleep '20ms'
		assert.are.equal('would_block', err.code)
	end)

	it('may be closed, raised and yielded out of in the function of a server', function()
		local task = require 'tidelock.task'
		local before, raised = task.on_error, 0
		task.on_error = function() raised = raised + 1 end
		local http = assert(transport.http())
		local server
		server = assert(http:serve('127.0.0.1:0', function(request)
			if request.path == '/raise' then
				error {}
			elseif request.path == '/yield' then
				return coroutine.wrap(function()
					coroutine.yield { body = 'yielded' }
				end)()
			elseif request.path == '/close' then
				http:close()
				server:stop()
			end
			loop.sleep '10s'
		end))
		local function ask(path)
			return http:request { address = server:address(), path = path }
		end
		local waiting = loop.task(ask, '/wait')
		assert.are.equal(500, assert(ask '/raise').status)
		assert.are.equal('yielded', assert(ask '/yield').body)
		for _, task_of in ipairs { loop.task(ask, '/close'), waiting } do
			local answer, err = task_of:wait()
			assert.is_nil(answer)
			assert.are.equal('cancelled', err.code)
		end
		for _, left in ipairs(task.unfinished()) do
			left:cancel() -- what was asleep in the server
		end
		assert.are.equal(1, raised)
		task.on_error, task.failed = before, nil
	end)

	it('answers thousands that come at once, and lets others have their turns', function()
		local http <close> = assert(transport.http())
		local server = assert(http:serve('127.0.0.1:0', echo, { max_connections_per_peer = 1024 }))
		local answered, ticks, tasks = 0, 0, {}
		local timer <close> = loop.every('1ms', function() ticks = ticks + 1 end)
		for at = 1, 2000 do
			tasks[at] = loop.task(function()
				local body = ('x'):rep(at)
				local answer = assert(http:request { address = server:address(), path = '/', body = body })
				assert(answer.body == '/ ' .. body)
				answered = answered + 1
				return true
			end)
		end
		for at = 3, 2000, 3 do
			assert.is_true(tasks[at]:cancel())
		end
		for at, task in ipairs(tasks) do
			if at % 3 ~= 0 then
				assert(task:wait())
			end
		end
		assert.are.equal(2000 - 666, answered)
		assert.is_true(ticks > 1)
		timer:stop()
	end)

	it('holds nothing against others that the script itself was slow', function()
		local http <close> = assert(transport.http())
		local function busy(ms)
			local over = loop.hrtime() + ms * 1e6
			while loop.hrtime() < over do end
		end
		local server = assert(http:serve('127.0.0.1:0', function(request)
			busy(250)
			return { body = request.body }
		end, { idle = '100ms' }))
		for _ = 1, 2 do
			local task = loop.task(function()
				return http:request { address = server:address(), path = '/', body = 'x', idle = '100ms' }
			end)
			busy(250)
			assert.are.equal('x', assert(task:wait()).body)
			busy(250)
		end
	end)

	it('ends with its state, whatever is under way', function()
		local script = H.write(H.folder() .. '/in_flight.lua', [[
			local tl = require 'tidelock'
			local http = assert(tl.transport.http())
			local other = assert(tl.transport.http())
			local server = assert(http:serve('127.0.0.1:0', function() tl.sleep '1h' end))
			for at = 1, 20 do
				tl.task(function()
					(at % 2 == 0 and http or other):request { address = server:address(), path = '/' .. at }
				end)
			end
			tl.sleep '50ms'
			if ... == 'stop' then
				tl.loop.after(0, function() server:stop '50ms' end)
				tl.sleep '5ms'
			end
			print(server:address() ~= nil)
			os.exit(true, true)
		]])
		for _, how in ipairs { 'stop', 'leave' } do
			local status, out, err = H.run('run', script, how)
			assert.are.same({ 0, 'true\n', '' }, { status, out, err })
		end
	end)

	it('speaks TLS', function()
		local folder = H.folder()
		local made = os.execute(('openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key.pem '
			.. '-out %s/cert.pem -days 1 -subj /CN=localhost '
			.. '-addext subjectAltName=IP:127.0.0.1 2>/dev/null'):format(folder, folder))
		assert.is_true(made)
		local tls <close> = assert(transport.http { ca = folder .. '/cert.pem' })
		local strict <close> = assert(transport.http { tls = true })
		local server = assert(tls:serve('127.0.0.1:0', echo, {
			certificate = folder .. '/cert.pem', key = folder .. '/key.pem',
		}))
		local answer = assert(tls:request { address = server:address(), path = '/', body = 'x' })
		assert.are.equal('/ x', answer.body)
		assert.matches('^tls:%x+$', answer.channel)
		local refused, err = strict:request { address = server:address(), path = '/' }
		assert.is_nil(refused)
		assert.are.equal('tls', err.code)
	end)

	it('has no transports written in Lua', function()
		local made, err = transport.new {}
		assert.is_nil(made)
		assert.are.equal('unsupported', err.code)
	end)
end)

describe('names of later versions', function()
	it('say that they are not here', function()
		local tl = require 'tidelock'
		local node <close> = assert(tl.open { backend = tl.memory() })
		assert(node:add_private_key 'me')
		local db = assert(node:new_database({ name = 'notes' }, 'me'))
		for name, results in pairs {
			watch = { assert(db:get_store('data', tl.DocStore)):watch('a', print) },
			table_watch = { assert(db:get_store('rows', tl.Table)):watch('a', print) },
			sim = { tl.sim.new { seed = 1 } },
		} do
			assert.is_nil(results[1], name)
			assert.are.equal('unsupported', results[2].code, name)
			assert.matches('not part of this version', results[2].message)
			assert.is_false(results[2]:is_network_error())
		end
	end)
end)
