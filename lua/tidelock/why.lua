-- Why a database is not in step with a peer: what sync:status() says of both, in sentences, what stands in
-- the way first. Each finding is { code =, text = }.
local M = {}

-- Who is asked about: the records of status that are about peer, database and both.
local function pick(status, peer, db)
	local about = { status = status, peer = peer, db = db }
	for _, at in ipairs(status.peers) do
		about.record = at.pubkey == peer and at or about.record
	end
	for _, at in ipairs(status.inbound) do
		about.inbound = at.pubkey == peer and at or about.inbound
	end
	for _, at in ipairs(status.databases) do
		about.held = at.id == db and at or about.held
	end
	for _, at in ipairs(status.pairs) do
		about.pair = at.peer == peer and at.db == db and at or about.pair
	end
	return about
end

local function by_rule(pair)
	return pair.options.rule and (' (rule %q)'):format(pair.options.rule) or ''
end

-- Each looks at one thing and tells what it finds by add(code, format, …).
local checks = {}

function checks.peer(about, add)
	local record = about.record
	if not record and about.inbound then
		add('peer_not_registered', 'it comes to this node (last from %s), but is no registered peer: '
			.. 'register_peer and add_tree_sync, or a rule, change that', about.inbound.remote)
	elseif not record then
		add('unknown_peer', 'nobody with this key is registered here or has come here: connect_to_peer or '
			.. 'register_peer does that')
	elseif record.status ~= 'active' then
		add('peer_' .. record.status, 'the peer is %s here: update_peer_status makes it active', record.status)
	end
end

function checks.database(about, add)
	local held = about.held
	if not held then
		add('database_not_found', 'this node does not hold the database yet: sync_with_peer asks for it')
		return
	end
	if held.pending > 0 then
		add('waits_for_parent', '%d entries wait for others that they stand on or cite, and that nobody gave yet',
			held.pending)
	end
	if held.quarantined > 0 then
		add('quarantined', '%d entries were refused: `tidelock verify` tells why', held.quarantined)
	end
end

function checks.relation(about, add)
	local pair = about.pair
	if about.record and not pair then
		add('no_relation', 'nothing wants this database in step with this peer: add_tree_sync, or a rule')
	elseif pair and pair.options.direction ~= 'both' then
		add('one_way', 'by its options%s this node only %ss', by_rule(pair), pair.options.direction)
	end
end

function checks.refusals(about, add)
	for _, refusal in ipairs(about.status.refusals) do
		if refusal.peer == about.peer and (not refusal.db or refusal.db == about.db) then
			add('refused_here', "this node's policy refuses it to %s: %s%s, %d times, last at %s", refusal.kind,
				refusal.reason or 'no reason given', refusal.where and (' (%s)'):format(refusal.where) or '',
				refusal.count, refusal.time)
		end
	end
end

-- How each state of a pair is told; others stand in nobody's way.
local states = {
	no_address = function(_, add)
		add('no_address', 'there is no address to reach the peer at, and it does not come here: add_peer_address')
	end,
	no_transport = function(about, add)
		local enabled = table.concat(about.status.transports, ', ')
		add('no_transport_enabled', 'no transport is enabled for any of its addresses (enabled: %s)',
			enabled == '' and 'none' or enabled)
	end,
	paused = function(about, add)
		add('paused', 'it is paused%s: %s', by_rule(about.pair), about.pair.options.reason or 'by its options')
	end,
	refused = function(about, add)
		add(about.pair.last_code, 'the peer refuses: %s', about.pair.last_error)
	end,
	stalled = function(about, add)
		add('stalled', '%d attempts failed, the last one by: %s; the next one comes with a change, a command or '
			.. 'when the peer is heard of', about.pair.attempts, about.pair.last_error)
	end,
	waiting = function(about, add)
		local pair = about.pair
		add(pair.last_code or 'busy', '%s; tried again in %d ms', pair.last_error or 'its rate is used up for now',
			pair.next_attempt_ms or 0)
	end,
}

function checks.state(about, add)
	local tell = about.pair and states[about.pair.state]
	if tell then
		tell(about, add)
	end
end

function checks.addresses(about, add)
	for _, at in ipairs(about.record and about.record.addresses or {}) do
		if at.last_error then
			add('unreachable', '%s: %s', at.address, at.last_error)
		end
	end
end

function checks.behind(about, add)
	local pair = about.pair
	if not pair then
		return
	end
	if pair.to_send > 0 then
		add('behind', 'the peer has not acknowledged %d of our %d entries', pair.to_send, pair.arrivals)
	end
	if (pair.progress.left or 0) > 0 then
		add('behind', 'the peer has %d entries that did not come yet', pair.progress.left)
	end
end

local ORDER = { 'peer', 'database', 'relation', 'refusals', 'state', 'addresses', 'behind' }

--- What is found; where nothing is, one that says so.
function M.explain(status, peer, db)
	local about, found = pick(status, peer, db), {}
	local function add(code, format, ...)
		found[#found + 1] = { code = code, text = format:format(...) }
	end
	for _, name in ipairs(ORDER) do
		checks[name](about, add)
	end
	if #found == 0 then
		add('in_step', 'nothing stands in the way: the peer has acknowledged all %d entries, and changes there %s',
			about.pair.arrivals, about.pair.watched and 'are told as they come' or 'are asked for now and then')
	end
	return found
end

return M
