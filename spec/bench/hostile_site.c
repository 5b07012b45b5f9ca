/* What strangers find at the hub. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hostile.h"

static int take_first(void *ud, const tl_id *id)
{
	*(tl_id *)ud = *id;
	return TL_OK;
}

/* Everybody stands on the root alone. */
static void make_many_tips(hostile *h, tl_node *node, size_t count)
{
	tl_database *db = new_db(node);

	open_to_everybody(db, (tl_permission){TL_READ, 0});
	h->many = *tl_database_root_id(db);
	for (size_t i = 0; i < count; i++) {
		tl_transaction *tx = NULL;
		tl_doc_store *store = NULL;
		char key[32];
		int len = snprintf(key, sizeof key, "key%zu", i);

		need(tl_transaction_new_with_tips(db, &h->many, 1, &tx), "a transaction");
		need(tl_transaction_doc_store(tx, (tl_str){STORE, strlen(STORE)}, &store),
			"a store");
		need(tl_doc_store_set_int(store, (tl_str){key, (size_t)len}, 1), "a value");
		need(tl_transaction_commit(tx, NULL), "a commit");
		tl_doc_store_free(store);
		tl_transaction_free(tx);
	}
	tl_database_free(db);
}

void site_furnish(hostile *h, const char *dir)
{
	tl_node *node = open_store(dir, TL_DURABILITY_RELAXED);
	tl_database *db = open_db(node, &h->db, KEY_NAME);

	need(tl_database_tips(db, take_first, &h->old), "a tip");
	commit_one(db, UINT64_C(1) << 33);
	need(tl_database_tips(db, take_first, &h->head), "a tip");
	tl_database_free(db);
	db = new_db(node);
	open_to_everybody(db, (tl_permission){TL_WRITE, 10});
	h->wall = *tl_database_root_id(db);
	tl_database_free(db);
	make_many_tips(h, node, bench_quick ? 50 : 3000);
	for (size_t i = bench_quick ? 20 : 2000; i > 0; i--)
		tl_database_free(new_db(node));
	tl_node_close(node);
}

void site_certificate(char dir[SCRATCH_PATH])
{
	char command[3 * SCRATCH_PATH];

	work_path(dir, "certificate");
	need_that(mkdir(dir, 0700) == 0, "a directory");
	snprintf(command, sizeof command,
		"cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
		"-nodes -keyout " HUB_KEY " -out " HUB_CERTIFICATE
		" -days 2 -subj /CN=hub 2>openssl.log",
		dir);
	/* NOLINTNEXTLINE(cert-env33-c): a fixed command line */
	need_that(system(command) == 0, "a certificate by the openssl program");
}
