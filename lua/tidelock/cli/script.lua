-- Commands about scripts that decide: in cells of their own, and in a node that runs.
local core = require 'tidelock.script_core'
local crypto = require 'tidelock.crypto'
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local schema = require 'tidelock.script.schema'
local shown = require 'tidelock.cli.show'

local with_owner = owner.with_owner

local commands = {}

-- --- check --------------------------------------------------------------------------------------

-- { file, kind, warnings } or { file, where, text }.
local function check_file(file)
	local script <close>, why = core.open('work', file)
	local kind, warnings = nil, nil
	if script then
		kind, warnings = script:check()
		why = warnings
	end
	if kind == 'policy' then -- it has less room than this
		local as_policy <close>, refusal = core.open('policy', file)
		kind, why = as_policy and kind, refusal
	end
	local name = utf8.len(file) and file or shown.harmless(file) -- JSON holds no other texts
	if not kind then
		return { file = name, good = false, kind = why.kind, where = why.where, text = why.text }
	end
	return { file = name, good = true, kind = kind, warnings = json.array(warnings) }
end

-- The line of a mistake as editors find it: the path as it was given where the place is in that file.
local function place_of(found)
	local base = found.file:match '[^/]*$'
	if found.where == base or found.where:sub(1, #base + 1) == base .. ':' then
		return found.file .. found.where:sub(#base + 1)
	end
	return ('%s: %s'):format(found.file, found.where)
end

local function say_found(found)
	if not found.good then
		shown.say('%s: %s', place_of(found), found.text)
		return
	end
	shown.say('%s: a good %s', found.file, found.kind == 'rules' and 'list of rules' or found.kind)
	for _, warning in ipairs(found.warnings) do
		shown.say('  %s: %s', warning.where or found.file, warning.text)
	end
end

function commands.check(options)
	local all, bad = json.array(), 0
	for _, file in ipairs(options.files) do
		local found = check_file(file)
		all[#all + 1] = found
		bad = bad + (found.good and 0 or 1)
	end
	shown.show(options, json.encode(all), function()
		for _, found in ipairs(all) do
			say_found(found)
		end
	end)
	return bad > 0 and 1 or 0
end

-- --- try ----------------------------------------------------------------------------------------

local NO_OPINION = 'no opinion: keys and relations decide, as without a policy'

-- A database that is told by its name alone has some id.
local function request_of(options)
	local db = options.db
	local is_id = db and crypto.parse_id(db) ~= nil
	return { kind = options.kind, peer = options.peer, name = options.name, said_name = options.said_name,
		db = db and (is_id and db or options.id or crypto.id_of(db)), db_name = not is_id and db or nil,
		related = options.related, granted = options.granted, encrypted = options.encrypted,
		outbound = options.kind == 'dial' or options.kind == 'fetch', protocol = options.v0 and 0 or 1,
		now = os.time() }
end

-- A decision of a node's trace as the question that it was.
local FIELDS = { 'kind', 'peer', 'keys', 'name', 'said_name', 'claimed_key', 'db', 'db_name', 'address',
	'transport', 'protocol', 'outbound', 'related', 'granted', 'encrypted', 'usual', 'now', 'permission',
	'key_name' }

local function question_of(decision)
	local request = {}
	for _, name in ipairs(FIELDS) do
		if decision[name] ~= json.null then
			request[name] = decision[name]
		end
	end
	return request
end

local function word(answer)
	return answer ~= json.null and answer or 'no opinion'
end

local function say_again(one)
	shown.say('%s%s  %s peer=%s db=%s', word(one.answer),
		one.differs and (', and not %s'):format(word(one.was)) or '', one.kind, one.peer or '-',
		one.db_name or one.db or '-')
	shown.say('  %s%s', one.where, one.reason and ': ' .. one.reason or '')
end

-- The last decisions of a node, asked again of this file; the newest first.
local function try_log(options, script)
	with_owner(options, function(ask)
		local all, failed, differ = json.array(), false, 0
		for i, decision in ipairs(ask 'script decisions') do
			local again = question_of(decision)
			local verdict = script:decide(again)
			again.was, again.answer = decision.answer, verdict.answer or json.null
			again.reason, again.where = verdict.reason, verdict.where
			again.differs = again.was ~= again.answer
			differ = differ + (again.differs and 1 or 0)
			failed = failed or verdict.failed
			all[i] = again
		end
		shown.show(options, json.encode(all), function()
			for _, one in ipairs(all) do
				say_again(one)
			end
			shown.say('%d %s asked again, %d answered otherwise', #all, #all == 1 and 'decision' or 'decisions',
				differ)
		end)
		return failed and 1 or 0
	end)
end

local function refuse_script(why)
	shown.refuse(why.kind == 'io' and 'io' or 'bad_argument', '%s: %s', why.where, why.text)
end

local function facts_of(options)
	local facts = {}
	for _, fact in ipairs(options.fact or {}) do
		local value, err = json.decode(fact.value)
		if err then
			shown.refuse('bad_json', 'the fact %s: %s', fact.name, err.message)
		end
		facts[fact.name] = value ~= json.null and value or nil
	end
	return facts
end

local function said(winner)
	local words = { winner.direction }
	words[#words + 1] = winner.on_commit and 'on commit' or 'not on commit'
	words[#words + 1] = winner.every and (winner.every == 'never' and 'every: never'
		or ('every %d s'):format(winner.every))
	words[#words + 1] = winner.rate and ('at most %d bytes/s'):format(winner.rate)
	words[#words + 1] = winner.priority and ('priority %d'):format(winner.priority)
	words[#words + 1] = winner.discover and 'discover' or nil
	return table.concat(words, ', ')
end

local function try_rules(options, script)
	if not options.peer or not options.db then
		shown.refuse('bad_argument', 'rules are tried with --peer and --db')
	end
	local now = os.date '*t'
	local at, asked = options.at or { hour = now.hour, minute = now.min }, request_of(options)
	local winner, why = script:match({ key = asked.peer, name = asked.name },
		{ id = asked.db, name = asked.db_name }, { hour = at.hour, minute = at.minute,
		weekday = (now.wday + 5) % 7 + 1, now = asked.now, facts = facts_of(options) })
	if why then
		refuse_script(why)
	end
	local answer = winner or {}
	answer.units = script:used()
	shown.show(options, json.encode(answer), function()
		if not winner then
			shown.say 'no rule means these two'
			return
		end
		shown.say('%s%s', winner.rule, winner.paused and ': paused, `when` says not now' or '')
		shown.say('%s', said(winner))
		shown.say('%s, %d units', winner.where or options.file, winner.units)
	end)
	return 0
end

function commands.try(options)
	if options.peer and not schema.is_key(options.peer) then
		shown.refuse('bad_key', "'%s' is no key: ed25519: and 44 characters", options.peer)
	end
	local any <close>, unread = core.open('work', options.file)
	local kind, unknown = nil, nil
	if any then
		kind, unknown = any:check()
	end
	if not kind then
		refuse_script(unread or unknown)
	elseif kind == 'rules' then
		return try_rules(options, any)
	end
	local script <close>, why = core.open('policy', options.file)
	if not script then
		refuse_script(why)
	elseif options.from_log then
		return try_log(options, script)
	elseif not options.kind then
		shown.refuse('bad_argument', 'say what is asked: --kind, or --from-log')
	end
	local verdict = script:decide(request_of(options))
	verdict.units = script:used()
	shown.show(options, json.encode(verdict), function()
		shown.say('%s%s', verdict.answer or NO_OPINION, verdict.reason and ': ' .. verdict.reason or '')
		shown.say('%s, %d units', verdict.where, verdict.units)
	end)
	return verdict.failed and 1 or 0
end

-- --- script -------------------------------------------------------------------------------------

local function say_status(script)
	shown.say('%s  %s, %s', script.name, script.kind, script.state)
	shown.say('  file     %s', script.file)
	shown.say('  loaded   %s, %s', os.date('!%Y-%m-%dT%H:%M:%SZ', script.loaded // 1000), script.hash)
	shown.say('  calls    %d, %d failed; half took at most %d units, 99 of 100 at most %d', script.calls,
		script.failures, script.units_p50, script.units_p99)
	if script.relations then
		shown.say('  pairs    %d relations by %d rules, %d of them paused; the last change touched %d',
			script.relations, script.rules, script.paused, script.touched)
	end
	if script.differed then
		shown.say('  differed %d times%s', script.differed, script.last and ', last: ' .. script.last or '')
	end
	if script.problem then
		shown.say('  problem  %s', script.problem)
	end
end

function commands.script_list(options)
	with_owner(options, function(ask)
		local scripts, text = ask 'script list'
		shown.show(options, text, function()
			for _, script in ipairs(scripts) do
				say_status(script)
			end
			if #scripts == 0 then
				shown.say 'no scripts'
			end
		end)
	end)
end

function commands.script_log(options)
	with_owner(options, function(ask)
		local failures, text = ask('script log', { name = options.name })
		shown.show(options, text, function()
			for _, failure in ipairs(failures) do
				shown.say('%s  %s: %s', os.date('!%Y-%m-%dT%H:%M:%SZ', failure.time // 1000), failure.where,
					failure.text)
				shown.say('  %s, %d times; asked: %s', failure.kind, failure.count, failure.input)
			end
			if #failures == 0 then
				shown.say 'no failures'
			end
		end)
	end)
end

function commands.script_diff(options)
	with_owner(options, function(ask)
		local list, text = ask 'script diff'
		shown.show(options, text, function()
			for _, one in ipairs(list) do
				shown.say('%s by %s, %d times', one.kind, one.peer or 'somebody without a key', one.count)
				shown.say('  first  %s', one.first)
				shown.say('  last   %s', one.last)
			end
			if #list == 0 then
				shown.say 'no differences'
			end
		end)
	end)
end

function commands.script_reload(options)
	with_owner(options, function(ask)
		local script, text = ask('script reload', { name = options.name })
		shown.show(options, text, function() say_status(script) end)
	end)
end

return commands
