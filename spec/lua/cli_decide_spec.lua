-- `tidelock check` and `tidelock try`: scripts that decide, without a node.
local H = require 'spec.helper'
local json = require 'tidelock.json'

local FLEETS = 'examples/fleets/'

local function key(letter)
	return 'ed25519:' .. letter:rep(42) .. 'A='
end

local function check_text(text, name)
	return H.run('check', H.write(H.folder() .. '/' .. (name or 'policy.lua'), text))
end

describe('check', function()
	teardown(H.clean)

	it('finds the fleets good, of each kind', function()
		local status, out, err = H.run('check', FLEETS .. 'family/policy.lua', FLEETS .. 'family/rules.lua',
			FLEETS .. 'game/hook.lua', FLEETS .. 'iot/policy.lua')
		assert.are.same({ 0, '' }, { status, err })
		assert.are.equal('examples/fleets/family/policy.lua: a good policy\n'
			.. 'examples/fleets/family/rules.lua: a good list of rules\nexamples/fleets/game/hook.lua: a good hook\n'
			.. 'examples/fleets/iot/policy.lua: a good policy\n', out)
	end)

	it('names the line of a mistake, and what was meant', function()
		local before = "local policy = require 'tidelock.policy'\nlocal rule = require 'tidelock.rule'\n"
		for text, said in pairs {
			['return policy.first {\n policy.deny { reasn = "x" },\n}'] =
				'policy.lua:4: policy.deny has no field reasn; did you mean reason?',
			['return policy.first {\n policy.usual { may = "raed" } }'] =
				'4: policy.usual: `may` has no kind raed; did you mean read?',
			['return policy.first {\n policy.grant { peer = "*" } }'] = '4: policy.grant: `may` is needed',
			['return policy.first {\n policy.usual { rate = "1MB/s" } }'] =
				"is a whole number or like '1MiB/s', and not 1MB/s",
			['return policy.first {\n policy.usual { peer = "anna" } }'] = '`peer` is a set of keys',
			['local ring = require "tidelock.keyring" "k.keys"\nreturn policy.usual { peer = ring }'] =
				'`peer` is a whole keyring: name one of its devices or tags',
			['return policy.usual { peer = policy }'] = '`peer` is a set of keys, of which [key] is true',
			['return policy.usual { peer = "ed25519:AAAA" }'] = '`peer` is no key',
			['return { rule { "a", databases = "*", peers = { ["ed25519:x"] = true } } }'] =
				'ed25519:x is no key in it',
			['return error "\\xFF"'] = 'policy.lua:3: ',
			['return policy.first {\n policy.usual { encrypted = 1 } }'] =
				'`encrypted` is a boolean, and not a number',
			['return policy.first {\n policy.deny { rate = 1 } }'] = 'no `rate`',
			['return policy.first { 1 }'] = 'number 1 is a number',
			['return { rule { "a", databases = "*", peers = "all", evry = "1m" } }'] =
				"rule 'a' has no field evry; did you mean every?",
			['return { rule { databases = "*" } }'] = 'a rule begins with its name',
			['return { rule { "a", databases = "*" } }'] = '`peers` is needed',
			['return { rule { "a", databases = "*", peers = "*" } }'] = "`peers` is 'all' for everybody",
			['return { rule { "a", databases = "*", peers = "all", priority = 10 } }'] =
				'whole number from 0 to 9',
			['return { rule { "a", databases = "*", peers = "all", direction = "psh" } }'] =
				'did you mean push?',
			['local a = { "a", databases = "*", peers = "all" }\nreturn { rule(a), rule(a) }'] =
				"two rules 'a'",
			['return { before_comit = print }'] = 'did you mean before_commit?',
			['return { before_commit = 1 }'] = 'is a function, and not a number',
			['return {}, 1'] = 'a good list of rules',
			['return 5'] = 'and not a number',
			['return policy.frist {}'] = 'policy.lua:3: there is no policy.frist here; did you mean first?',
			['return policy'] = 'policy.lua: a policy file returns what policy.first { … } makes',
			['return rule { "a", databases = "*", peers = "all" }'] = 'policy.lua:3: a rules file returns a list',
			['return require "tidelock.polcy"'] = "'tidelock.polcy' is no module of scripts that decide",
			['return {}'] = 'policy.lua: no rule stands here',
			['local fleet = require "tidelock.keyring" "no.keys"'] =
				"'no.keys' cannot be read: No such file",
			['return prnt'] = 'there is no prnt here; did you mean print?',
			['return {'] = 'policy.lua:3: ',
		} do
			local folder = H.folder()
			H.write(folder .. '/k.keys', key 'A' .. ' anna\n')
			local status, out = H.run('check', H.write(folder .. '/policy.lua', before .. text))
			assert.is_truthy(out:find(said, 1, true), text .. '\n' .. out)
			assert.are.equal(out:find 'a good' and 0 or 1, status)
		end
	end)

	it('tells presets that never answer, and other surprises', function()
		local status, out = check_text [[
local policy = require 'tidelock.policy'
return policy.first {
	policy.grant { may = 'read', database = 'public-*' },
	policy.usual { rate = '1MiB/s' },
	policy.usual { database = 'notes' },
	policy.deny 'no',
	policy.deny { may = 'dial' },
	policy.deny { may = 'write' },
}]]
		assert.are.equal(0, status)
		for _, said in ipairs { 'policy.lua:3: databases are named by their admins', 'policy.lua:4: peers of 0.2.0',
			'policy.lua:5: this never answers: what stands at policy.lua:4 comes before it',
			'policy.lua:8: this never answers: what stands at policy.lua:6' } do
			assert.is_truthy(out:find(said, 1, true), out)
		end
		assert.is_nil(out:find('policy.lua:7', 1, true))
	end)

	it('tells what stands behind something that means the same', function()
		local folder, before = H.folder(), "local keyring = require 'tidelock.keyring'\n"
			.. "local f, none = keyring 'k.keys', keyring 'none.keys'\n"
			.. "local policy, rule = require 'tidelock.policy', require 'tidelock.rule'\n"
		H.write(folder .. '/k.keys', ('%s anna laptops\n%s ben\n'):format(key 'A', key 'B'))
		H.write(folder .. '/none.keys', '')
		-- what stands on lines 4 and 5, and what is said of line 5
		for _, case in ipairs {
			{ 'usual { peer = f.all }', 'usual { peer = f.laptops }', 'line 4' },
			{ 'usual { peer = f.laptops }', 'usual { peer = f.all }' },
			{ 'usual { peer = f.laptops }', 'deny { peer = f.laptops }', 'line 4' },
			{ 'usual { peer = f.laptops }', 'usual { peer = f.anna }' }, -- who may get another tag
			{ 'usual { peer = f.all }', ('usual { peer = "%s" }'):format(key 'A') },
			{ ('usual { peer = "%s" }'):format(key 'A'), ('deny { peer = "%s" }'):format(key 'A'), 'line 4' },
			{ ('usual { peer = "%s" }'):format(key 'A'), ('deny { peer = "%s" }'):format(key 'B') },
			{ 'usual { peer = f.all, database = "x*" }', 'usual { peer = f.ben, database = "xy*" }', 'line 4' },
			{ 'usual { peer = f.all, database = { "a", "x*" } }', 'usual { peer = f.all, database = { "xy", "a" } }',
				'line 4' },
			{ 'usual { peer = f.all, database = "x*" }', 'usual { peer = f.all, database = { "x", "y" } }' },
			{ 'usual { peer = f.all, database = "x?" }', 'usual { peer = f.all, database = "x*" }' },
			{ 'usual { peer = f.all, database = "*" }', 'usual { peer = f.all, database = "sha256:1" }' },
			{ 'usual { peer = f.all, database = "*" }', 'usual { peer = f.all }' },
			{ 'usual { peer = f.all, encrypted = true }', 'usual { peer = f.all }' },
			{ 'usual { peer = f.all, encrypted = true }', 'usual { peer = f.all, encrypted = true }', 'line 4' },
			{ 'usual { peer = f.all, where = print }', 'usual { peer = f.all }' },
			{ 'usual { may = "read" }', 'deny { may = "read" }' },
			{ 'deny { may = "read" }', 'usual { peer = f.all, may = "list" }' },
			{ 'deny { may = "read", database = "x" }', 'deny { may = "connect", database = "x" }',
				'no database is known' },
		} do
			local _, out = H.run('check', H.write(folder .. '/p.lua',
				('%sreturn policy.first { policy.%s,\npolicy.%s }'):format(before, case[1], case[2])))
			local said = out:match 'p.lua:5: this never answers: ([^\n]*)'
			if case[3] == 'line 4' then
				assert.are.equal('what stands at p.lua:4 comes before it', said, case[2])
			else
				assert.are.equal(case[3], said and said:sub(1, #case[3]), case[2])
			end
			assert.is_nil(out:find('p.lua:4:', 1, true), out)
		end
		for _, empty in ipairs { 'none.all', '{}' } do
			local _, out = H.run('check', H.write(folder .. '/p.lua',
				('%sreturn policy.usual { peer = %s }'):format(before, empty)))
			assert.is_truthy(out:find('p.lua: this answers nobody: its set of keys is empty', 1, true), out)
			_, out = H.run('check', H.write(folder .. '/r.lua',
				("%sreturn {\nrule { 'a', databases = '*', peers = %s } }"):format(before, empty)))
			assert.is_truthy(out:find("r.lua:5: rule 'a' means nobody: its set of keys is empty", 1, true), out)
		end
		for _, case in ipairs {
			{ '"x*", peers = "all"', '"xy", peers = f.ben', true },
			{ '"*", peers = f.all', '"sha256:1", peers = f.ben', true },
			{ '"*", peers = "all"', 'function() end, peers = function() end', true },
			{ '"x*", peers = "all"', 'function() end, peers = "all"' },
			{ 'print, peers = "all"', '"x", peers = "all"' },
			{ '"*", peers = f.ben', '"*", peers = f.all' },
			{ '"*", peers = "all"', '"*", peers = f.all, discover = true' },
			{ '"*", peers = "all", when = print', '"x", peers = "all"', true },
		} do
			local _, out = H.run('check', H.write(folder .. '/r.lua',
				("%sreturn { rule { 'a', databases = %s },\nrule { 'b', databases = %s } }"):format(before, case[1],
				case[2])))
			local said = out:find("r.lua:5: rule 'b' never counts: 'a' at r.lua:4 comes before it", 1, true)
			assert.are.equal(case[3], said and true, case[2] .. '\n' .. out)
		end
	end)

	it('says nothing of what is too much to be compared', function()
		local folder = H.folder()
		for _, case in ipairs {
			{ 'policy.lua', 'policy', "policy.usual { peer = { ['%s'] = true }, database = list }",
				'policy.first(all)' },
			{ 'rules.lua', 'list of rules', "rule { 'r' .. i, peers = { ['%s'] = true }, databases = list }", 'all' },
		} do
			local path = H.write(folder .. '/' .. case[1], ([[
				local policy, rule = require 'tidelock.policy', require 'tidelock.rule'
				local all = {}
				for i = 1, 200 do
					local list = {}
					for k = 1, 100 do list[k] = 'name-' .. i .. '-' .. k end
					all[i] = %s
				end
				return %s]]):format(case[3]:format(key 'A'), case[4]))
			local status, out = H.run('check', path)
			assert.are.same({ 0, path .. ': a good ' .. case[2] .. '\n' }, { status, out })
		end
	end)

	it('has nothing to say of the examples', function()
		local pipe = assert(io.popen 'find examples/fleets examples/rules examples/hooks -name "*.lua"')
		local count = 0
		for path in pipe:lines() do
			local status, out = H.run('check', path)
			assert.are.equal(0, status, out)
			assert.is_nil(out:find('never', 1, true) or out:find('nobody', 1, true), out)
			count = count + 1
		end
		pipe:close()
		assert.is_true(count >= 15)
	end)

	it('answers in JSON', function()
		local status, out = H.run('check', '--json', FLEETS .. 'iot/policy.lua', 'nowhere.lua')
		local found = json.decode(out)
		assert.are.equal(1, status)
		assert.are.equal('policy', found[1].kind)
		assert.are.same({ false, 'nowhere.lua', 'io' }, { found[2].good, found[2].where, found[2].kind })
		status, out = H.run('check', '--json', H.write(H.folder() .. '/p\xFF.lua', 'error "\\xFF\\0"'))
		found = json.decode(out)
		assert.are.same({ 1, 'error' }, { status, found[1].kind })
	end)

	it('ends scripts that do not', function()
		for _, text in ipairs { 'while true do end', 'return { before_commit = error({}) }',
			'local t = {} while true do t[#t + 1] = { {} } end' } do
			local status, out = check_text(text)
			assert.are.equal(1, status)
			assert.is_truthy(out:find('policy.lua:1: ', 1, true), out)
		end
	end)
end)

describe('try', function()
	teardown(H.clean)

	it('answers with reason, line and units', function()
		local hub = FLEETS .. 'field/hub_policy.lua'
		local status, out = H.run('try', hub, '--kind', 'write', '--peer', key 'V', '--db', 'site-7')
		assert.are.equal(0, status)
		assert.is_truthy(out:find '^deny: screens only read\nhub_policy.lua:6, %d+ units\n$', out)
		status, out = H.run('try', hub, '--kind', 'dial', '--peer', key 'V', '--json')
		local verdict = json.decode(out)
		assert.are.same({ 0, false }, { status, verdict.failed })
		assert.are.equal(json.null, verdict.answer or json.null)
		status, out = H.run('try', FLEETS .. 'company/policy.lua', '--kind', 'read', '--peer', key 'X', '--db',
			'sha256:' .. ('0'):rep(62) .. 'aa', '--encrypted', '--json')
		assert.are.same({ 0, 512 * 1024 }, { status, json.decode(out).rate })
	end)

	it('says what is wrong', function()
		local out
		local status, _, err = H.run('try', FLEETS .. 'iot/policy.lua', '--kind', 'raed')
		assert.are.equal(2, status)
		assert.is_truthy(err:find 'read', err)
		status, _, err = H.run('try', FLEETS .. 'iot/policy.lua', '--kind', 'read', '--peer', 'anna')
		assert.are.equal(1, status)
		assert.is_truthy(err:find "'anna' is no key", err)
		status, _, err = H.run('try', 'nowhere.lua', '--kind', 'read', '--json')
		assert.are.equal(1, status)
		assert.are.equal('io', json.decode(err).error.code)
		local file = H.write(H.folder() .. '/policy.lua',
			'return require "tidelock.policy".deny "no\\xFF\\0"')
		status, out = H.run('try', file, '--kind', 'read', '--json')
		assert.are.same({ 0, 'no\u{FFFD}\u{FFFD}' }, { status, json.decode(out).reason })
		for _, words in ipairs { { 'family/rules.lua', '--peer', key 'N', said = 'with --peer and --db' },
			{ 'iot/policy.lua', '--peer', key 'N', said = '--kind, or --from-log' },
			{ 'game/hook.lua', '--kind', 'read', said = 'a policy is a preset' },
			{ 'iot/rules.lua', '--peer', key 'W', '--db', 'x', '--fact', 'a=b', said = 'the fact a' } } do
			status, _, err = H.run('try', FLEETS .. words[1], table.unpack(words, 2))
			assert.are.equal(1, status)
			assert.is_truthy(err:find(words.said, 1, true), err)
		end
		for _, words in ipairs { { '--at', '25:00' }, { '--at', '7' }, { '--fact', 'metered' } } do
			assert.are.equal(2, (H.run('try', FLEETS .. 'iot/rules.lua', table.unpack(words))))
		end
	end)

	it('says which rule counts, and what it gives', function()
		local status, out = H.run('try', FLEETS .. 'family/rules.lua', '--peer', key 'N', '--db', 'photos-2024',
			'--at', '12:00')
		assert.are.equal(0, status)
		assert.is_truthy(out:find('^photos at night: paused, `when` says not now\n'
			.. 'both, not on commit, every 1800 s, at most 2097152 bytes/s\nrules.lua:%d+, %d+ units\n$'), out)
		status, out = H.run('try', FLEETS .. 'family/rules.lua', '--peer', key 'A', '--db', 'notes')
		assert.are.same({ 0, 'no rule means these two\n' }, { status, out })
		for _, case in ipairs {
			{ 'family', 'rules', 'A', 'shared-list', 'laptops in one house' },
			{ 'family', 'rules', 'N', 'shared-list', 'everything to the nas' },
			{ 'iot', 'rules', 'W', 'alarms', 'alarms' },
			{ 'iot', 'rules', 'W', 'telemetry-a', 'telemetry', true },
			{ 'iot', 'rules', 'W', 'settings', 'settings' }, { 'iot', 'rules', 'A', 'settings' },
			{ 'game', 'rules', 'Z', 'save-1', 'saves' }, { 'game', 'rules', 'Z', 'notes' },
			{ 'field', 'device_rules', 'H', 'site-7', 'up' }, { 'field', 'viewer_rules', 'H', 'site-7', 'reports' },
		} do
			status, out = H.run('try', ('%s%s/%s.lua'):format(FLEETS, case[1], case[2]), '--peer', key(case[3]),
				'--db', case[4], '--at', '12:00', '--fact', 'metered=true', '--json')
			local answer = json.decode(out)
			assert.are.same({ 0, case[5], case[6] or false }, { status, answer.rule, answer.paused or false })
			assert.is_true(answer.units > 0)
		end
		local file = H.write(H.folder() .. '/rules.lua', [[local rule = require 'tidelock.rule'
			return { rule { 'a', databases = '*', peers = 'all', when = function() return 1 end } }]])
		local ended, _, err = H.run('try', file, '--peer', key 'A', '--db', 'x')
		assert.are.equal(1, ended)
		assert.is_truthy(err:find('`when` answers true or false, and not a number', 1, true), err)
	end)

	it('tells a policy that fails', function()
		local file = H.write(H.folder() .. '/policy.lua', 'return function(req)\n while true do end end')
		local status, out = H.run('try', file, '--kind', 'read')
		assert.are.equal(1, status)
		assert.is_truthy(out:find('deny: the policy failed: a call may ', 1, true), out)
		assert.is_truthy(out:find('policy.lua:2', 1, true), out)
	end)
end)
