local H = require 'spec.helper'
local loop = require 'tidelock.loop'

describe('loop', function()
	it('is luv and more', function()
		local uv = require 'luv'
		assert.are.equal(uv.new_timer, loop.new_timer)
		assert.are.equal(uv.fs_stat, loop.fs_stat)
		assert.are.equal(loop, require('tidelock').loop)
		assert.is_nil(loop.no_such_function)
	end)

	it('runs a task after a while', function()
		local order = {}
		local timer = loop.after('20ms', function()
			order[#order + 1] = 'after'
			loop.sleep '5ms'
			order[#order + 1] = 'slept'
		end)
		assert.matches('running', tostring(timer))
		order[#order + 1] = 'before'
		loop.run()
		assert.are.same({ 'before', 'after', 'slept' }, order)
		assert.matches('stopped', tostring(timer))
		assert.is_false(timer:stop())
	end)

	it('lasts at least as long as it says, also behind work', function()
		local uv = require 'luv'
		local function work()
			local start = uv.hrtime()
			while uv.hrtime() - start < 30e6 do end
			return uv.hrtime()
		end
		local function lasted(since, ms)
			local took = (uv.hrtime() - since) / 1e6
			assert.is_true(took >= ms, ('%.3f ms instead of %d'):format(took, ms))
		end
		for _, ms in ipairs { 1, 2, 20 } do
			local name = ms .. 'ms'
			for _ = 1, 5 do
				local since = work()
				loop.sleep(name)
				lasted(since, ms)
			end
			assert(loop.task(function()
				local since = work()
				loop.sleep(name)
				lasted(since, ms)
				return true
			end):wait())
			local since = work()
			local ended
			loop.after(name, function() lasted(since, ms) ended = true end)
			loop.run()
			assert.is_true(ended)
			since, ended = work(), 0
			local timer
			timer = loop.every(name, function()
				lasted(since, ms)
				since, ended = uv.hrtime(), ended + 1
				if ended == 3 then
					timer:stop()
				else
					work()
				end
			end)
			loop.run()
			assert.are.equal(3, ended)
		end
	end)

	it('runs a task again and again, one at a time', function()
		local count, inside, most = 0, 0, 0
		local timer
		timer = loop.every('2ms', function()
			count, inside = count + 1, inside + 1
			most = math.max(most, inside)
			loop.sleep '7ms'
			inside = inside - 1
			if count == 3 then
				timer:stop()
			end
		end)
		loop.run()
		assert.are.equal(3, count)
		assert.are.equal(1, most)
	end)

	it('stops timers that leave their scope', function()
		local ran = false
		do
			local _ <close> = loop.after('1ms', function() ran = true end)
		end
		loop.sleep '10ms'
		assert.is_false(ran)
		loop.run()
	end)

	it('waits in a chunk and in tasks', function()
		local task = loop.task(function()
			loop.sleep '1ms'
			return 'done'
		end)
		assert.are.equal('done', task:wait())
		loop.run 'nowait'
	end)

	it('takes no nonsense', function()
		assert.has_error(function() loop.every(0, print) end)
		assert.has_error(function() loop.every('never', print) end)
		assert.has_error(function() loop.after(1) end)
	end)

	it('is usable alone', function()
		local script = H.write(os.tmpname(), [[
			local loop = require 'tidelock.loop'
			local n = 0
			local timer
			timer = loop.every('1ms', function() n = n + 1 if n == 3 then timer:stop() end end)
			loop.run()
			print(n, require 'tidelock.transport' == require 'tidelock'.transport)
		]])
		local status, out, err = H.run('run', script)
		os.remove(script)
		assert.are.equal('', err)
		assert.are.equal('3\ttrue\n', out)
		assert.are.equal(0, status)
	end)
end)
