-- Commands about a node as a whole.
local core = require 'tidelock.core'
local graph = require 'tidelock.graph'
local json = require 'tidelock.json'
local owner = require 'tidelock.cli.owner'
local program = require 'tidelock.program'
local progress = require 'tidelock.cli.progress'
local shown = require 'tidelock.cli.show'
local tl = require 'tidelock'
local why = require 'tidelock.why'

local escape, say, say_line, show = shown.escape, shown.say, shown.say_line, shown.show
local find_db, with_owner = owner.find_db, owner.with_owner

local commands = {}

function commands.version(options)
	local version = core.version()
	show(options, json.encode { version = version }, function() say('tidelock %s', version) end)
end

function commands.init(options)
	local node <close> = assert(owner.open(options, {}))
	local key = assert(node:device_key())
	show(options, json.encode { data = options.data, device_key = key }, function()
		say('data directory %s is ready', options.data)
		say('device key     %s', key)
	end)
end

local function connection_of(peer)
	local failed = peer.connection_state == 'failed' and peer.last_error
	return failed and 'failed: ' .. peer.last_error or peer.connection_state
end

-- Registered ones, also those that share nothing yet.
local function say_peer(peer)
	local places = {}
	for _, at in ipairs(peer.addresses) do
		places[#places + 1] = at.address
	end
	local name = peer.display_name or peer.said_name or '(no name)'
	say_line(('peer       %s  %-16s %s, at %s'):format(peer.pubkey, escape(name),
		peer.status == 'active' and connection_of(peer) or peer.status,
		escape(#places > 0 and table.concat(places, ', ') or 'no address')))
end

local function amount(bytes)
	return bytes < 1024 and ('%d B'):format(bytes) or bytes < 1024 * 1024 and ('%.1f KiB'):format(bytes / 1024)
		or ('%.1f MiB'):format(bytes / 1024 / 1024)
end

-- Which way it leads now, and what went by it.
local function say_connection(connection)
	say_line(('connection %s  %s, %s %s, %.1f ms, %s sent, %s received'):format(
		connection.peer or '(nobody known)', connection.transport,
		connection.relayed and 'relayed by' or connection.dialled and 'directly at' or 'directly from',
		escape(connection.path ~= '' and connection.path or connection.remote), connection.round_trip_ms,
		amount(connection.sent), amount(connection.received)))
end

local function say_relation(pair)
	local options = pair.options
	local rule = options.rule and (", by the rule '%s'"):format(options.rule) or ''
	local reason = options.paused and options.reason or pair.last_error
	say_line(('relation   %s with %s: %s%s%s'):format(graph.short(pair.db), pair.peer, pair.state, rule,
		reason and ': ' .. reason or ''))
end

-- Who came to this node, registered or not.
local function say_client(client)
	say_line(('client     %s  %-16s %s, from %s, %d databases'):format(client.pubkey,
		escape(client.said_name or '(no name)'),
		client.connected and 'here' or 'last seen ' .. client.last_seen, client.remote,
		#client.databases))
end

-- What this node's policy refused lately; those that asked were told a code alone.
local function say_refusal(refusal)
	local who = refusal.peer or escape(refusal.address or '(nobody)')
	local about = refusal.db and ' ' .. graph.short(refusal.db) or ''
	local where = refusal.where and escape((' (%s)'):format(refusal.where)) or ''
	local times = refusal.count == 1 and 'at' or ('%d times, last'):format(refusal.count)
	say_line(('refused    %s  %s%s, %s %s: %s%s'):format(who, refusal.kind, about, times, refusal.time,
		escape(refusal.reason or 'no reason given'), where))
end

local function say_status(status, databases)
	say('%s  tidelock %s  %s', status.name, status.version,
		status.state == 'running' and ('running, pid %d'):format(status.pid) or 'stopped')
	say('device key %s', status.device_key)
	for _, server in ipairs(status.sync and status.sync.servers or {}) do
		say('serving    %s', type(server) == 'table' and server.address or server)
	end
	for _, db in ipairs(databases) do
		say('database   %s  %-16s %d entries, %d tips, %d pending, %d quarantined', graph.short(db.id),
			db.name or '(no name)', db.entries, db.tips, db.pending, db.quarantined)
	end
	for _, peer in ipairs(status.sync and status.sync.peers or {}) do
		say_peer(peer)
	end
	for _, connection in ipairs(status.sync and status.sync.connections or {}) do
		say_connection(connection)
	end
	for _, pair in ipairs(status.sync and status.sync.pairs or {}) do
		say_relation(pair)
	end
	for _, client in ipairs(status.sync and status.sync.inbound or {}) do
		say_client(client)
	end
	for _, refusal in ipairs(status.sync and status.sync.refusals or {}) do
		say_refusal(refusal)
	end
end

-- Where nobody has the directory open this process looks into it, which makes no running node: nothing is
-- sent or served.
function commands.status(options)
	with_owner(options, function(ask, owned)
		local status, text = ask 'status'
		status.state = owned() and 'running' or 'stopped'
		local exact = json.decode(text)
		exact.state, exact.pid = status.state, owned() and exact.pid or tl.null
		show(options, json.encode(exact), function() say_status(status, (ask 'db list')) end)
	end)
end

-- The peers that are meant: by key, by the owner's name for them, or all that share something.
local function named(pair, sync, text)
	for _, peer in ipairs(text and sync.peers or {}) do
		if peer.pubkey == pair.peer then
			return text == peer.pubkey or text == peer.display_name
		end
	end
	return not text
end

-- Every pair that is meant; a key and an id also where there is none, for then that is why.
local function asked_about(sync, db, peer)
	local list = {}
	for _, pair in ipairs(sync.pairs) do
		if (not db or pair.db == db) and named(pair, sync, peer) then
			list[#list + 1] = { db = pair.db, peer = pair.peer }
		end
	end
	if #list == 0 and db and peer and peer:find ':' then
		list[1] = { db = db, peer = assert(tl.key.parse(peer)) }
	end
	return list
end

function commands.why(options)
	with_owner(options, function(ask, owned)
		local sync = ask('status').sync
		local list = asked_about(sync, options.db and find_db(ask, options.db), options.peer)
		for _, at in ipairs(list) do
			local found = why.explain(sync, at.peer, at.db)
			if not owned() then
				table.insert(found, 1, { code = 'stopped', text = 'nobody runs this directory' })
			end
			at.found = tl.list(found)
		end
		show(options, json.encode(tl.list(list)), function()
			for _, at in ipairs(list) do
				say_line(('%s with %s'):format(graph.short(at.db), at.peer))
				for _, finding in ipairs(at.found) do
					say_line(('  %s: %s'):format(finding.code, escape(finding.text)))
				end
			end
			if #list == 0 then
				say 'no database is kept in step with anybody: add_tree_sync or sync_with_peer begins that'
			end
		end)
	end)
end

-- Keys are told by their first characters, names as they are.
local function short_author(author)
	return author:match '^ed25519:(%S%S%S%S%S%S%S%S%S%S)' or author
end

local function label(entry)
	return ('%s  height %d, %d bytes, by %s in %s%s'):format(graph.short(entry.id), entry.height, entry.size,
		escape(short_author(entry.author)), escape(table.concat(entry.stores, ', ')), entry.void and ', void' or '')
end

function commands.log(options)
	with_owner(options, function(ask)
		local entries, text = ask('log', { db = find_db(ask, options.db), limit = options.limit })
		show(options, text, function()
			if options.graph then
				graph.draw(entries, label, say_line)
				return
			end
			for index = #entries, 1, -1 do
				say_line(label(entries[index]))
			end
		end)
	end)
end

function commands.verify(options)
	return with_owner(options, function(ask)
		local db = options.db and find_db(ask, options.db)
		local bar <close> = progress.new('verify', 'entries')
		local result, text = ask('verify', { db = db }, nil, { progress = bar.tell })
		bar:close()
		show(options, text, function()
			for _, finding in ipairs(result.findings) do
				local about = finding.entry or finding.db
				say_line(('%s: %s'):format(about and graph.short(about) or 'store', finding.text))
			end
			say('%d entries, %d findings; set aside: %d pending, %d quarantined', result.entries,
				result.count, result.pending, result.quarantined)
		end)
		return result.count == 0 and 0 or 3
	end)
end

-- The owner may have another working directory.
local function absolute(file)
	return file:sub(1, 1) == '/' and file or tl.loop.cwd() .. '/' .. file
end

-- As long as the value lives, a signal that ends the process on the spot takes the unfinished copy away.
local function guarded(file)
	program.partial(file .. core.backup_partial)
	return setmetatable({}, { __close = function() program.partial() end })
end

function commands.backup(options)
	local file = absolute(options.file)
	if tl.loop.fs_lstat(file) then
		shown.refuse('already_exists', '%s exists already; choose a new file for the backup', options.file)
	end
	with_owner(options, function(ask)
		local bar <close> = progress.new('backup', 'MiB')
		local _ <close> = guarded(file)
		local result, text = ask('backup', { file = file }, nil, { progress = bar.tell })
		bar:close()
		show(options, text, function() say('%s  %d bytes', options.file, result.bytes) end)
	end)
end

return commands
