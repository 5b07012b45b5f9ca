/* How often a walk of runtime/README.md changes threads, and how many snapshots it takes: of a
 * commit until its bytes go out, and of a page that came until its event is told. The functions
 * that every hand-over and snapshot goes through are wrapped by the linker (Makefile). What is
 * remembered of an exchange is written at a pace of its own, and upkeep comes by itself: neither is
 * part of a walk. */
#include <pthread.h>
#include <stdatomic.h>
#include "check.h"
#include "duo_help.h"
#include "engine/parts/node_impl.h"
#include "engine/run/engine_impl.h"

#define MAX_STEPS 256

typedef enum step_kind {
	OPENS, /* a snapshot */
	WORKS, /* to the store worker */
	POOLS, /* to the pool */
	BACK,  /* to the loop */
	HEARS, /* a request or an answer is whole */
	SENDS, /* a request or an answer goes out */
	TELLS  /* entries were received */
} step_kind;

static const char *const names[] = {
	"opens a snapshot", "to tl-store", "to tl-pool", "to tl-sync", "hears", "sends", "tells"};

typedef struct step {
	const tl_node *node;
	step_kind kind;
	int work; /* whose kind that is; -1: of none */
} step;

static site hub, spoke; /* the hub serves, the spoke alone can reach the other */
static tl_database *at_hub, *at_spoke;
static tl_id id;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static step steps[MAX_STEPS];
static size_t step_count;
static atomic_bool watching;

/* Of the work that this thread is at, or is about to hand out; -1: of none. */
static _Thread_local int handed = -1, running = -1;
static _Thread_local bool keeps_up;

static void note(step_kind of, const tl_node *node, int work)
{
	if (!node)
		return;
	pthread_mutex_lock(&lock);
	if (step_count < MAX_STEPS)
		steps[step_count++] = (step){node, of, work};
	pthread_mutex_unlock(&lock);
}

/* The node whose engine is known by a part of it; NULL: neither, or nobody watches. */
#define NODE_OF(condition)                                                                         \
	({                                                                                         \
		const tl_node *found_node = NULL;                                                  \
		if (atomic_load(&watching)) {                                                      \
			const tl_node *n = hub.node;                                               \
			if (condition)                                                             \
				found_node = n;                                                    \
			n = spoke.node;                                                            \
			if (condition)                                                             \
				found_node = n;                                                    \
		}                                                                                  \
		found_node;                                                                        \
	})

/* --- what is wrapped -------------------------------------------------------------------------- */

int __real_tl__snapshot_open(tl__store *store, tl__snapshot **out);
int __real_tl__snapshot_open_warm(tl__store *store, tl__snapshot **out);
bool __real_tl__work_at_once(tl__host *host, tl__work *work);
bool __real_tl__work_slice(tl__host *host, tl__work *work);
bool __real_tl__upkeep_slice(tl__upkeep *upkeep);
void __real_tl__worker_do(tl__worker *worker, tl__job *job);
bool __real_tl__pool_hand(tl__verify_pool *pool, tl__pool_job *job);
bool __real_tl__inbox_put(tl__inbox *inbox, tl__task *task);
void __real_tl__sync_take(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms);
void __real_tl__client_send(tl__engine *engine, tl__sync_action *action);
void __real_tl__serving_answer(tl__engine *engine, tl__sync_action *action);
void __real_tl__hub_tell(tl__hub *hub, const tl_event *event, const char *text);

static void note_snapshot(const tl__store *store)
{
	if (!keeps_up && running != TL__WORK_SAVE)
		note(OPENS, NODE_OF(n->store == store), running);
}

int __wrap_tl__snapshot_open(tl__store *store, tl__snapshot **out)
{
	note_snapshot(store);
	return __real_tl__snapshot_open(store, out);
}

int __wrap_tl__snapshot_open_warm(tl__store *store, tl__snapshot **out)
{
	note_snapshot(store);
	return __real_tl__snapshot_open_warm(store, out);
}

bool __wrap_tl__work_at_once(tl__host *host, tl__work *work)
{
	handed = (int)work->kind;
	return __real_tl__work_at_once(host, work);
}

bool __wrap_tl__work_slice(tl__host *host, tl__work *work)
{
	running = (int)work->kind;
	return __real_tl__work_slice(host, work);
}

bool __wrap_tl__upkeep_slice(tl__upkeep *upkeep)
{
	bool more;

	keeps_up = true;
	more = __real_tl__upkeep_slice(upkeep);
	keeps_up = false;
	return more;
}

void __wrap_tl__worker_do(tl__worker *worker, tl__job *job)
{
	const tl_node *node = NODE_OF(n->engine->worker == worker);

	if (handed != TL__WORK_SAVE && (!node || job != &node->engine->upkeep_job))
		note(WORKS, node, handed);
	__real_tl__worker_do(worker, job);
}

bool __wrap_tl__pool_hand(tl__verify_pool *pool, tl__pool_job *job)
{
	bool taken = __real_tl__pool_hand(pool, job);

	if (taken)
		note(POOLS, NODE_OF(n->pool == pool), handed);
	return taken;
}

/* The note of a commit that an ingest brings begins the walk to other peers; the work itself comes
 * back behind it. */
static bool is_of_walk(const tl_node *node, const tl__task *task)
{
	if (task == &node->engine->upkeep_job.task)
		return false;
	return running < 0 || (running != TL__WORK_SAVE && task != &node->commits.task);
}

bool __wrap_tl__inbox_put(tl__inbox *inbox, tl__task *task)
{
	const tl_node *node = NODE_OF(n->engine->inbox == inbox);

	if (node && is_of_walk(node, task))
		note(BACK, node, running);
	return __real_tl__inbox_put(inbox, task);
}

void __wrap_tl__sync_take(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms)
{
	if (event->kind == TL__SYNC_REQUEST || event->kind == TL__SYNC_ANSWERED)
		note(HEARS, NODE_OF(n->engine->sync == sync), -1);
	__real_tl__sync_take(sync, event, now_mono_ms, now_wall_ms);
}

void __wrap_tl__client_send(tl__engine *engine, tl__sync_action *action)
{
	note(SENDS, NODE_OF(n->engine == engine), -1);
	__real_tl__client_send(engine, action);
}

void __wrap_tl__serving_answer(tl__engine *engine, tl__sync_action *action)
{
	if (action->kind == TL__SYNC_ANSWER)
		note(SENDS, NODE_OF(n->engine == engine), -1);
	__real_tl__serving_answer(engine, action);
}

void __wrap_tl__hub_tell(tl__hub *told, const tl_event *event, const char *text)
{
	if (event->kind == TL_EVENT_ENTRIES_RECEIVED)
		note(TELLS, NODE_OF(n->hub == told), -1);
	__real_tl__hub_tell(told, event, text);
}

/* --- two nodes in step ------------------------------------------------------------------------ */

static bool tells(tl_node *node, const char *part)
{
	char *json = NULL;
	bool told = tl_sync_status(node, &json) == TL_OK && strstr(json, part);

	tl_free(json);
	return told;
}

/* Nothing is left to be sent, and the hub holds a watch of the spoke. */
static bool are_level(void)
{
	return tells(hub.node, "\"watches_us\":true") && tells(spoke.node, "\"watched\":true") &&
	       tells(spoke.node, "\"state\":\"idle\"") && !tells(hub.node, "\"dirty\":true") &&
	       entries_of(hub.node, &id) == entries_of(spoke.node, &id);
}

static void two_nodes_are_in_step(void)
{
	tl_sync_options options = quick();
	char key[TL_KEY_TEXT_LEN + 1];
	const char *accepted[1] = {spoke.key};

	memset(&spoke, 0, sizeof spoke);
	spoke.node = open_node(NULL, &options);
	REQUIRE(spoke.node && tl_node_device_key(spoke.node, spoke.key) == TL_OK);
	REQUIRE(tl_sync_enable_http_transport(spoke.node, NULL) == TL_OK);
	options.accept_databases_from = accepted;
	options.accept_databases_from_count = 1;
	options.commit_gap_ms = 1;
	REQUIRE(site_open_at(&hub, NULL, &options, NULL));
	at_spoke = make_db(spoke.node, "shared");
	REQUIRE(at_spoke && tl_node_add_private_key(hub.node, "hub", NULL, key) == TL_OK);
	id = *tl_database_root_id(at_spoke);
	CHECK_OK(grant(at_spoke, key, WRITE10));
	CHECK_OK(greet(&spoke, &hub));
	CHECK_OK(tl_sync_add_tree_sync(spoke.node, hub.key, &id));
	REQUIRE(WAIT_FOR(entries_of(hub.node, &id) == 2));
	CHECK_OK(tl_sync_register_peer(hub.node, spoke.key, "spoke"));
	CHECK_OK(tl_sync_add_tree_sync(hub.node, spoke.key, &id));
	at_hub = writer(hub.node, &id, "hub");
	/* The first page of a process also looks for what a crash left. */
	REQUIRE(at_hub && WAIT_FOR(are_level()) && put(at_hub, "first", "page") == TL_OK);
}

static void nodes_close(void)
{
	tl_database_free(at_hub);
	tl_database_free(at_spoke);
	site_close(&hub);
	site_close(&spoke);
}

/* --- counting --------------------------------------------------------------------------------- */

static bool has_happened(const tl_node *node, step_kind of)
{
	bool found = false;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < step_count; i++)
		found = found || (steps[i].node == node && steps[i].kind == of);
	pthread_mutex_unlock(&lock);
	return found;
}

typedef struct way {
	unsigned changes, snapshots;
} way;

/* Of this node's steps those before the last one named, from the first one named on (or all). */
static way way_of(const tl_node *node, step_kind first, step_kind last)
{
	bool counts = first == last;
	way found = {0, 0};

	for (size_t i = 0; i < step_count; i++) {
		const step *s = &steps[i];

		if (s->node != node)
			continue;
		if (s->kind == last)
			break;
		counts = counts || s->kind == first;
		found.snapshots += counts && s->kind == OPENS;
		found.changes +=
			counts && (s->kind == WORKS || s->kind == POOLS || s->kind == BACK);
	}
	return found;
}

static void show(const tl_node *from)
{
	for (size_t i = 0; i < step_count; i++)
		printf("  %s %s %d\n", steps[i].node == from ? "sender" : "receiver",
			names[steps[i].kind], steps[i].work);
}

/* One commit of `from`, as it goes to `to`: the first walk at the one, the second at the other. */
static void walk(tl_database *db, const tl_node *from, const tl_node *to, const char *text)
{
	way out, in;

	REQUIRE(WAIT_FOR(are_level()));
	nap(50); /* past the pace of sending */
	step_count = 0;
	atomic_store(&watching, true);
	CHECK_OK(put(db, "k", text));
	CHECK(WAIT_FOR(has_happened(to, TELLS)));
	atomic_store(&watching, false);
	pthread_mutex_lock(&lock);
	out = way_of(from, SENDS, SENDS);
	in = way_of(to, HEARS, TELLS);
	in.changes++; /* to whoever waits for the event */
	if (out.changes != 1 || out.snapshots != 1 || in.changes != 3 || in.snapshots != 2)
		show(from);
	pthread_mutex_unlock(&lock);
	CHECK(out.changes == 1 && out.snapshots == 1);
	CHECK(in.changes == 3 && in.snapshots == 2);
}

static void what_is_pushed(void)
{
	for (int i = 0; i < 5; i++)
		walk(at_spoke, spoke.node, hub.node, i % 2 ? "pushed" : "pushed again");
}

static void what_a_watch_is_told(void)
{
	for (int i = 0; i < 5; i++)
		walk(at_hub, hub.node, spoke.node, i % 2 ? "told" : "told again");
}

int main(void)
{
	RUN(two_nodes_are_in_step);
	if (at_hub) {
		RUN(what_is_pushed);
		RUN(what_a_watch_is_told);
	}
	nodes_close();
	return spec_end();
}
