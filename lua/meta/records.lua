---@meta
-- Tables that calls return. Times are texts in UTC, '2026-01-31T10:00:00.000+00:00'. What is not known is
-- left out.

---@class tidelock.SyncStatus
---@field peers tidelock.Peer[]
---@field pairs tidelock.SyncPair[]
---@field servers tidelock.Address[]  that this node serves at
---@field transports string[]         types of addresses that can be dialled
---@field databases tidelock.DatabaseStatus[]

---@class tidelock.Peer
---@field pubkey tidelock.Key
---@field display_name? string
---@field first_seen? string
---@field last_seen? string
---@field status 'active'|'inactive'|'blocked'
---@field addresses tidelock.PeerAddress[]
---@field connection_state string  'disconnected', 'connecting', 'connected', or 'failed:' and why
---@field last_successful_sync? string
---@field connection_attempts integer  that failed since the last success
---@field last_error? string
---@field protocol? 'v0'|'v1'

---@class tidelock.PeerAddress
---@field transport_type string
---@field address string
---@field proven boolean      its key was proven there
---@field last_error? string

---@class tidelock.SyncPair   one database with one peer
---@field peer tidelock.Key
---@field db tidelock.Id
---@field state 'idle'|'due'|'syncing'|'waiting'|'stalled'|'no_address'|'inactive'|'blocked'
---@field dirty boolean       there is something that the peer has not acknowledged
---@field attempts integer    that failed since the last success
---@field next_attempt_ms? integer  until the next attempt, while it waits for one
---@field last_error? string
---@field last_code? string   the error's code
---@field acknowledged integer  arrival number up to which the peer has everything
---@field arrivals integer    of the database here
---@field received integer    entries, since the node was opened
---@field sent integer
---@field progress { entries: integer, bytes: integer, left: integer }  of the exchange under way, to come
---@field tags string[]       who wants the relation

---@class tidelock.DatabaseStatus
---@field id tidelock.Id
---@field name? string
---@field entries integer
---@field tips integer
---@field pending integer
---@field quarantined integer
---@field void integer        entries that contribute nothing

---@class tidelock.SyncCursor
---@field peer_pubkey tidelock.Key
---@field tree_id tidelock.Id
---@field last_synced_entry? tidelock.Id
---@field last_sync_time string
---@field last_sync_count integer
---@field total_synced_count integer

---@class tidelock.SyncHistory  one exchange
---@field sync_id string
---@field peer_pubkey tidelock.Key
---@field tree_id tidelock.Id
---@field started_at string
---@field completed_at string
---@field success boolean
---@field entries_count integer
---@field bytes_transferred integer
---@field duration_ms number
---@field error_message? string

---@class tidelock.AccessRequest
---@field request_id string
---@field tree_id tidelock.Id
---@field requesting_pubkey tidelock.Key
---@field requesting_key_name string
---@field requested_permission string|table<string, integer>  'Read', { Write = n } or { Admin = n }
---@field timestamp string
---@field status string|table<string, table<string, string>>  'Pending', or who decided and when
---@field peer_address? { transport_type: string, address: string }
---@field present? tidelock.AuthKey  what the key may do there already

---@class tidelock.AuthKey
---@field name? string        left out where it was asked for by name
---@field pubkey? string      left out where it was asked for by key
---@field permission tidelock.Permission
---@field status 'active'|'revoked'

---@class tidelock.DatabaseCounts
---@field entries integer     void ones included
---@field void_entries integer
---@field void_bytes integer
---@field pending integer     wait for something they name
---@field quarantined integer judged invalid

---@class tidelock.HistoryStep
---@field id tidelock.Id
---@field height integer      in the store
---@field author string       the key's name or public key as the entry shows it
---@field is_void boolean
---@field value tidelock.Value  what this entry wrote; tl.deleted for a deletion
