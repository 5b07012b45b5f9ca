/* What the sections of the vector checker share. A vector is one case; a case fails at its first
 * wrong answer. Where tidelock differs from 0.2.0 on purpose, the rule that says so is printed and
 * our own answer is asserted. */
#ifndef SPEC_VECTORS_CHECK_H
#define SPEC_VECTORS_CHECK_H

#include "vector.h"
#include "base/str.h"

/* The case being checked: `what` names the section, `item` is shown when it fails. */
typedef struct check {
	tl__arena arena; /* of this case */
	const char *section;
	const node *item;
	bool failed;
	bool differs;
	bool skipped;
} check;

/* Records a wrong answer. */
void wrong(check *c, const char *format, ...) TL_FORMAT(2, 3);
/* Tells why our answer is another than 0.2.0's. */
void differs(check *c, const char *reason);
/* This build cannot look at it: counted, and named once for all of its section. */
void skip(check *c, const char *reason);
void expect(check *c, bool condition, const char *what);
void expect_text(check *c, tl_str got, tl_str wanted, const char *what);
/* Both are JSON: compared as values. */
void expect_json(check *c, tl_str got, tl_str wanted, const char *what);
/* Bytes of a member that may be given as `name` (text) or `name_hex`. */
tl_str bytes_of(check *c, const char *name);
tl_str unhex(check *c, tl_str hex);

typedef void (*case_function)(check *c, const node *section);

void check_entry(check *c, const node *section);
void check_entry_reader(check *c, const node *section);
void check_signature(check *c, const node *section);
void check_key_string(check *c, const node *section);
void check_id_string(check *c, const node *section);
void check_handshake(check *c, const node *section);
void check_auth(check *c, const node *section);
void check_merge(check *c, const node *section);
void check_fold(check *c, const node *section);
void check_doc_reader(check *c, const node *section);
void check_doc_op(check *c, const node *section);
void check_list_op(check *c, const node *section);
/* An object of keys and their seeds. */
void check_wire_keys(const node *section,
	void (*run)(case_function function, const node *item, const node *section));
void check_sync_record(check *c, const node *section);
void check_dag(check *c, const node *section);
void check_linear(check *c, const node *section);
/* Another section of the same file; a null node when absent. */
const node *vector_section(const char *name);
void check_v1_request(check *c, const node *section);
void check_v1_response(check *c, const node *section);
void check_v1_refused(check *c, const node *section);
void check_v1_unsigned(check *c, const node *section);
void check_v1_tips(check *c, const node *section);
void check_v1_share(check *c, const node *section);
void check_v1_bad_share(check *c, const node *section);
/* An object of several lists: counts its own cases. */
void check_permissions(const node *section,
	void (*run)(case_function function, const node *item, const node *section));

/* v0/: sections of messages of 0.2.0. A build without it has without_v0.c in its stead. */
void check_wire(check *c, const node *section);
void check_client_verdict(check *c, const node *section);
/* Entries of a database that the section `wire` shows; memory of the case. NULL: it is not read. */
tl_str *texts_of_db(check *c, const tl_id *db, size_t *count);

#endif
