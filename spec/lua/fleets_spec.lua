-- The fleets of examples/fleets answer what their owners mean, in cells, in plain Lua and by `tidelock try`.
local H = require 'spec.helper'
local core = require 'tidelock.script_core'
local policy = require 'tidelock.policy'
local rule = require 'tidelock.rule'
local uv = require 'luv'

local FLEETS = 'examples/fleets/'
local ORDERS = 'sha256:' .. ('0'):rep(62) .. 'aa'

local function key(letter)
	return 'ed25519:' .. letter:rep(42) .. 'A='
end

-- fn() with the folder of a fleet as the one where the program runs.
local function inside(folder, fn)
	local before = uv.cwd()
	assert(uv.chdir(FLEETS .. folder))
	local results = table.pack(pcall(fn))
	assert(uv.chdir(before))
	assert(results[1], results[2])
	return table.unpack(results, 2, results.n)
end

local function request(who, kind, db, more)
	local asked = { kind = kind, peer = who and key(who), db_name = db, db = db }
	if db and not db:find 'sha256:' then
		asked.db = 'sha256:' .. db
	end
	for name, value in pairs(more or {}) do
		asked[name] = value
	end
	return asked
end

local TLS = { encrypted = true }

-- What `tidelock try` prints, first of all the answer; nil for what it cannot be asked.
local function tried(path, who, kind, db, more)
	local words = { 'try', path, '--kind', kind }
	for _, pair in ipairs { { '--peer', who and key(who) }, { '--db', db } } do
		if pair[2] then
			table.move(pair, 1, 2, #words + 1, words)
		end
	end
	for name in pairs(more or {}) do
		if name ~= 'encrypted' then
			return nil
		end
		words[#words + 1] = '--encrypted'
	end
	local status, out = H.run(table.unpack(words))
	assert.are.equal(0, status)
	return out
end

-- file, then: who, kind, database, more, answer, line
local POLICIES = {
	{ 'family/policy.lua',
		{ 'A', 'connect', nil, nil, 'grant', 6 }, { 'A', 'read', 'notes', nil, 'usual', 7 },
		{ 'A', 'create', 'new', nil, 'grant', 6 }, { 'N', 'create', 'new', nil, 'usual', 7 },
		{ 'Z', 'connect', nil, nil, 'deny', 8 }, { nil, 'read', 'notes', nil, 'deny', 8 },
		{ 'A', 'dial', nil, nil, nil }, { 'Z', 'dial', nil, nil, nil },
		{ nil, 'read', 'notes', { name = 'nas', said_name = 'nas', claimed_key = key 'N' }, 'deny', 8 },
		{ 'Z', 'read', 'notes', { said_name = 'nas' }, 'deny', 8 } },
	{ 'field/hub_policy.lua',
		{ 'V', 'connect', nil, nil, 'grant', 7 }, { 'V', 'read', 'site-7', nil, 'grant', 7 },
		{ 'V', 'read', 'payroll', nil, 'deny', 10 }, { 'V', 'write', 'site-7', nil, 'deny', 6 },
		{ 'V', 'create', 'site-9', nil, 'deny', 6 }, { 'F', 'write', 'site-7', nil, 'usual', 9 },
		{ 'F', 'create', 'site-9', nil, 'grant', 8 }, { 'Z', 'list', 'site-7', nil, 'deny', 10 } },
	{ 'company/policy.lua',
		{ 'X', 'connect', nil, TLS, 'usual', 7 }, { 'X', 'connect', nil, nil, 'deny', 8 },
		{ 'X', 'read', ORDERS, TLS, 'usual', 7 }, { 'X', 'read', 'payroll', TLS, 'deny', 8 },
		{ 'X', 'list', 'payroll', TLS, 'deny', 8 }, { 'X', 'read', ORDERS, nil, 'deny', 8 },
		{ 'D', 'read', 'payroll', nil, 'usual', 9 }, { 'Z', 'connect', nil, nil, 'deny', 10 } },
	{ 'iot/policy.lua',
		{ 'W', 'read', 'alarms', nil, 'deny' }, { 'W', 'dial', nil, nil, nil } },
}

local PEERS = { { key = key 'A', name = 'anna' }, { key = key 'N', name = 'nas' },
	{ key = key 'W', name = 'gw' }, { key = key 'H', name = 'hub' } }
local DBS = { { id = 'sha256:1', name = 'photos-2024' }, { id = 'sha256:2', name = 'shared-list' },
	{ id = 'sha256:3', name = 'alarms' }, { id = 'sha256:4', name = 'telemetry-a' },
	{ id = 'sha256:5', name = 'save-1' }, { id = 'sha256:6', name = 'site-7' },
	{ id = 'sha256:7', name = 'settings' }, { id = 'sha256:8' } }
local NOON = { hour = 12, facts = { metered = true } }
local NIGHT = { hour = 23, facts = {} }

-- folder, file, context, then what is matched: 'peer database: rule (direction)'.
local RULES = {
	{ 'family', 'rules', NOON, 'anna shared-list: laptops in one house (both)',
		'nas photos-2024: photos at night (both) paused', 'nas shared-list: everything to the nas (both)',
		'nas alarms: everything to the nas (both)', 'nas telemetry-a: everything to the nas (both)',
		'nas save-1: everything to the nas (both)', 'nas site-7: everything to the nas (both)',
		'nas settings: everything to the nas (both)', 'nas nil: everything to the nas (both)' },
	{ 'family', 'rules', NIGHT, 'anna shared-list: laptops in one house (both)',
		'nas photos-2024: photos at night (both)', 'nas shared-list: everything to the nas (both)',
		'nas alarms: everything to the nas (both)', 'nas telemetry-a: everything to the nas (both)',
		'nas save-1: everything to the nas (both)', 'nas site-7: everything to the nas (both)',
		'nas settings: everything to the nas (both)', 'nas nil: everything to the nas (both)' },
	{ 'iot', 'rules', NOON, 'gw alarms: alarms (both)', 'gw telemetry-a: telemetry (push) paused',
		'gw settings: settings (pull)' },
	{ 'iot', 'rules', NIGHT, 'gw alarms: alarms (both)', 'gw telemetry-a: telemetry (push)',
		'gw settings: settings (pull)' },
	{ 'game', 'rules', NOON, 'anna save-1: saves (both)', 'nas save-1: saves (both)',
		'gw save-1: saves (both)', 'hub save-1: saves (both)' },
	{ 'game', 'rules', { facts = { in_match = true } }, 'anna save-1: saves (both) paused',
		'nas save-1: saves (both) paused', 'gw save-1: saves (both) paused', 'hub save-1: saves (both) paused' },
	{ 'field', 'device_rules', NOON, 'hub site-7: up (both)' },
	{ 'field', 'viewer_rules', NOON, 'hub site-7: reports (pull)' },
}

-- What each rule says besides: on_commit, every (seconds), rate, priority, discover.
local FIELDS = {
	['family/rules'] = { { false, 1800, 2 << 20 }, { true, 60, nil, nil, true }, { true } },
	['iot/rules'] = { { true, nil, nil, 9 }, { false, 3600 }, { false, 900, 16 << 10 } },
	['game/rules'] = { { true, 300 } },
	['field/device_rules'] = { { true } },
	['field/viewer_rules'] = { { true, 60, nil, nil, true } },
}

-- What a script in a cell does to match; the same as `matched` below.
local MATCHING = [[
	local rule, rules = require 'tidelock.rule', require %q
	return function(peers, dbs, ctx)
		local lines = {}
		for i, m in ipairs(rule.match(rules, peers, dbs, ctx)) do
			lines[i] = ('%%s %%s: %%s (%%s)%%s'):format(m.peer.name, m.db.name, m.rule.name, m.rule.direction,
				m.paused and ' paused' or '')
		end
		return lines
	end]]

local function matched(rules, ctx)
	local lines = {}
	for i, m in ipairs(rule.match(rules, PEERS, DBS, ctx)) do
		lines[i] = ('%s %s: %s (%s)%s'):format(m.peer.name, m.db.name, m.rule.name, m.rule.direction,
			m.paused and ' paused' or '')
	end
	return lines
end

describe('fleets', function()
	for _, fleet in ipairs(POLICIES) do
		local folder, file = fleet[1]:match '(.*)/(.*)'
		it(('answer by %s in plain Lua'):format(fleet[1]), function()
			inside(folder, function()
				local value = dofile(file)
				for i = 2, #fleet do
					local who, kind, db, more, answer, line = table.unpack(fleet[i], 1, 6)
					local got, _, where = policy.decide(value, request(who, kind, db, more))
					assert.are.equal(answer, got, ('question %d'):format(i - 1))
					assert.are.equal(line and ('%s:%d'):format(file, line), where)
				end
			end)
		end)

		it(('answer by %s in a cell'):format(fleet[1]), function()
			local script <close> = assert(core.open('policy', FLEETS .. fleet[1]))
			for i = 2, #fleet do
				local who, kind, db, more, answer, line = table.unpack(fleet[i], 1, 6)
				local verdict = script:decide(request(who, kind, db, more))
				assert.are.equal(answer, verdict.answer, ('question %d'):format(i - 1))
				assert.is_false(verdict.failed)
				if answer then
					assert.are.equal(line and ('%s:%d'):format(file, line) or file, verdict.where)
				end
			end
		end)
	end

	it('answer `tidelock try` the same', function()
		local asked = 0
		for _, fleet in ipairs(POLICIES) do
			for i = 2, #fleet do
				local who, kind, db, more, answer, line = table.unpack(fleet[i], 1, 6)
				local out = tried(FLEETS .. fleet[1], who, kind, db, more)
				if out then
					local place = fleet[1]:match '[^/]*$' .. (answer and line and ':' .. line or '')
					assert.are.equal(answer or 'no opinion', out:match '^[%a ]+', fleet[1] .. i)
					assert.are.equal(place, out:match '\n([^,]*), %d+ units\n$', fleet[1] .. i)
					asked = asked + 1
				end
			end
		end
		assert.are.equal(26, asked)
	end)

	for number, case in ipairs(RULES) do
		local folder, file, ctx = table.unpack(case)
		local expected = table.pack(table.unpack(case, 4))
		expected.n = nil
		it(('match by the rules of %s (%d) in plain Lua'):format(folder, number), function()
			inside(folder, function()
				assert.are.same(expected, matched(dofile(file .. '.lua'), ctx))
			end)
		end)

		it(('match by the rules of %s (%d) in a cell'):format(folder, number), function()
			local script <close> = assert(core.open('work', FLEETS .. folder .. '/matching.lua',
				MATCHING:format(file)))
			assert.are.same(expected, script:call(nil, 'work', PEERS, DBS, ctx))
		end)
	end

	for path, said in pairs(FIELDS) do
		it('hold what their rules say of paces: ' .. path, function()
			local folder, file = path:match '(.*)/(.*)'
			inside(folder, function()
				local rules = rule.check(dofile(file .. '.lua'))
				assert.are.equal(#said, #rules)
				for i, one in ipairs(rules) do
					local expected = said[i]
					assert.are.same({ expected[1], expected[2] or 'none', expected[3] or 'none',
						expected[4] or 'none', expected[5] or false }, { one.on_commit, one.every or 'none',
						one.rate or 'none', one.priority or 'none', one.discover or false })
					assert.is_truthy(one.at:find('^' .. file .. '%.lua:%d+$'), one.at)
				end
			end)
		end)
	end

	it('stand beside examples of rules, of which each line does what it says', function()
		local friday, saturday = { hour = 12, weekday = 5, facts = {} }, { hour = 23, weekday = 6, facts = {} }
		local peers = { { key = key 'N', name = 'nas' }, { key = key 'Z' } }
		for _, case in ipairs {
			{ 'night', friday, 'films-1', 'nas: films paused', 'nil: films paused' },
			{ 'night', saturday, 'photos', 'nas: films', 'nil: films' },
			{ 'night', friday, 'backup-1', 'nas: backups paused', 'nil: backups paused' },
			{ 'night', saturday, 'backup-1', 'nas: backups', 'nil: backups' },
			{ 'night', friday, 'notes', 'nas: work', 'nil: work' },
			{ 'mirror', friday, 'notes', 'nas: mirror' },
			{ 'metered', { facts = { metered = true } }, 'messages', 'nas: messages', 'nil: messages' },
			{ 'metered', { facts = { metered = true } }, 'small', 'nas: small ones paused',
				'nil: small ones paused' },
			{ 'metered', { facts = { battery = 0.6 } }, ('long'):rep(9), 'nas: all else', 'nil: all else' },
			{ 'metered', { facts = { battery = 0.5 } }, ('long'):rep(9), 'nas: all else paused',
				'nil: all else paused' },
		} do
			local lines, rules = {}, dofile(('examples/rules/%s.lua'):format(case[1]))
			for i, m in ipairs(rule.match(rules, peers, { { id = 'sha256:1', name = case[3] } }, case[2])) do
				lines[i] = ('%s: %s%s'):format(m.peer.name, m.rule.name, m.paused and ' paused' or '')
			end
			assert.are.same({ table.unpack(case, 4) }, lines, case[1] .. ' ' .. case[3])
			local script <close> = assert(core.open('work', ('examples/rules/%s.lua'):format(case[1])))
			assert.are.equal('rules', (script:check()))
		end
		local mirror = rule.check(dofile 'examples/rules/mirror.lua')[1]
		assert.are.same({ 'pull', 600, true }, { mirror.direction, mirror.every, mirror.discover })
	end)

	it('hold what their policies say of paces', function()
		local script <close> = assert(core.open('policy', FLEETS .. 'company/policy.lua'))
		assert.are.equal(512 * 1024, script:decide(request('X', 'read', ORDERS, TLS)).rate)
		local hub <close> = assert(core.open('policy', FLEETS .. 'field/hub_policy.lua'))
		assert.are.equal(256 * 1024, hub:decide(request('F', 'create', 'site-9')).rate)
		assert.is_nil(hub:decide(request('F', 'write', 'site-7')).rate)
	end)

	it('check what is written', function()
		local game <close> = assert(core.open('work', FLEETS .. 'game/hook.lua'))
		assert.is_nil((game:call('before_commit', 'work', { size = 100 })))
		local none, reason = game:call('before_commit', 'work', { size = 1 << 20 })
		assert.are.same({ nil, 'this save is too large; delete a slot' }, { none, reason })
		local orders = dofile(FLEETS .. 'company/hook.lua')
		local state = 'packed'
		local ctx = { size = 10, get = function() return state end,
			changes = { { store = 'orders', path = { '17', 'state' }, value = 'paid' } } }
		assert.are.equal('an order is paid after it was shipped', select(2, orders.before_commit(ctx)))
		state = 'shipped'
		assert.are.equal(0, select('#', orders.before_commit(ctx)))
		ctx.size = 1 << 17
		assert.are.equal('an order has at most 64 KiB', select(2, orders.before_commit(ctx)))
	end)
end)
