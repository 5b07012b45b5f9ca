require 'spec.helper'
local tl = require 'tidelock'

describe('tasks', function()
	it('run side by side and give their results', function()
		local order = {}
		local slow = tl.task(function() tl.sleep '30ms' order[#order + 1] = 'slow' return 1, nil, 3 end)
		local fast = tl.task(function() tl.sleep '5ms' order[#order + 1] = 'fast' end)
		assert.are.same({ 1, nil, 3 }, { slow:wait() })
		fast:wait()
		assert.are.same({ 'fast', 'slow' }, order)
	end)

	it('tell their error to who waits', function()
		local task = tl.task(function() tl.sleep '1ms' error({ code = 'mine' }) end)
		local ok, err = task:wait()
		assert.is_nil(ok)
		assert.are.equal('mine', err.code)
	end)

	it('wait inside pcall and generic for', function()
		local task = tl.task(function()
			local ok, err = pcall(function() tl.sleep '1ms' error 'inside' end)
			assert(not ok and err:find 'inside')
			local n = 0
			for i in function(_, last) tl.sleep '1ms' if n < 3 then return (last or 0) + 1 end end do
				n = i
			end
			return n
		end)
		assert.are.equal(3, task:wait())
	end)

	it('close what they hold when cancelled', function()
		local closed = false
		local task = tl.task(function()
			local _ <close> = setmetatable({}, { __close = function() closed = true end })
			tl.sleep '10s'
		end)
		assert.is_true(task:cancel())
		assert.is_true(closed)
		assert.is_false(task:cancel())
	end)

	it('refuse to wait in a callback of the loop', function()
		local err
		tl.task(function()
			local timer = tl.loop.new_timer()
			timer:start(1, 0, function()
				timer:close()
				err = select(2, pcall(tl.sleep, 1))
			end)
			tl.sleep '20ms'
		end):wait()
		assert.are.equal('would_block', err.code)
	end)
end)
