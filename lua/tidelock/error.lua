-- Error objects: { code, message, where, cause } with predicates. Every code is one of
-- tidelock/error.h; the groups are those of the guide.
local core = require 'tidelock.core'

local groups = {
	configuration = { 'no_transport_enabled', 'sync_not_enabled' },
	server = { 'server_already_running', 'server_not_running', 'server_bind' },
	network = { 'network', 'connection_failed', 'timeout', 'tls' },
	protocol = {
		'unexpected_response', 'sync_protocol_error', 'protocol_mismatch', 'handshake_failed',
		'bad_message', 'wrong_root', 'key_mismatch', 'downgrade_refused', 'channel_mismatch',
		'clock_skew',
	},
	not_found = {
		'not_found', 'key_not_found', 'entry_not_found', 'database_not_found', 'peer_not_found',
		'request_not_found', 'signing_key_not_found', 'share_not_found',
	},
	validation = {
		'bad_json', 'bad_entry', 'not_canonical', 'bad_id', 'bad_key', 'bad_base64',
		'bad_signature', 'bad_doc', 'bad_address', 'bad_path', 'bad_share',
	},
	permission_denied = {
		'insufficient_permissions', 'not_permitted', 'refused', 'declined', 'not_available',
		'peer_blocked', 'share_expired', 'share_used',
	},
	backend = {
		'io', 'store_damaged', 'store_newer', 'store_locked', 'store_read_only', 'already_open',
	},
}

-- Sync errors are those that only synchronisation raises.
local sync = {
	'configuration', 'server', 'network', 'protocol',
	extra = {
		'peer_not_found', 'peer_already_exists', 'unsupported_transport', 'refused', 'declined',
		'not_available', 'not_permitted', 'peer_blocked', 'bootstrap_pending',
		'request_not_found', 'invalid_request_state', 'unknown_database', 'cleartext_refused',
		'bad_share', 'share_not_found', 'share_expired', 'share_used', 'own_share',
	},
}

local methods = core.methods 'tidelock.error'

local function set_of(codes)
	local set = {}
	for _, code in ipairs(codes) do
		set[code] = true
	end
	return set
end

local sync_set = set_of(sync.extra)
for name, codes in pairs(groups) do
	local set = set_of(codes)
	methods['is_' .. name .. (name == 'not_found' and '' or '_error')] = function(self)
		return set[self.code] == true
	end
end
methods.is_permission_denied, methods.is_permission_denied_error =
	methods.is_permission_denied_error, nil
for _, name in ipairs(sync) do
	for _, code in ipairs(groups[name]) do
		sync_set[code] = true
	end
end

function methods:is_sync_error()
	return sync_set[self.code] == true
end

-- The guide's name for "the sync error inside this error": itself, or the first cause that is one.
function methods:sync_error()
	local err = self
	while err and not err:is_sync_error() do
		err = err.cause
	end
	return err
end

return methods
