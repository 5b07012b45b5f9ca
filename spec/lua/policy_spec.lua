-- What presets, keyrings and rules mean: the same in cells and in plain Lua.
local H = require 'spec.helper'
local core = require 'tidelock.script_core'
local keyring = require 'tidelock.keyring'
local policy = require 'tidelock.policy'
local rule = require 'tidelock.rule'
local uv = require 'luv'

local function key(letter)
	return 'ed25519:' .. letter:rep(42) .. 'A='
end

local KEYS = ('%s anna laptops\n%s nas # at home\n\n  # nobody\n%s wall screens laptops\r\n'):format(key 'A',
	key 'N', key 'W')

-- What `text` answers to the request in both worlds, which must agree.
local function answer_of(text, request)
	local folder = H.folder()
	local before = uv.cwd()
	H.write(folder .. '/fleet.keys', KEYS)
	local whole = "local policy, keyring = require 'tidelock.policy', require 'tidelock.keyring'\n"
		.. "local fleet = keyring 'fleet.keys'\nreturn policy.first {\n" .. text .. '\n}\n'
	assert(uv.chdir(folder))
	local _, value = pcall(assert(load(whole, '@policy.lua'))) -- called from C, as by require
	assert(uv.chdir(before))
	local answer, reason, where = policy.decide(value, request)
	local script <close> = assert(core.open('policy', folder .. '/policy.lua', whole))
	local verdict = script:decide(request)
	assert.are.same({ answer, reason, where or answer and 'policy.lua' }, { verdict.answer, verdict.reason,
		answer and verdict.where })
	return answer, reason, where
end

local function asked(kind, who, more)
	local request = { kind = kind, peer = who and key(who) }
	for name, value in pairs(more or {}) do
		request[name] = value
	end
	return request
end

local NOTES = { db = 'sha256:1', db_name = 'notes' }

describe('presets', function()
	teardown(H.clean)

	it('are asked in their order', function()
		assert.are.same({ 'deny', 'first', 'policy.lua:4' }, { answer_of(
			"policy.deny 'first',\npolicy.deny 'second'", asked('read', 'A', NOTES)) })
		assert.is_nil((answer_of("policy.deny { peer = fleet.nas }", asked('read', 'A', NOTES))))
	end)

	it('know devices by their keys alone', function()
		for who, answer in pairs { A = 'usual', W = 'usual', N = 'deny', Z = 'deny' } do
			assert.are.equal(answer, (answer_of("policy.usual { peer = fleet.laptops },\npolicy.deny 'no'",
				asked('read', who, NOTES))))
		end
		assert.are.equal('deny', (answer_of("policy.usual { peer = fleet.all },\npolicy.deny 'no'",
			asked('read', nil, { name = 'nas', said_name = 'nas', claimed_key = key 'N' }))))
	end)

	it('give nothing to those that prove nothing', function()
		for _, preset in ipairs { "policy.usual {}", "policy.usual { peer = '*' }", "policy.grant { may = 'read' }",
			"policy.grant { may = 'read', peer = '*' }" } do
			assert.is_nil((answer_of(preset, asked('read', nil, NOTES))))
			assert.is_not_nil((answer_of(preset, asked('read', 'Z', NOTES))))
		end
		for _, preset in ipairs { "policy.deny()", "policy.deny { peer = '*' }", "policy.deny { may = 'read' }" } do
			assert.are.equal('deny', (answer_of(preset, asked('read', nil, NOTES))))
		end
	end)

	it('are about what comes in unless they say otherwise', function()
		for _, kind in ipairs { 'dial', 'fetch' } do
			assert.is_nil((answer_of("policy.deny 'no'", asked(kind, 'Z'))))
			assert.are.equal('deny', (answer_of(("policy.deny { may = %q }"):format(kind), asked(kind, 'Z'))))
		end
		assert.are.equal('deny', (answer_of("policy.deny 'no'", asked('request', 'Z', NOTES))))
	end)

	it('bring along what goes with a permission, and deny exactly', function()
		for _, kind in ipairs { 'connect', 'list', 'read' } do
			assert.are.equal('grant', (answer_of("policy.grant { may = 'read' }", asked(kind, 'A', NOTES))))
		end
		assert.is_nil((answer_of("policy.grant { may = 'read' }", asked('write', 'A', NOTES))))
		assert.is_nil((answer_of("policy.grant { may = 'create' }", asked('list', 'A', NOTES))))
		assert.is_nil((answer_of("policy.deny { may = 'read' }", asked('connect', 'A'))))
	end)

	it('know databases by names and ids, and connecting by none', function()
		local id = 'sha256:' .. ('0'):rep(64)
		local glob, ids = "policy.grant { may = 'read', database = { 'no*', 'x?z' } }",
			("policy.grant { may = 'read', database = %q }"):format(id)
		assert.are.equal('grant', (answer_of(glob, asked('read', 'A', NOTES))))
		assert.are.equal('grant', (answer_of(glob, asked('read', 'A', { db = 'sha256:2', db_name = 'xéz' }))))
		assert.is_nil((answer_of(glob, asked('read', 'A', { db = 'sha256:2', db_name = 'photos' }))))
		assert.is_nil((answer_of(glob, asked('read', 'A', { db = 'sha256:2' }))))
		assert.are.equal('grant', (answer_of(glob, asked('connect', 'A'))))
		assert.are.equal('grant', (answer_of(ids, asked('read', 'A', { db = id, db_name = 'whatever' }))))
		assert.is_nil((answer_of(ids, asked('read', 'A', { db = 'sha256:2', db_name = id }))))
		assert.is_nil((answer_of("policy.deny { database = 'no*' }", asked('connect', 'A'))))
		assert.are.equal('deny', (answer_of("policy.deny { database = 'no*' }", asked('read', 'A', NOTES))))
	end)

	it('look at the channel and ask functions', function()
		local tls = { encrypted = true }
		assert.are.equal('usual', (answer_of("policy.usual { encrypted = true }", asked('connect', 'A', tls))))
		assert.is_nil((answer_of("policy.usual { encrypted = true }", asked('connect', 'A'))))
		assert.are.equal('deny', (answer_of("policy.deny { encrypted = false }", asked('connect', 'A'))))
		assert.are.equal('deny', (answer_of("policy.deny { where = function(req) return req.protocol == 0 end }",
			asked('connect', nil, { protocol = 0 }))))
		assert.are.same({ 'usual', 'because' }, { answer_of( -- the list itself is returned by a tail call
			"function(req) if req.granted then return 'usual', 'because' end end,\npolicy.deny 'no'",
			asked('read', 'A', { granted = true })) })
	end)

	it('answer the same, however many they are', function()
		local lines = {}
		for i = 1, 300 do
			lines[i] = ("policy.deny { peer = 'ed25519:%042dA=', reason = 'number %d' }"):format(i, i)
		end
		lines[301] = ("policy.usual { peer = 'ed25519:%042dA=', rate = 7000, page = 70 }"):format(301)
		local text = "local policy = require 'tidelock.policy'\nreturn policy.first {\n"
			.. table.concat(lines, ',\n') .. '}'
		local script <close> = assert(core.open('policy', 'policy.lua', text))
		local _, value = pcall(assert(load(text, '@policy.lua')))
		for _, i in ipairs { 1, 255, 256, 257, 300 } do
			local req = { kind = 'read', peer = ('ed25519:%042dA='):format(i) }
			local verdict = script:decide(req)
			local answer, reason, where = policy.decide(value, req)
			assert.are.same({ 'deny', 'number ' .. i, ('policy.lua:%d'):format(i + 2) },
				{ verdict.answer, verdict.reason, verdict.where })
			assert.are.same({ verdict.answer, verdict.reason, verdict.where }, { answer, reason, where })
		end
		local last = script:decide { kind = 'read', peer = ('ed25519:%042dA='):format(301) }
		assert.are.same({ 'usual', 7000, 70 }, { last.answer, last.rate, last.page })
		assert.is_nil(last.reason)
		assert.is_nil(script:decide({ kind = 'read', peer = key 'A' }).answer)
	end)

	it('are compiled by the library, whatever the script calls require', function()
		local script <close> = assert(core.open('policy', 'policy.lua',
			"require = function() return { compile_kind = function() return function() return 'grant' end end } end\n"
			.. "return function() return 'deny', 'meant' end"))
		local verdict = script:decide(asked('read', 'A', NOTES))
		assert.are.same({ 'deny', 'meant' }, { verdict.answer, verdict.reason })
	end)

	it('leave out nothing of a list: with a gap, or names beside it, they do not load', function()
		for fields, said in pairs {
			["may = { 'read', nil, 'write' }"] = "`may` is a list without gaps, and '3' stands outside of it",
			["may = { 'read', write = true }"] = "`may` is a list without gaps, and 'write' stands outside",
			["database = { 'a', nil, 'b' }"] = "`database` is a list without gaps, and '3' stands outside",
			["database = { a = true }"] = "`database` is a list without gaps, and 'a' stands outside",
		} do
			local none, why = core.open('policy', 'policy.lua',
				("return require 'tidelock.policy'.deny { %s }"):format(fields))
			assert.is_nil(none)
			assert.is_truthy(why.text:find(said, 1, true), why.text)
		end
	end)

	it('deny where a function answers nonsense, or none', function()
		for text, said in pairs {
			["function() return 'perhaps' end"] = "not perhaps, nil",
			["policy.deny { where = function() return 1 end }"] = 'not a number',
			["function() return true end"] = 'not true, nil',
			["function() return 'deny', 7 end"] = 'not deny, 7',
			["function(req) return req.pear end"] = 'did you mean peer?',
			["function() error {} end"] = '(a table)',
			["policy.deny { where = function(req) return #req.name > 3 end }"] = 'attempt to get length',
		} do
			local script <close> = assert(core.open('policy', 'policy.lua',
				"local policy = require 'tidelock.policy'\nreturn policy.first { policy.usual { may = 'list' },\n"
				.. text .. " }"))
			local verdict = script:decide(asked('read', 'A', NOTES))
			assert.are.same({ 'deny', true }, { verdict.answer, verdict.failed })
			assert.is_truthy(verdict.reason:find(said, 1, true), verdict.reason)
			assert.are.equal('policy.lua', verdict.where:match '^[^:]+')
			local failures = script:failures()
			assert.is_truthy(failures[1].input:find(key 'A', 1, true))
		end
	end)
end)

describe('keyrings', function()
	teardown(H.clean)

	-- The error of a keyring with this text, in both worlds.
	local function refusals(text, use)
		local folder = H.folder()
		local file = H.write(folder .. '/k.keys', text)
		local _, plain = pcall(function() return use(keyring(file)) end)
		local script, why = core.open('work', folder .. '/s.lua',
			"local k = require 'tidelock.keyring' 'k.keys'\nreturn { k." .. 'anna' .. ' }')
		if script then
			script:close()
		end
		return plain, why and why.text
	end

	it('refuse lines that are none', function()
		for text, said in pairs {
			['ed25519:abc name'] = ':1: a line begins with a key',
			[key 'A' .. ' anna\n' .. key 'A' .. ' ben'] = ':2: this key stands in line 1 already',
			['\n' .. key 'A' .. ' # anna'] = ':2: behind the key there is its name',
			[key 'A' .. ' all'] = ":1: 'all' is everybody",
			[key 'A' .. ' ' .. ('x'):rep(65)] = ':1: a name or tag has at most 64 bytes',
			['ed25519:' .. ('A'):rep(42) .. 'B= anna'] = ':1: a line begins with a key',
			['ed25519:' .. ('A'):rep(41) .. '\0A= anna'] = ':1: a line begins with a key',
		} do
			local plain, cell = refusals(text, function(k) return k.anna end)
			assert.is_truthy(plain:find(said, 1, true), plain)
			assert.is_truthy(cell:find('k.keys' .. said, 1, true), cell)
		end
	end)

	it('are read once, and only so much of them', function()
		local folder = H.folder()
		H.write(folder .. '/fleet.keys', KEYS)
		H.write(folder .. '/large.keys', ('# nobody\n'):rep(1000000))
		H.write(folder .. '/other.keys', ('# nobody\n'):rep(1000000))
		local function load(text)
			return core.open('work', folder .. '/policy.lua', text)
		end
		assert(load [[local keyring = require 'tidelock.keyring'
			local ring = keyring 'fleet.keys'
			for _ = 1, 1000 do assert(keyring 'fleet.keys' == ring) end return 1]]):close()
		local none, why = load "local k = require 'tidelock.keyring' k 'large.keys' k 'other.keys' return 1"
		assert.is_nil(none)
		assert.is_truthy(why.text:find('at most 16777216 bytes', 1, true), why.text)
		H.write(folder .. '/tags.keys', key 'A' .. ' a ' .. (function()
			local t = {}
			for i = 1, 110000 do t[i] = 't' .. i end
			return table.concat(t, ' ')
		end)())
		none, why = load "return require 'tidelock.keyring' 'tags.keys'"
		assert.is_nil(none)
		assert.is_truthy(why.text:find('at most 110,000 names and tags', 1, true), why.text)
		local _, told = pcall(keyring, folder .. '/tags.keys')
		assert.is_truthy(told:find('at most 110,000 names and tags', 1, true), told)
	end)

	it('name what was meant by a tag that nobody has', function()
		local plain, cell = refusals(key 'A' .. ' annas', function(k) return k.anna end)
		assert.is_truthy(plain:find('no device or tag called anna here; did you mean annas?', 1, true), plain)
		assert.is_truthy(cell:find('no device or tag called anna here; did you mean annas?', 1, true), cell)
	end)
end)

describe('rules', function()
	local PEERS, DBS = { { key = key 'A', name = 'anna' } }, { { id = 'sha256:1', name = 'notes' } }

	it('match by functions of a peer and of a database', function()
		local seen = {}
		local mine = rule { 'mine', peers = function(peer) return peer.name == 'anna' end,
			databases = function(db)
				seen[#seen + 1] = db.name
				return db.id == 'sha256:1'
			end }
		local found = rule.match({ mine }, PEERS, DBS, {})
		assert.are.same({ 'notes' }, seen)
		assert.are.same({ 'mine', false, 'both', true }, { found[1].rule.name, found[1].paused,
			found[1].rule.direction, found[1].rule.on_commit })
	end)

	it('refuse answers that are none, with the line of the rule', function()
		local bad = rule { 'odd', databases = '*', peers = 'all', when = function() return 5 end }
		local ok, err = pcall(rule.match, { bad }, PEERS, DBS, {})
		assert.is_false(ok)
		assert.is_truthy(err:find("_spec.lua:%d+: rule 'odd': `when` answers true or false"), err)
	end)

	it('read durations and paces', function()
		local one = rule { 'r', databases = '*', peers = 'all', every = '15m', rate = '2MiB/s', priority = 9 }
		assert.are.same({ 900, 2 << 20, 9 }, { one.every, one.rate, one.priority })
		assert.are.equal('never', rule { 'r', databases = '*', peers = 'all', every = 'never' }.every)
		for _, every in ipairs { '15 m', 'm', '0s', -1, 1.5, '1w', {} } do
			assert.is_false(pcall(rule, { 'r', databases = '*', peers = 'all', every = every }))
		end
	end)

	it('are at most a thousand, of one name each', function()
		local rules = {}
		for i = 1, 1001 do
			rules[i] = rule { 'r' .. i, databases = '*', peers = 'all' }
		end
		assert.is_truthy(select(2, pcall(rule.check, rules)):find 'at most 1000 rules')
		rules[1001], rules[1000] = nil, rules[1]
		assert.is_truthy(select(2, pcall(rule.check, rules)):find "two rules 'r1'")
	end)
end)
