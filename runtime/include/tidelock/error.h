/* Errors are values: a stable code, a sentence that says what to do, a cause, and where it arose.
 *
 * Every function that can fail returns TL_OK or a negative code and leaves the details in the
 * calling thread's last error. Codes never change their meaning; names are stable strings. */
#ifndef TIDELOCK_ERROR_H
#define TIDELOCK_ERROR_H

#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(symbol, number, name). Numbers are never reused. */
#define TL_ERROR_CODES(X)                                                                          \
	X(NOMEM, -1, "out_of_memory")                                                              \
	X(BAD_ARGUMENT, -2, "bad_argument")                                                        \
	X(INTERNAL, -3, "internal")                                                                \
	X(IO, -4, "io")                                                                            \
	X(TIMEOUT, -5, "timeout")                                                                  \
	X(CANCELLED, -6, "cancelled")                                                              \
	X(CLOSED, -7, "closed")                                                                    \
	X(WOULD_BLOCK, -8, "would_block")                                                          \
	X(BUSY, -9, "busy")                                                                        \
	X(TOO_LARGE, -10, "too_large")                                                             \
	X(UNSUPPORTED, -11, "unsupported")                                                         \
	X(BAD_STATE, -12, "bad_state")                                                             \
	X(BAD_JSON, -20, "bad_json")                                                               \
	X(BAD_ENTRY, -21, "bad_entry")                                                             \
	X(NOT_CANONICAL, -22, "not_canonical")                                                     \
	X(BAD_ID, -23, "bad_id")                                                                   \
	X(BAD_KEY, -24, "bad_key")                                                                 \
	X(BAD_BASE64, -25, "bad_base64")                                                           \
	X(BAD_SIGNATURE, -26, "bad_signature")                                                     \
	X(BAD_DOC, -27, "bad_doc")                                                                 \
	X(BAD_ADDRESS, -28, "bad_address")                                                         \
	X(BAD_MESSAGE, -29, "bad_message")                                                         \
	X(BAD_PATH, -30, "bad_path")                                                               \
	X(TYPE_MISMATCH, -31, "type_mismatch")                                                     \
	X(BAD_SCRIPT, -32, "bad_script")                                                           \
	X(BAD_SHARE, -33, "bad_share")                                                             \
	X(NOT_FOUND, -40, "not_found")                                                             \
	X(KEY_NOT_FOUND, -41, "key_not_found")                                                     \
	X(ENTRY_NOT_FOUND, -42, "entry_not_found")                                                 \
	X(DATABASE_NOT_FOUND, -43, "database_not_found")                                           \
	X(ALREADY_EXISTS, -44, "already_exists")                                                   \
	X(INDEX_OUT_OF_BOUNDS, -45, "index_out_of_bounds")                                         \
	X(POSITION_EXHAUSTED, -46, "position_exhausted")                                           \
	X(ALREADY_OPEN, -60, "already_open")                                                       \
	X(STORE_DAMAGED, -61, "store_damaged")                                                     \
	X(STORE_NEWER, -62, "store_newer")                                                         \
	X(STORE_LOCKED, -63, "store_locked")                                                       \
	X(STORE_READ_ONLY, -64, "store_read_only")                                                 \
	X(CONFLICT, -65, "conflict")                                                               \
	X(WRONG_PASSPHRASE, -66, "wrong_passphrase")                                               \
	X(ALREADY_COMMITTED, -80, "already_committed")                                             \
	X(AUTHENTICATION_REQUIRED, -81, "authentication_required")                                 \
	X(INSUFFICIENT_PERMISSIONS, -82, "insufficient_permissions")                               \
	X(KEY_NAME_CONFLICT, -83, "key_name_conflict")                                             \
	X(CORRUPTED_AUTH_CONFIGURATION, -84, "corrupted_auth_configuration")                       \
	X(NO_AUTH_CONFIGURATION, -85, "no_auth_configuration")                                     \
	X(INVALID_TIP, -86, "invalid_tip")                                                         \
	X(EMPTY_TIPS_NOT_ALLOWED, -87, "empty_tips_not_allowed")                                   \
	X(SIGNATURE_VERIFICATION_FAILED, -88, "signature_verification_failed")                     \
	X(HOOK_FAILED, -89, "hook_failed")                                                         \
	X(SIGNING_KEY_NOT_FOUND, -90, "signing_key_not_found")                                     \
	X(CONNECTION_FAILED, -100, "connection_failed")                                            \
	X(NETWORK, -101, "network")                                                                \
	X(TLS, -102, "tls")                                                                        \
	X(SERVER_BIND, -103, "server_bind")                                                        \
	X(NO_TRANSPORT_ENABLED, -104, "no_transport_enabled")                                      \
	X(SERVER_ALREADY_RUNNING, -105, "server_already_running")                                  \
	X(SERVER_NOT_RUNNING, -106, "server_not_running")                                          \
	X(UNSUPPORTED_TRANSPORT, -107, "unsupported_transport")                                    \
	X(PEER_NOT_FOUND, -108, "peer_not_found")                                                  \
	X(PEER_ALREADY_EXISTS, -109, "peer_already_exists")                                        \
	X(PROTOCOL_MISMATCH, -110, "protocol_mismatch")                                            \
	X(HANDSHAKE_FAILED, -111, "handshake_failed")                                              \
	X(UNEXPECTED_RESPONSE, -112, "unexpected_response")                                        \
	X(SYNC_PROTOCOL_ERROR, -113, "sync_protocol_error")                                        \
	X(REFUSED, -114, "refused")                                                                \
	X(KEY_MISMATCH, -115, "key_mismatch")                                                      \
	X(DOWNGRADE_REFUSED, -116, "downgrade_refused")                                            \
	X(CHANNEL_MISMATCH, -117, "channel_mismatch")                                              \
	X(CLEARTEXT_REFUSED, -118, "cleartext_refused")                                            \
	X(UNKNOWN_DATABASE, -119, "unknown_database")                                              \
	X(NOT_AVAILABLE, -120, "not_available")                                                    \
	X(NOT_PERMITTED, -121, "not_permitted")                                                    \
	X(DECLINED, -122, "declined")                                                              \
	X(PEER_BLOCKED, -123, "peer_blocked")                                                      \
	X(BOOTSTRAP_PENDING, -124, "bootstrap_pending")                                            \
	X(REQUEST_NOT_FOUND, -125, "request_not_found")                                            \
	X(INVALID_REQUEST_STATE, -126, "invalid_request_state")                                    \
	X(SYNC_NOT_ENABLED, -127, "sync_not_enabled")                                              \
	X(WRONG_ROOT, -128, "wrong_root")                                                          \
	X(CLOCK_SKEW, -129, "clock_skew")                                                          \
	X(V0_KEY, -130, "v0_key")                                                                  \
	X(V0_NOT_SPOKEN, -131, "v0_not_spoken")                                                    \
	X(SHARE_NOT_FOUND, -132, "share_not_found")                                                \
	X(SHARE_EXPIRED, -133, "share_expired")                                                    \
	X(SHARE_USED, -134, "share_used")                                                          \
	X(OWN_SHARE, -135, "own_share")                                                            \
	X(FOREIGN_ENTRY, -150, "foreign_entry")                                                    \
	X(PARENT_DECLINED, -151, "parent_declined")                                                \
	X(SET_ASIDE_FULL, -152, "set_aside_full")                                                  \
	X(WAITS_FOR_PARENT, -153, "waits_for_parent")                                              \
	X(WAITS_FOR_DATABASE, -154, "waits_for_database")                                          \
	X(KEY_REVOKED, -155, "key_revoked")

enum tl_error_code {
	TL_OK = 0,
#define TL_ERROR_ENUM(symbol, number, name) TL_E_##symbol = number,
	TL_ERROR_CODES(TL_ERROR_ENUM)
#undef TL_ERROR_ENUM
};

typedef struct tl_error tl_error;

/* The calling thread's last error, or NULL when its last failing call was never made.
 * Valid until this thread's next call into the library. */
TL_API const tl_error *tl_last_error(void);

/* Makes a message (cut at 1,023 bytes) the calling thread's last error, for callbacks that report a
 * failure of their own. `code` is one of the codes above. Returns `code`. */
TL_API int tl_error_set(int code, const char *message);

/* Accessors; all accept NULL. Results belong to the error. `tl_error_cause` is NULL when the error
 * has none; `tl_error_where` is "file:line" of the place that raised it. */
TL_API int tl_error_code(const tl_error *error);
TL_API const char *tl_error_message(const tl_error *error);
TL_API const tl_error *tl_error_cause(const tl_error *error);
TL_API const char *tl_error_where(const tl_error *error);

/* Stable name of a code ("bad_json"); "ok" for TL_OK, "unknown" for a number that is none.
 * Static storage. */
TL_API const char *tl_error_name(int code);

#ifdef __cplusplus
}
#endif
#endif
