/* A policy script: asked about a request, it gives a verdict. Knows no node: whoever has one fills
 * the request and carries the verdict out. */
#ifndef TL_LUA_POLICY_H
#define TL_LUA_POLICY_H

#include "script/cell.h"

#define TLUA_REASON_MAX 201 /* 200 bytes and a zero */

typedef struct tlua_policy tlua_policy;

/* In the order of tl_policy_kind. */
typedef enum tlua_kind {
	TLUA_KIND_CONNECT,
	TLUA_KIND_DIAL,
	TLUA_KIND_LIST,
	TLUA_KIND_READ,
	TLUA_KIND_WRITE,
	TLUA_KIND_CREATE,
	TLUA_KIND_REQUEST,
	TLUA_KIND_FETCH,
	TLUA_KIND_COUNT
} tlua_kind;

/* "connect" ... "fetch", closed by NULL. */
extern const char *const tlua_kind_names[];

/* Texts are borrowed for the call; ptr NULL: nil. */
typedef struct tlua_request {
	tlua_kind kind;
	tl_str peer; /* the proven device key; ptr NULL: none is proven */
	const tl_str *keys;
	size_t key_count;              /* further keys that were proven */
	tl_str name;                   /* as the owner calls the peer */
	tl_str said_name, claimed_key; /* unproven */
	tl_str db, db_name, address, transport;
	int protocol;
	bool outbound, related, granted, encrypted;
	bool usual;                  /* what would be answered without a policy */
	int64_t now;                 /* seconds since 1970 */
	tl_str permission, key_name; /* of access requests */
} tlua_request;

typedef enum tlua_answer { TLUA_NO_OPINION, TLUA_USUAL, TLUA_GRANT, TLUA_DENY } tlua_answer;

/* "usual" "grant" "deny"; NULL for no opinion. */
const char *tlua_answer_name(tlua_answer answer);

typedef struct tlua_verdict {
	tlua_answer answer;
	char reason[TLUA_REASON_MAX]; /* "" where there is none */
	char where[TLUA_WHERE_MAX];   /* of the preset that answered; the file where it is not known
				       */
	uint64_t rate, page;          /* bytes a second, bytes; 0: none was said */
	bool failed;                  /* the policy did, so it is a denial */
} tlua_verdict;

/* Loads a policy: the options' profile is set here. *out is the caller's, NULL unless TLUA_FINE. */
tlua_end tlua_policy_open(const tlua_cell_options *options, tlua_policy **out, tlua_failure *why);
void tlua_policy_close(tlua_policy *policy); /* NULL is fine */
/* Asks. A policy that fails, or answers what is no answer, denies. */
void tlua_policy_decide(tlua_policy *policy, const tlua_request *request, tlua_verdict *out);
/* For its failures and what it used. */
tlua_cell *tlua_policy_cell(tlua_policy *policy);

#endif
