-- A hub and two who only dial: what is typed at one comes to the other. Tells how long it took; ends with
-- status 0 only if every line came, once and in order.
--
--   tidelock run spec/chat.lua PROGRAM LINES
local tl = require 'tidelock'
local uv = tl.loop

local program, lines = assert(arg[1]), math.tointeger(assert(arg[2]))

local function start(...)
	local input, out = uv.new_pipe(), uv.new_pipe()
	local self = { input = input, lines = {} }
	local rest = ''
	self.process = assert(uv.spawn(program, { args = { 'run', 'examples/chat/chat.lua', ... },
		stdio = { input, out, 2 } }, function() self.ended = true end))
	out:read_start(function(_, piece)
		rest = (rest .. (piece or '')):gsub('([^\n]*)\n', function(line)
			self.lines[#self.lines + 1] = { text = line, at = uv.hrtime() }
			return ''
		end)
	end)
	return self
end

local function wait_for(what, done)
	local began = uv.hrtime()
	while not done() do
		assert((uv.hrtime() - began) / 1e9 < 30, what)
		tl.sleep '1ms'
	end
end

local hub = start('hub', '127.0.0.1:0')
wait_for('the hub does not start', function() return hub.lines[1] end)
local address, id = hub.lines[1].text:match '(%S+)%s+(%S+)'
local ann, bob = start('ann', address, id), start('bob', address, id)
for _, who in ipairs { ann, bob } do
	wait_for('somebody is not let in', function() return who.lines[1] end)
	assert(who.lines[1].text == 'you are in', who.lines[1].text)
end
tl.sleep '200ms'

local took = {}
for i = 1, lines do
	local from, to = ann, bob
	if i % 3 == 0 then from, to = bob, ann end
	local expected, before = (from == ann and 'ann' or 'bob') .. ': line ' .. i, #to.lines
	local began = uv.hrtime()
	assert(from.input:write('line ' .. i .. '\n'))
	wait_for(expected .. ' does not come', function() return #to.lines > before end)
	assert(to.lines[#to.lines].text == expected, to.lines[#to.lines].text)
	took[i] = (to.lines[#to.lines].at - began) / 1e6
end
assert(#ann.lines - 1 + #bob.lines - 1 == lines, 'a line came twice')
table.sort(took)
print(('%d lines, median %.1f ms, p99 %.1f ms'):format(
	lines, took[(lines + 1) // 2], took[math.ceil(lines * 0.99)]))
for _, one in ipairs { hub, ann, bob } do one.process:kill 'sigterm' end
wait_for('somebody does not end', function() return hub.ended and ann.ended and bob.ended end)
