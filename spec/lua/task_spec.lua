local H = require 'spec.helper'
local tl = require 'tidelock'

describe('tasks', function()
	teardown(H.clean)

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

	it('keep an error for who waits later, and nobody else is told', function()
		local module = require 'tidelock.task'
		local told, before = {}, module.on_error
		module.on_error = function(err) told[#told + 1] = err end
		local early, late = tl.task(error, { code = 'mine' }), tl.task(error, 'text')
		tl.sleep '20ms'
		assert.are.same({ nil, { code = 'mine' } }, { early:wait() })
		assert.are.same({ nil, 'text' }, { tl.task(function() return late:wait() end):wait() })
		assert.are.same({ nil, 'text' }, { late:wait() })
		tl.task(error, 'nobody waits')
		H.wait_for(function() return told[1] end)
		module.on_error, module.failed = before, nil
		assert.are.equal(1, #told)
		assert.matches('nobody waits', told[1])
	end)

	it('tell a failure that nobody waits for at the end of the program', function()
		local file = H.write(H.folder() .. '/script.lua', [[
			local tl = require 'tidelock'
			local kept = tl.task(error, 'taken')
			tl.task(error, 'left')
			tl.sleep '5ms'
			print(kept:wait())
		]])
		local status, out, err = H.run('run', file)
		assert.are.equal(1, status)
		assert.are.equal('nil\ttaken\n', out)
		assert.matches('^tidelock: a task or listener failed: left\n', err)
		assert.is_nil(err:find 'taken')
		local command = [[LUA_CPATH="%s/lua/?.so;;" lua5.4 -e "require 'tidelock'.task(error, 'left')" 2>&1]]
		local pipe = io.popen(command:format(H.build))
		local said = not H.build:find 'san%-' and pipe:read 'a'
		pipe:close()
		assert.is_true(not said or said:find 'a task or listener failed: left' ~= nil)
	end)

	it('may wait where a hook or a listener began them', function()
		local node <close> = assert(tl.open { backend = tl.memory(), sync = false })
		local db = assert(node:new_database({ name = 'n' }, '_device_key'))
		local begun
		node:add_hook { on_entry_committed = function()
			begun = tl.task(function() tl.sleep '1ms' return 'waited' end)
		end }
		assert(db:transact(function(tx) tx:doc 'd':set('k', 1) end))
		assert.are.equal('waited', begun:wait())
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
