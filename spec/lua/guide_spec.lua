-- The pages of the guide do what they say: files are written, commands are run, and print what is shown.
local H = require 'spec.helper'
local tl = require 'tidelock'

local PORT = '7411'

-- { file =, text = } and { command =, shown = }, in order.
local function steps_of(page)
	local steps, name, block = {}, nil, nil
	for line in page:gmatch '([^\n]*)\n' do
		if not block and line:find '^```' then
			block = name and { file = name, text = '' } or {}
			if name then steps[#steps + 1] = block end
		elseif line == '```' then
			block, name = nil, nil
		elseif block and block.file then
			block.text = block.text .. line .. '\n'
		elseif block and line:find '^%$ ' then
			steps[#steps + 1] = { command = line:sub(3), shown = '' }
		elseif block then
			steps[#steps].shown = steps[#steps].shown .. line .. '\n'
		elseif not block then
			name = line:match '^`(.+)`:$'
		end
	end
	return steps
end

-- `…` is a part of a line, or lines where it stands alone.
local function pattern_of(shown)
	local lines = {}
	for line in shown:gmatch '[^\n]*\n' do
		lines[#lines + 1] = line == '…\n' and '.-'
			or line:gsub('[%^%$%(%)%%%.%[%]%*%+%-%?]', '%%%0'):gsub('…', '[^\n]-')
	end
	return '^' .. table.concat(lines) .. '$'
end

-- What is printed, or fails to be, within a minute: a file that was changed is read a moment later.
local function play(folder, step, processes)
	local background = step.command:match '^(.*) &$'
	if background then
		local words = {}
		for word in background:gsub('^tidelock ', ''):gmatch '%S+' do
			words[#words + 1] = word
		end
		processes[#processes + 1] = H.start({ cwd = folder }, table.unpack(words))
		tl.sleep '300ms'
		return
	end
	local line = ('cd %q && tidelock() { env -u LUA_CPATH %q "$@"; } && { %s; } 2>&1'):format(folder, H.program,
		step.command)
	local out
	local changes = step.command:find '>>'
	pcall(H.wait_for, function()
		local pipe = assert(io.popen(line))
		out = pipe:read 'a'
		pipe:close()
		return changes or out:find(pattern_of(step.shown)) ~= nil
	end, 20)
	assert.is_truthy(out:find(pattern_of(step.shown)),
		('%s\n%s\nand not\n%s'):format(step.command, out, step.shown))
end

describe('the guide', function()
	teardown(H.clean)

	for _, name in ipairs { 'inviting', 'first-policy', 'rules-for-a-family', 'checking-what-is-written',
		'when-a-script-goes-wrong' } do
		it('does what it says: ' .. name, function()
			local folder, processes, port = H.folder(), {}, tostring(H.free_port())
			local file <close> = assert(io.open('examples/guide/' .. name .. '.md'))
			local steps = steps_of((file:read 'a'):gsub(PORT, port))
			local _ <close> = setmetatable({}, { __close = function()
				for _, process in ipairs(processes) do
					process:kill 'sigterm'
					process:wait()
				end
			end })
			assert.is_true(#steps > 5)
			for _, step in ipairs(steps) do
				if step.file then
					H.write(folder .. '/' .. step.file, step.text)
				else
					play(folder, step, processes)
				end
			end
		end)
	end
end)
