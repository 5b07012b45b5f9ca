-- Two processes keep two folders in step; one of them is killed in the middle, and a third one is let in by a
-- line in a file. Tells the story and ends with status 0 only if all folders are equal, byte for byte.
--
--   tidelock run demo.lua PROGRAM WORK_FOLDER MARKDOWN_FILE…
--
-- Over HTTP, or with TRANSPORT=iroh in the environment over Iroh.
local tl = require 'tidelock'
local uv = tl.loop

local program, work = assert(arg[1], 'the program is missing'), assert(arg[2], 'the folder is missing')
local notes = assert(arg[0]):gsub('demo%.lua$', 'notes.lua')
local started = uv.hrtime()

local function say(...)
	print(('%6.2f s  '):format((uv.hrtime() - started) / 1e9) .. string.format(...))
	io.stdout:flush()
end

-- --- folders -----------------------------------------------------------------------------------

local function read(path)
	local file <close> = assert(io.open(path, 'rb'))
	return file:read 'a'
end

local function write(path, text)
	local file <close> = assert(io.open(path, 'wb'))
	assert(file:write(text))
end

local function contents(folder)
	local files, count = {}, 0
	for name in uv.fs_scandir_next, assert(uv.fs_scandir(folder)) do
		if name:find '%.md$' then
			local file = io.open(folder .. '/' .. name, 'rb')
			files[name], count = file and file:read 'a', count + 1
			if file then file:close() end
		end
	end
	return files, count
end

local function difference(a, b)
	for name, text in pairs(a) do
		if b[name] ~= text then return name end
	end
	for name in pairs(b) do
		if a[name] == nil then return name end
	end
end

-- --- the two peers -----------------------------------------------------------------------------

local peers = {}

local function say_last(peer, line)
	local word, rest = line:match '^(%a+) ?(.*)'
	if word then peer[word] = rest end
end

local function start(peer, ...)
	local out, err = uv.new_pipe(), uv.new_pipe()
	local before = ''
	peer.ready = nil
	peer.handle, peer.pid = assert(uv.spawn(program, {
		args = { 'run', notes, peer.folder, peer.data, peer.name, peer.listen, ... },
		stdio = { nil, out, err },
	}, function(code, signal)
		peer.exited = { code = code, signal = signal }
		peer.handle:close()
	end))
	peer.exited = nil
	out:read_start(function(_, piece)
		if not piece then out:close() return end
		before = before .. piece
		before = before:gsub('([^\n]*)\n', function(line) say_last(peer, line) return '' end)
	end)
	err:read_start(function(_, piece)
		if not piece then err:close() return end
		io.stderr:write(('[%s] %s'):format(peer.name, piece))
	end)
end

local function new_peer(name)
	local peer = { name = name, folder = work .. '/' .. name, data = work .. '/' .. name .. '.data',
		listen = os.getenv 'TRANSPORT' == 'iroh' and 'iroh' or '127.0.0.1:0' }
	assert(uv.fs_mkdir(peer.folder, 7 * 64 + 5 * 8 + 5))
	local node <close> = assert(tl.open { path = peer.data, name = name, sync = false })
	peer.key = assert(node:device_key())
	peers[#peers + 1] = peer
	return peer
end

-- --- waiting -----------------------------------------------------------------------------------

local LIMIT = 60 -- seconds for any one step

local function wait_for(what, done)
	local since = uv.hrtime()
	while not done() do
		if (uv.hrtime() - since) / 1e9 > LIMIT then
			error(('gave up waiting for %s after %d s'):format(what, LIMIT), 0)
		end
		for _, peer in ipairs(peers) do
			if peer.exited and not peer.may_end then
				error(('%s ended by itself (status %d, signal %d)'):format(peer.name,
					peer.exited.code, peer.exited.signal), 0)
			end
		end
		tl.sleep '20ms'
	end
	return (uv.hrtime() - since) / 1e6
end

local function wait_equal(what, also, peer)
	return wait_for(what, function()
		local a, b = contents(peers[1].folder), contents((peer or peers[2]).folder)
		return not difference(a, b) and (not also or also(a))
	end)
end

-- --- the story ---------------------------------------------------------------------------------

local function introduce(ann, bob)
	local count = 0
	for index = 3, #arg do
		local name = arg[index]:gsub('^%./', ''):gsub('/', '-')
		write(ann.folder .. '/' .. name, read(arg[index]))
		count = count + 1
	end
	say('ann holds %d Markdown files, bob none', count)
	for _, script in ipairs { 'friends.lua', 'friends-rules.lua' } do
		write(work .. '/' .. script, read((notes:gsub('notes%.lua$', script))))
	end
	write(work .. '/friends.keys', bob.key .. ' bob\n')
	start(ann, 'host', bob.key, work .. '/friends.lua', work .. '/friends-rules.lua')
	wait_for('ann', function() return ann.ready end)
	say('ann serves %s at %s to friends: bob', ann.database:sub(1, 17) .. '…', ann.address)
	start(bob, 'join', ann.address, ann.database)
	wait_for('bob', function() return bob.ready end)
	local took = wait_equal 'the first sync'
	say('bob has joined; %d files are equal on both sides after %.0f ms', count, took)
end

local function change_both(ann, bob)
	local names = {}
	for name in pairs((contents(ann.folder))) do names[#names + 1] = name end
	table.sort(names)
	write(ann.folder .. '/' .. names[1], 'ann wrote this\n')
	write(bob.folder .. '/' .. names[2], 'bob wrote this\n')
	write(ann.folder .. '/' .. names[3], 'both: the words of ann\n')
	write(bob.folder .. '/' .. names[3], 'both: the words of bob\n')
	os.remove(ann.folder .. '/' .. names[4])
	write(ann.folder .. '/new from ann.md', 'hello\n')
	write(bob.folder .. '/new from bob.md', 'hello\n')
	local conflict
	local took = wait_equal('the changes of both sides', function(files)
		for name in pairs(files) do
			conflict = name:find 'conflict' and name or conflict
		end
		return conflict and files['new from ann.md'] and files['new from bob.md']
			and not files[names[4]]
	end)
	say('both edited, deleted and created at once; equal again after %.0f ms', took)
	say('both had changed %s: the losing text is kept as "%s"', names[3], conflict)
end

local MANY = 300

local function kill_one(ann, bob)
	local _, before = contents(bob.folder)
	for index = 1, MANY do
		write(('%s/note %03d.md'):format(ann.folder, index), ('note %d\n'):format(index):rep(50))
	end
	wait_for('some of the new files', function()
		local _, now = contents(bob.folder)
		return now > before + MANY // 10
	end)
	bob.may_end = true
	assert(uv.kill(bob.pid, 'sigkill'))
	wait_for('the end of bob', function() return bob.exited end)
	local _, now = contents(bob.folder)
	say('killed bob with SIGKILL when %d of %d new files had reached him', now - before, MANY)
	write(ann.folder .. '/while bob was away.md', 'from ann\n')
	write(bob.folder .. '/while I was dead.md', 'from bob\n')
	bob.may_end = false
	start(bob, 'join', ann.address, ann.database)
	local took = wait_equal('bob to catch up', function(files)
		return files['while bob was away.md'] and files['while I was dead.md']
			and files[('note %03d.md'):format(MANY)]
	end)
	say('bob is back; both folders are equal after %.0f ms', took)
end

-- What a command says about the data of a peer that runs.
local function ask(peer, ...)
	local words = { program, ... }
	table.move({ '-d', peer.data }, 1, 2, #words + 1, words)
	for at, word in ipairs(words) do
		words[at] = "'" .. word:gsub("'", [['\'']]) .. "'"
	end
	local pipe = io.popen(table.concat(words, ' '))
	local text = pipe:read 'a'
	local _, _, status = pipe:close()
	if status ~= 0 then -- also when verify finds something
		error(('%s: %s ended with status %d'):format(peer.name, ..., status), 0)
	end
	return text
end

-- A script that ann's process decides by, as it is now.
local function script_of(ann, kind)
	for _, script in ipairs(tl.json.decode(ask(ann, 'script', 'list', '--json'))) do
		if script.kind == kind then return script end
	end
end

local function show_rule(ann, bob)
	for _, pair in ipairs(tl.json.decode(ask(ann, 'status', '--json')).sync.pairs) do
		if pair.peer == bob.key and pair.db == ann.database and pair.options.rule then
			return say('ann keeps the folder in step with bob by her rule "%s"', pair.options.rule)
		end
	end
	error('no rule of ann speaks of bob', 0)
end

local function refuse(ann, carl)
	carl.may_end = true
	start(carl, 'join', ann.address, ann.database)
	wait_for('the refusal of carl', function() return carl.exited end)
	local shown = ask(ann, 'status'):match('refused +' .. carl.key:gsub('%p', '%%%0') .. '[^\n]*')
	if carl.exited.code == 0 or not shown then error('carl came in, who is no friend', 0) end
	say 'carl is refused; he is told a code alone, the status of ann says why:'
	print('           ' .. shown)
end

local function let_in(ann, carl)
	local before, since = script_of(ann, 'policy').hash, uv.hrtime()
	write(work .. '/friends.keys', read(work .. '/friends.keys') .. carl.key .. ' carl\n')
	wait_for('the new friends', function() return script_of(ann, 'policy').hash ~= before end)
	say('carl is added to friends.keys: in force in the running ann after %.0f ms', (uv.hrtime() - since) / 1e6)
	carl.may_end = false
	start(carl, 'join', ann.address, ann.database)
	local took = wait_equal('carl', nil, carl)
	say('carl is in; his folder is equal after %.0f ms', took)
end

local function show_entries(ann, bob)
	for _, peer in ipairs { ann, bob } do
		for _, db in ipairs(tl.json.decode(ask(peer, 'db', 'list', '--json'))) do
			if db.id == ann.database then
				say('%s: %d entries, %d tip%s, %d pending, %d quarantined', peer.name, db.entries,
					db.tips, db.tips == 1 and '' or 's', db.pending, db.quarantined)
			end
		end
		ask(peer, 'verify', ann.database)
	end
	say 'verify finds nothing amiss on either side; the last entries:'
	local entries = ask(bob, 'log', ann.database, '--graph', '--limit', '12')
	for line in entries:gmatch '[^\n]+' do print('           ' .. line) end
end

local function finish()
	for _, peer in ipairs(peers) do
		if peer.handle and not peer.exited then
			peer.may_end = true
			uv.kill(peer.pid, 'sigterm')
			wait_for('the end of ' .. peer.name, function() return peer.exited end)
		end
	end
end

local function story()
	local ann, bob = new_peer 'ann', new_peer 'bob'
	say('ann is %s', ann.key)
	say('bob is %s', bob.key)
	introduce(ann, bob)
	show_rule(ann, bob)
	change_both(ann, bob)
	kill_one(ann, bob)
	local carl = new_peer 'carl'
	refuse(ann, carl)
	let_in(ann, carl)
	show_entries(ann, bob)
	finish()
	local a, count = contents(ann.folder)
	for _, peer in ipairs { bob, carl } do
		local differs = difference(a, (contents(peer.folder)))
		if differs then error(('the folders differ in "%s"'):format(differs), 0) end
	end
	say('all three folders hold the same %d files, byte for byte', count)
end

local ok, err = pcall(story)
if not ok then
	pcall(finish)
	error(err, 0)
end
