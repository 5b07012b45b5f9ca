/* The public calls about how pairs are kept in step: options, sets of relations, facts. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <tidelock/tidelock.h>
#include "base/str.h"
#include "check.h"

#define PEERS     3
#define DATABASES 400

static tl_node *node;
static char keys[PEERS][TL_KEY_TEXT_LEN + 1];
static tl_relation relations[PEERS * DATABASES];

static bool open_node(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;

	config.log_level = TL_LOG_OFF;
	return tl_node_open(&node, &config) == TL_OK;
}

static void make_peers(void)
{
	for (int i = 0; i < PEERS; i++) {
		tl_secret secret;
		tl_key key;

		CHECK_OK(tl_secret_from_seed(
			&secret, (const uint8_t[TL_SEED_BYTES]){(uint8_t)(i + 1)}));
		tl_secret_public(&secret, &key);
		tl_key_format(&key, keys[i]);
		CHECK_OK(tl_sync_register_peer(node, keys[i], NULL));
	}
}

/* Each peer with each database; nobody holds any. */
static void make_relations(const tl_pair_options *options)
{
	for (int i = 0; i < PEERS * DATABASES; i++) {
		char name[24];

		snprintf(name, sizeof name, "database %d", i / PEERS);
		relations[i].peer = keys[i % PEERS];
		relations[i].options = options;
		tl_id_of(&relations[i].db, name, strlen(name));
	}
}

static int set(size_t count, uint64_t *touched)
{
	return tl_sync_set_relations(node, "rules", relations, count, touched);
}

static size_t count_of(const char *peer)
{
	char *json = NULL;
	size_t count = 0;

	CHECK_OK(tl_sync_get_peer_trees(node, peer, &json));
	for (const char *at = json; at && (at = strstr(at, "sha256:")); at++)
		count++;
	tl_free(json);
	return count;
}

static bool status_says(const char *text)
{
	char *json = NULL;
	bool says = tl_sync_status(node, &json) == TL_OK && strstr(json, text);

	tl_free(json);
	return says;
}

static void a_large_set_comes_and_goes_by_what_differs(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	uint64_t touched = 0;

	options.rule = "everything";
	make_relations(&options);
	CHECK_OK(set(PEERS * DATABASES, &touched));
	CHECK(touched == PEERS * DATABASES && count_of(keys[0]) == DATABASES);
	CHECK_OK(set(PEERS * DATABASES, &touched));
	CHECK(touched == 0);
	options.priority = 3;
	CHECK_OK(set(PEERS * DATABASES, &touched));
	CHECK(touched == PEERS * DATABASES && status_says("\"priority\":3"));
	CHECK_OK(set(PEERS, &touched));
	CHECK(touched == PEERS * (DATABASES - 1) && count_of(keys[1]) == 1);
	CHECK_OK(tl_sync_set_relations(node, "rules", NULL, 0, &touched));
	CHECK(touched == PEERS && count_of(keys[1]) == 0);
}

static void a_set_that_cannot_be_is_refused(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	uint64_t touched = 7;

	make_relations(NULL);
	CHECK_CODE(tl_sync_set_relations(node, "manual", relations, 1, NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_sync_set_relations(node, "rules", NULL, 1, NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_sync_set_relations(node, NULL, relations, 1, NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_sync_set_relations(node, "rules", relations, 10001, NULL), TL_E_TOO_LARGE);
	relations[0].peer = NULL;
	CHECK_CODE(set(1, &touched), TL_E_BAD_ARGUMENT);
	CHECK(touched == 0);
	relations[0].peer = "nobody";
	CHECK(set(1, NULL) != TL_OK);
	options.size = 0;
	relations[0].peer = keys[0];
	relations[0].options = &options;
	CHECK_CODE(set(1, NULL), TL_E_BAD_ARGUMENT);
	options.size = sizeof options;
	options.priority = 10;
	CHECK_CODE(set(PEERS, NULL), TL_E_BAD_ARGUMENT);
	CHECK(count_of(keys[1]) == 0);
	CHECK_CODE(tl_sync_configure_pair(node, keys[0], &relations[0].db, &options),
		TL_E_BAD_ARGUMENT);
}

static void a_pair_is_configured_by_hand(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;

	make_relations(NULL);
	options.paused = true;
	options.reason = "on holiday";
	CHECK_OK(tl_sync_configure_pair(node, keys[0], &relations[0].db, &options));
	CHECK_OK(tl_sync_add_tree_sync(node, keys[0], &relations[0].db));
	CHECK(status_says(
		"\"paused\":true,\"reason\":\"on holiday\",\"rule\":null,\"by\":\"hand\""));
	CHECK_OK(tl_sync_configure_pair(node, keys[0], &relations[0].db, NULL));
	CHECK(status_says("\"paused\":false"));
	CHECK_OK(tl_sync_remove_tree_sync(node, keys[0], &relations[0].db));
}

/* --- facts ------------------------------------------------------------------------------------ */

static bool are(const char *expected)
{
	char *json = NULL;
	bool same = tl_sync_get_facts(node, &json) == TL_OK && strcmp(json, expected) == 0;

	if (!same)
		printf("facts: %s\n", json ? json : "");
	tl_free(json);
	return same;
}

/* Told since the last look. */
static int changes(const char *name)
{
	tl_event event = TL_EVENT_INIT;
	int count = 0;

	while (tl_next_event(node, &event) == 1)
		count += event.kind == TL_EVENT_FACT_CHANGED && strcmp(event.text, name) == 0 &&
			 event.time_ms > 0;
	return count;
}

static void facts_are_kept_and_told_where_they_change(void)
{
	(void)changes("");
	CHECK(are("{}"));
	CHECK_OK(tl_sync_set_fact(node, "metered", "true"));
	CHECK_OK(tl_sync_set_fact(node, "metered", "true"));
	CHECK(changes("metered") == 1);
	CHECK_OK(tl_sync_set_fact(node, "battery", "{\"level\":0.5}"));
	CHECK(are("{\"battery\":{\"level\":0.5},\"metered\":true}"));
	CHECK_OK(tl_sync_set_fact(node, "metered", "false"));
	CHECK(changes("metered") == 1);
	CHECK_OK(tl_sync_set_fact(node, "metered", NULL));
	CHECK_OK(tl_sync_set_fact(node, "metered", NULL));
	CHECK(changes("metered") == 1 && are("{\"battery\":{\"level\":0.5}}"));
	CHECK_OK(tl_sync_set_fact(node, "battery", NULL));
}

static void facts_have_bounds(void)
{
	char value[1100], name[16];

	memset(value, '1', sizeof value);
	value[0] = value[sizeof value - 2] = '"';
	value[sizeof value - 1] = 0;
	CHECK_CODE(tl_sync_set_fact(node, "long", value), TL_E_TOO_LARGE);
	CHECK_CODE(tl_sync_set_fact(node, "", "1"), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_sync_set_fact(node, "bad", "{1}"), TL_E_BAD_JSON);
	CHECK_CODE(tl_sync_set_fact(node, "bad", "1 2"), TL_E_BAD_JSON);
	CHECK(are("{}"));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK_OK(tl_sync_set_fact(node, name, "1"));
	}
	CHECK_CODE(tl_sync_set_fact(node, "one more", "1"), TL_E_TOO_LARGE);
	CHECK_OK(tl_sync_set_fact(node, "99", "2"));
}

/* --- listening -------------------------------------------------------------------------------- */

typedef struct heard {
	atomic_int facts, peers, dropped;
} heard;

static void hear(void *ud, const tl_event *event)
{
	heard *h = ud;

	if (event->kind == TL_EVENT_FACT_CHANGED && strcmp(event->text, "heard") == 0)
		atomic_fetch_add(&h->facts, 1);
	if (event->kind == TL_EVENT_PEER_CHANGED && event->has_peer && !event->text[0])
		atomic_fetch_add(&h->peers, 1);
}

static void stop_hearing(void *ud)
{
	atomic_fetch_add(&((heard *)ud)->dropped, 1);
}

static heard ears[17];

static tl_listener listener_of(heard *h)
{
	tl_listener listener = TL_LISTENER_INIT;

	listener.event = hear;
	listener.drop = stop_hearing;
	listener.ud = h;
	return listener;
}

static void each_listener_hears_all(void)
{
	uint64_t handles[16], one_more;
	tl_listener listener = listener_of(&ears[16]);

	for (int i = 0; i < 16; i++) {
		listener = listener_of(&ears[i]);
		CHECK_OK(tl_node_listen(node, &listener, &handles[i]));
	}
	CHECK_CODE(tl_node_listen(node, &listener, &one_more), TL_E_TOO_LARGE);
	CHECK_OK(tl_sync_set_fact(node, "1", "3")); /* of another name */
	CHECK_OK(tl_sync_set_fact(node, "1", NULL));
	CHECK_OK(tl_sync_set_fact(node, "heard", "1"));
	for (int i = 0; i < 16; i++)
		CHECK(atomic_load(&ears[i].facts) == 1);
	for (int i = 1; i < 15; i++)
		tl_node_unlisten(node, handles[i]);
	tl_node_unlisten(node, handles[1]);
	CHECK_OK(tl_sync_set_fact(node, "heard", "2"));
	for (int i = 0; i < 16; i++) {
		bool gone = i > 0 && i < 15;

		CHECK(atomic_load(&ears[i].facts) == (gone ? 1 : 2));
		CHECK(atomic_load(&ears[i].dropped) == gone);
	}
	listener.event = NULL;
	CHECK_CODE(tl_node_listen(node, &listener, &one_more), TL_E_BAD_ARGUMENT);
	listener.size = 0;
	CHECK_CODE(tl_node_listen(node, &listener, &one_more), TL_E_BAD_ARGUMENT);
}

/* The engine tells them behind the command. */
static void wait_for_peers(int count)
{
	for (int i = 0; i < 5000 && atomic_load(&ears[0].peers) < count; i++)
		usleep(1000);
	CHECK(atomic_load(&ears[0].peers) == count);
}

static void changes_of_peers_are_told(void)
{
	CHECK_OK(tl_sync_rename_peer(node, keys[0], "anna"));
	wait_for_peers(1);
	CHECK_OK(tl_sync_update_peer_status(node, keys[0], "blocked"));
	wait_for_peers(2);
	CHECK_OK(tl_sync_remove_peer(node, keys[0]));
	wait_for_peers(3);
	CHECK_OK(tl_sync_register_peer(node, keys[0], NULL));
	wait_for_peers(4);
}

static void listeners_are_dropped_with_the_node(void)
{
	tl_node_close(node);
	CHECK(atomic_load(&ears[0].dropped) == 1 && atomic_load(&ears[15].dropped) == 1);
	CHECK(atomic_load(&ears[1].dropped) == 1);
}

int main(void)
{
	if (!open_node())
		return 1;
	make_peers();
	RUN(a_large_set_comes_and_goes_by_what_differs);
	RUN(a_set_that_cannot_be_is_refused);
	RUN(a_pair_is_configured_by_hand);
	RUN(facts_are_kept_and_told_where_they_change);
	RUN(facts_have_bounds);
	RUN(each_listener_hears_all);
	RUN(changes_of_peers_are_told);
	RUN(listeners_are_dropped_with_the_node);
	return spec_end();
}
