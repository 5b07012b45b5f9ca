-- Sync rules in nodes that run: they decide who is kept in step with whom, how and when.
local H = require 'spec.helper'
local crypto = require 'tidelock.crypto'
local tl = require 'tidelock'

local RULE = "local rule, keyring = require 'tidelock.rule', require 'tidelock.keyring'\n"

local function open(options)
	options = options or {}
	options.backend = options.path == nil and tl.memory() or nil
	local node = assert(tl.open(options))
	if not node:get_public_key 'me' then assert(node:add_private_key 'me') end
	assert(node:sync():enable_http_transport())
	assert(node:sync():start_server '127.0.0.1:0')
	return node, node:sync()
end

local function database(node, name)
	local db <close> = assert(node:new_database({ name = name }, 'me'))
	return db:root_id()
end

-- 'database: state by rule', ascending, of one peer.
local function pairs_of(sync, peer, names)
	local lines = {}
	for _, pair in ipairs(assert(sync:status()).pairs) do
		if pair.peer == peer then
			local options = pair.options
			lines[#lines + 1] = ('%s: %s%s'):format(names[pair.db] or pair.db, options.rule or options.by or 'plain',
				options.paused and ' paused' or '')
		end
	end
	table.sort(lines)
	return table.concat(lines, '\n')
end

describe('rules in a node', function()
	local folder, file, a, sync, b, other, peer, names

	local function new_db(name)
		local id = database(a, name)
		names[id] = name
		return id
	end

	local function write(text)
		return H.write(file, RULE .. text)
	end

	local function become(expected)
		H.wait_for(function() return pairs_of(sync, peer, names) == expected end, 10)
	end

	local function options_of(id)
		for _, pair in ipairs(assert(sync:status()).pairs) do
			if pair.db == id then return pair.options end
		end
	end

	before_each(function()
		folder, names = H.folder(), {}
		file = folder .. '/rules.lua'
		a, sync = open { name = 'a' }
		b, other = open { name = 'b' }
		peer = b:device_key()
		assert(other:configure { accept_databases_from = { a:device_key() } })
		assert(sync:connect_to_peer(assert(other:get_server_address())))
	end)
	after_each(function()
		a:close(0)
		b:close(0)
	end)
	teardown(H.clean)

	it('say who is kept in step with whom', function()
		local photos = new_db 'photos-1'
		new_db 'notes'
		write [[return { rule { 'pictures', databases = 'photos*', peers = 'all' } }]]
		local script = assert(sync:load_rules(file))
		become 'photos-1: pictures'
		local status = script:status()
		assert.are.same({ 'rules', 'running', 1, 1, 0, 1 }, { status.kind, status.state, status.rules,
			status.relations, status.paused, status.touched })
		assert(sync:wait_until_synced(peer, photos))
		assert.is_truthy(b:load_database(photos))
		assert(script:unload())
		become ''
	end)

	it('take the first one that means a pair, with all it says', function()
		write [[return {
			rule { 'slow', databases = 'photos*', peers = 'all', direction = 'push', on_commit = false, every = '30m',
				rate = '2MiB/s', priority = 3 },
			rule { 'never', databases = { 'archive', 'old?' }, peers = 'all', every = 'never', direction = 'pull' },
			rule { 'all', databases = '*', peers = 'all', priority = 9 },
		}]]
		new_db 'photos-1'
		new_db 'archive'
		new_db 'notes'
		assert(sync:load_rules(file))
		become 'archive: never\nnotes: all\nphotos-1: slow'
		local options = {}
		for _, pair in ipairs(assert(sync:status()).pairs) do
			options[names[pair.db]] = pair.options
		end
		local slow, never, all = options['photos-1'], options.archive, options.notes
		assert.are.same({ 'push', false, 1800000, 2 << 20, 3, 'set' },
			{ slow.direction, slow.on_commit, slow.every_ms, slow.rate, slow.priority, slow.by })
		assert.are.same({ 'pull', true, 'never', 0, 0 },
			{ never.direction, never.on_commit, never.every_ms, never.rate, never.priority })
		assert.are.same({ 'both', true, 9 }, { all.direction, all.on_commit, all.priority })
	end)

	it('hear of what is new, and of what is called otherwise', function()
		H.write(folder .. '/family.keys', '# nobody yet\n')
		write [[local family = keyring 'family.keys'
			return { rule { 'ours', databases = 'shared*', peers = family.all },
				rule { 'by name', databases = 'work*', peers = function(p) return p.name == 'desk' end } }]]
		assert(sync:load_rules(file))
		new_db 'shared'
		local work = new_db 'work'
		become ''
		H.write(folder .. '/family.keys', peer .. ' ben\n')
		become 'shared: ours'
		assert(sync:rename_peer(peer, 'desk'))
		become 'shared: ours\nwork: by name'
		new_db 'shared-too'
		become 'shared-too: ours\nshared: ours\nwork: by name'
		local db = assert(a:load_database(work))
		assert(db:set_default_auth_key 'me')
		assert(db:transact(function(tx) tx:settings():set_name 'play' end))
		become 'shared-too: ours\nshared: ours'
		assert(sync:remove_peer(peer))
		become ''
		assert(sync:register_peer(peer, 'desk'))
		become 'shared-too: ours\nshared: ours'
	end)

	it('pause by a fact, and say why', function()
		write [[return { rule { 'at home', databases = '*', peers = 'all',
			when = function(ctx) return not ctx.facts.metered end } }]]
		local id = new_db 'notes'
		assert(sync:set_fact('metered', true))
		local script = assert(sync:load_rules(file))
		become 'notes: at home paused'
		assert.are.equal(1, script:status().paused)
		local text = 'it is paused (rule "at home"): `when` of rules.lua:2 says not now'
		assert.are.same({ code = 'paused', text = text }, assert(sync:why(peer, id))[1])
		tl.sleep '100ms'
		assert.is_nil(b:load_database(id))
		assert(sync:set_fact('metered', nil))
		become 'notes: at home'
		assert(sync:wait_until_synced(peer, id))
		assert(sync:set_fact('metered', { of = { 1, 'x', 0.5, false } }))
		become 'notes: at home paused'
	end)

	it('know the time', function()
		write [[return { rule { 'clock', databases = '*', peers = 'all', when = function(ctx)
			print(('%d %d %d %d'):format(ctx.hour, ctx.minute, ctx.weekday, ctx.now))
			return ctx.hour < 0 end } }]]
		new_db 'notes'
		local lines = {}
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		local before = os.date '*t'
		assert(sync:load_rules(file))
		become 'notes: clock paused'
		H.wait_for(function() return #lines > 0 end)
		tl.log.sink(nil)
		local hour, minute, weekday, now = lines[1]:match ': (%d+) (%d+) (%d) (%d+)$'
		assert.is_true(math.abs(tonumber(now) - os.time(before)) < 60)
		local then_ = os.date('*t', tonumber(now))
		assert.are.same({ then_.hour, then_.min, then_.wday == 1 and 7 or then_.wday - 1 },
			{ tonumber(hour), tonumber(minute), tonumber(weekday) })
	end)

	it('fetch what a peer offers and we do not hold', function()
		assert(other:register_peer(a:device_key()))
		local there = assert(b:new_database({ name = 'theirs' }, 'me')):root_id()
		assert(other:add_tree_sync(a:device_key(), there))
		names[there] = 'theirs'
		write [[return { rule { 'photos', databases = 'photos*', peers = 'all' },
			rule { 'everything', databases = '*', peers = 'all', every = '1s', discover = true } }]]
		assert(sync:load_rules(file))
		become 'theirs: everything'
		H.wait_for(function() return a:load_database(there) ~= nil end)
		local later = assert(b:new_database({ name = 'photos-9' }, 'me')):root_id()
		names[later] = 'photos-9'
		assert(other:add_tree_sync(a:device_key(), later))
		H.wait_for(function() return a:load_database(later) ~= nil end)
		become 'photos-9: photos\ntheirs: everything'
	end)

	it('fetch what may be meant by its name, and let go what is not', function()
		assert(other:register_peer(a:device_key()))
		local wanted = assert(b:new_database({ name = 'site-1' }, 'me')):root_id()
		local another = assert(b:new_database({ name = 'payroll' }, 'me')):root_id()
		names[wanted], names[another] = 'site-1', 'payroll'
		for _, id in ipairs { wanted, another } do
			assert(other:add_tree_sync(a:device_key(), id))
		end
		write [[return { rule { 'reports', databases = 'site-*', peers = 'all', direction = 'pull', every = '1s',
			discover = true } }]]
		assert(sync:load_rules(file))
		H.wait_for(function() return a:load_database(wanted) ~= nil and a:load_database(another) ~= nil end)
		become 'site-1: reports'
		write(([[return { rule { 'one', databases = %q, peers = 'all', discover = true } }]]):format(another))
		become 'payroll: one'
	end)

	it('touch nothing when they mean the same', function()
		for i = 1, 5 do
			new_db('db-' .. i)
		end
		write [[return { rule { 'all', databases = 'db*', peers = 'all', every = '1h' } }]]
		local script = assert(sync:load_rules(file))
		assert.are.equal(5, script:status().touched)
		write [[return { rule { 'all', databases = 'd*', peers = 'all', every = '60m' } } -- the same]]
		assert(script:reload())
		assert.are.equal(0, script:status().touched)
		write [[return { rule { 'all', databases = 'db-1', peers = 'all', every = '2h' },
			rule { 'rest', databases = 'db*', peers = 'all', every = '1h' } }]]
		assert(script:reload())
		assert.are.equal(5, script:status().touched) -- the name of the rule is one of the things that are shown
		write [[return {}]]
		assert(script:reload())
		assert.are.same({ 5, 0 }, { script:status().touched, script:status().relations })
	end)

	it('leave alone what was made by hand, and are overruled by hand', function()
		local id = new_db 'notes'
		assert(sync:add_tree_sync(peer, id))
		write [[return { rule { 'pull', databases = '*', peers = 'all', direction = 'pull' } }]]
		local script = assert(sync:load_rules(file))
		become 'notes: pull'
		assert(sync:configure_pair(peer, id, { direction = 'push', every = '1m', rate = '1MiB/s', priority = 2,
			paused = true, reason = 'moving house' }))
		local options = options_of(id)
		assert.are.same({ 'push', 60000, 1 << 20, 2, true, 'moving house', 'hand' }, { options.direction,
			options.every_ms, options.rate, options.priority, options.paused, options.reason, options.by })
		assert(sync:configure_pair(peer, id))
		become 'notes: pull'
		assert(sync:configure_pair(peer, id, { every = 'never', on_commit = false }))
		options = options_of(id)
		assert.are.same({ 'never', false }, { options.every_ms, options.on_commit })
		assert(sync:configure_pair(peer, id, nil))
		assert(script:unload())
		become 'notes: plain'
		assert.is_false(pcall(sync.configure_pair, sync, peer, id, { directon = 'push' }))
		assert.is_false(pcall(sync.configure_pair, sync, peer, id, { priority = 10 }))
		assert.are.equal('peer_not_found', select(2, sync:configure_pair(a:device_key(), id, {})).code)
	end)

	it('stay as they were when the file does not load, and say where', function()
		new_db 'notes'
		write [[return { rule { 'all', databases = '*', peers = 'all' } }]]
		local script = assert(sync:load_rules(file))
		local before = script:status()
		H.write(folder .. '/bad.keys', peer .. ' ben\nnot a key\n')
		for text, said in pairs {
			["return {\nrule { 'a', databases = '*', peers = 'all' },\nrule { 'a', databases = 'x', peers = 'all' } }"]
				= "rules.lua:4: there are two rules 'a'",
			['return 5'] = 'a rules file returns a list of rules, and not a number',
			['return'] = 'returns nothing',
			["return { a = rule { 'a', databases = '*', peers = 'all' } }"] = 'a list of rules',
			["return rule { 'a', databases = '*', peers = 'all' }"] = 'a list of rules',
			["return { { is_rule = true, name = 'a', at = {}, asks = {} } }"] = 'no good `direction`',
			["return { rule { 'a', databases = '*', peers = 'all', evry = '1m' } }"] =
				"rules.lua:2: rule 'a' has no field evry; did you mean every?",
			["return { rule { 'a', databases = '*', peers = 'all', every = '50d' } }"] = "is at most '49d'",
			["return { rule { ('a'):rep(201), databases = '*', peers = 'all' } }"] = 'at most 200 bytes',
			["return { rule { '\\xFF', databases = '*', peers = 'all' } }"] = 'UTF-8',
			['while true do end'] = 'rules.lua:2: ',
			["local t = {} while true do t[#t + 1] = ('x'):rep(1000) end"] = 'rules.lua:2: ',
			["return { rule { 'a', databases = '*', peers = keyring 'bad.keys'.ben } }"] = 'bad.keys:2: ',
			["return { rule { 'a', databases = '*', peers = keyring 'no.keys'.ben } }"] = 'No such file',
			["return require 'rules'"] = 'rules.lua:2: ',
			["return require '../x'"] = 'rules.lua:2: ',
			['return {'] = 'rules.lua:2: ',
			["local t = {} for i = 1, 1001 do t[i] = rule { 'r' .. i, databases = '*', peers = 'all' } end return t"]
				= 'at most 1000 rules',
		} do
			write(text)
			local none, err = script:reload()
			assert.is_nil(none, text)
			assert.is_truthy(err.message:find(said, 1, true), text .. '\n' .. err.message)
			assert.are.equal('bad_script', err.code)
			local now = script:status()
			assert.are.same({ 'stale', before.hash, 1 }, { now.state, now.hash, now.relations })
			assert.is_truthy(now.problem:find(said, 1, true))
			assert.are.equal('notes: all', pairs_of(sync, peer, names))
		end
		os.remove(file)
		assert.are.equal('io', select(2, script:reload()).code)
		new_db 'more' -- the old rules are still asked
		become 'more: all\nnotes: all'
		write [[return { rule { 'new', databases = '*', peers = 'all' } }]]
		become 'more: new\nnotes: new'
		assert.are.equal('running', script:status().state)
	end)

	it('keep what a pair had where a rule fails', function()
		local lines = {}
		local bad = new_db 'bad'
		new_db 'good'
		write [[return { rule { 'first', databases = '*', peers = 'all' } }]]
		local script = assert(sync:load_rules(file))
		become 'bad: first\ngood: first'
		tl.log.sink(function(line) lines[#lines + 1] = line.text end)
		write [[return { rule { 'second', peers = 'all', databases = function(db)
			if db.name == 'bad' then error('cannot say') end
			if db.name == 'odd' then return 'yes' end
			return true
		end } }]]
		become 'bad: first\ngood: second'
		new_db 'odd'
		new_db 'new'
		become 'bad: first\ngood: second\nnew: second'
		tl.log.sink(nil)
		local failures = assert(script:failures())
		assert.are.equal("rules.lua:2: rule 'second': `databases` answers true or false, and not a string",
			failures[1].text)
		assert.are.same({ 'rules.lua:3', 'cannot say' }, { failures[2].where, failures[2].text })
		assert.is_truthy(failures[2].input:find(('databases of \'second\': %s bad'):format(bad), 1, true),
			failures[2].input)
		assert.are.equal(2, script:status().failures)
		assert.is_truthy(table.concat(lines, '\n'):find('rules.lua:3: cannot say', 1, true))
		write [[return { rule { 'third', databases = '*', peers = 'all', when = function() error({}) end } }]]
		become 'bad: first\ngood: second\nnew: second'
		H.wait_for(function() return script:failures()[1].text == '(a table)' end)
	end)

	it('are suspended when they run out of their budget again and again', function()
		for i = 1, 12 do
			new_db('db-' .. i)
		end
		write [[return { rule { 'first', databases = 'db-1', peers = 'all' } }]]
		local script, told = assert(sync:load_rules(file)), nil
		assert(a:on('script_suspended', function(event) told = event.text end))
		write [[return { rule { 'second', databases = function() while true do end end, peers = 'all' } }]]
		assert(script:reload())
		H.wait_for(function() return told == file end, 10)
		local status = script:status()
		assert.are.equal('suspended', status.state)
		assert.is_truthy(status.problem:find('10 times within a minute', 1, true))
		assert.are.same({ 10, 1 }, { status.failures, status.relations })
		new_db 'db-13'
		tl.sleep '200ms'
		assert.are.equal('db-1: first', pairs_of(sync, peer, names))
		write 'return {'
		assert.is_nil((script:reload()))
		write [[return { rule { 'third', databases = 'db-13', peers = 'all' } }]]
		assert(script:reload())
		assert.are.equal('running', script:status().state)
		assert.is_nil(script:status().problem)
		become 'db-13: third'
	end)

	it('are one a node, may be given when it is opened, and leave with it', function()
		write [[return { rule { 'all', databases = '*', peers = 'all' } }]]
		local script = assert(sync:load_rules(file))
		assert.are.equal('already_exists', select(2, sync:load_rules(file)).code)
		assert.are.equal('io', select(2, other:load_rules(folder .. '/nowhere.lua')).code)
		a:close(0)
		assert.are.equal('unloaded', script:status().state)
		assert.are.equal('closed', select(2, script:reload()).code)
		assert.are.equal('closed', select(2, script:unload()).code)
		local path = folder .. '/data'
		local node = open { path = path, rules = file, name = 'c' }
		database(node, 'notes')
		assert(node:sync():connect_to_peer(assert(other:get_server_address())))
		H.wait_for(function() return #assert(node:sync():status()).pairs == 1 end)
		node:close(0)
		node = open { path = path } -- without rules there are none of their relations
		assert.are.equal(0, #assert(node:sync():status()).pairs)
		node:close(0)
		H.write(file, 'return 1')
		local none, err = tl.open { path = path, rules = file }
		assert.is_nil(none)
		assert.are.equal('bad_script', err.code)
		a = open { path = path }
	end)

	it('stay beside a policy that is taken away', function()
		new_db 'notes'
		write [[return { rule { 'all', databases = '*', peers = 'all' } }]]
		local script = assert(sync:load_rules(file))
		local policy = assert(sync:load_policy(H.write(folder .. '/policy.lua',
			"return require 'tidelock.policy'.usual()\n")))
		assert(policy:unload())
		assert.are.equal('running', script:status().state)
		new_db 'more'
		become 'more: all\nnotes: all'
	end)

	it('make 10,000 relations, and no more', function()
		for i = 1, 99 do
			assert(sync:register_peer(crypto.new_secret(('%032d'):format(i)):public_key()))
			new_db('db-' .. i)
		end
		write [[return { rule { 'all', databases = '*', peers = 'all', every = 'never', on_commit = false } }]]
		local script = assert(sync:load_rules(file))
		assert.are.same({ 9900, 9900 }, { script:status().relations, script:status().touched })
		new_db 'db-100'
		H.wait_for(function() return script:status().relations == 10000 end, 10)
		new_db 'db-101'
		H.wait_for(function() return script:status().problem ~= nil end, 10)
		assert.is_truthy(script:status().problem:find('more than 10000 relations', 1, true))
		assert.are.same({ 'running', 10000 }, { script:status().state, script:status().relations })
		write [[return { rule { 'more', databases = '*', peers = 'all' } }]]
		local none, err = script:reload()
		assert.is_nil(none)
		assert.are.equal('too_large', err.code)
		assert.are.same({ 'stale', 10000 }, { script:status().state, script:status().relations })
		write [[return { rule { 'fewer', databases = 'db-1', peers = 'all' } }]]
		assert(script:reload())
		assert.are.same({ 'running', 100 }, { script:status().state, script:status().relations })
		assert.is_nil(script:status().problem)
	end)
end)
