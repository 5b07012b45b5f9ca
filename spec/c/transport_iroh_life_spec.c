/* The Iroh transport beside processes that stop or die, and in machines without a network. */
#include "iroh_rig.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ADDRESS 512

/* --- the other side, in a process of its own --------------------------------------------------- */

typedef struct other {
	pid_t pid;
	char address[ADDRESS];
} other;

static void serve_for_ever(int tell)
{
	rig far = {0};
	tl_loop *loop;
	char address[ADDRESS] = "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tl__loop_new(&loop) != TL_OK || rig_iroh(&far, loop, NULL, 0) != TL_OK ||
		rig_serve(&far, NULL) != TL_OK)
		_exit(2);
	snprintf(address, sizeof address, "%s", far.address);
	if (write(tell, address, sizeof address) != (ssize_t)sizeof address)
		_exit(3);
	tl__loop_run(loop);
	_exit(0);
}

/* Before anything of Iroh is in this process: a fork has no endpoints of its parent's. */
static bool other_start(other *o)
{
	int ends[2];
	ssize_t got;

	memset(o, 0, sizeof *o);
	if (pipe(ends) != 0)
		return false;
	o->pid = fork();
	if (o->pid == 0)
		serve_for_ever(ends[1]);
	close(ends[1]);
	got = read(ends[0], o->address, sizeof o->address);
	close(ends[0]);
	return o->pid > 0 && got == (ssize_t)sizeof o->address;
}

static void other_end(other *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
}

static int near_open(rig *near, const other *o)
{
	tl_loop *loop;
	int rc = tl__loop_new(&loop);

	memset(near, 0, sizeof *near);
	if (rc == TL_OK)
		rc = rig_iroh(near, loop, NULL, 0);
	snprintf(near->address, sizeof near->address, "%s", o->address);
	return rc;
}

static void near_close(rig *near)
{
	near->http->free(near->http);
	tl__loop_free(near->loop);
}

static bool is_alone(void *ud)
{
	return connections_of(ud) == 0;
}

/* --- cases ------------------------------------------------------------------------------------ */

static other stopped, killed;

static void one_that_is_stopped_is_given_up_and_found_again(void)
{
	exchange before = {.send_len = 10}, meanwhile = {.send_len = 10, .idle_ms = 700};
	exchange after = {.send_len = 10};
	rig near;

	REQUIRE(near_open(&near, &stopped) == TL_OK);
	CHECK_OK(ex_run(&before, &near, "/echo"));
	CHECK(kill(stopped.pid, SIGSTOP) == 0);
	CHECK(ex_run(&meanwhile, &near, "/echo") == TL_E_TIMEOUT);
	CHECK(kill(stopped.pid, SIGCONT) == 0);
	CHECK_OK(ex_run(&after, &near, "/echo"));
	CHECK(after.got == 10);
	ex_end(&before);
	ex_end(&meanwhile);
	ex_end(&after);
	near_close(&near);
}

static void one_that_is_killed_ends_what_it_was_asked(void)
{
	exchange before = {.send_len = 10}, open = {.send_len = 10};
	rig near;

	REQUIRE(near_open(&near, &killed) == TL_OK);
	CHECK_OK(ex_run(&before, &near, "/echo"));
	CHECK_OK(ex_start(&open, &near, near.address, "/never"));
	rig_wait(&near, 200);
	CHECK(kill(killed.pid, SIGKILL) == 0);
	/* Its silence ends the connection, and so the exchange: long before its own deadline. */
	CHECK(rig_turn(&near, ex_is_done, &open, RIG_GUARD_MS));
	CHECK(open.code == TL_E_NETWORK || open.code == TL_E_TIMEOUT);
	CHECK(rig_turn(&near, is_alone, &near, RIG_GUARD_MS));
	ex_end(&before);
	ex_end(&open);
	near_close(&near);
}

/* --- without a network ------------------------------------------------------------------------ */

/* What `fn` says of a process in a network of its own, in which nothing is up. */
static int in_no_network(int (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) != 0 ? 77 : fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool may_leave(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNET) != 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int dial_nowhere(void)
{
	exchange e = {.send_len = 10, .dial_ms = 1500};
	const tl__iroh_options options = {.plugin = iroh_path()}; /* every address there is */
	char address[ADDRESS];
	rig near = {0};

	if (tl__loop_new(&near.loop) != TL_OK)
		return 2;
	if (tl__iroh_new(&near.http, &options, NULL) != TL_OK ||
		tl__iroh_attach(near.http, near.loop) != TL_OK) {
		printf("%s\n", tl_error_message(tl_last_error()));
		return 3;
	}
	snprintf(address, sizeof address,
		"{\"node_id\":\"%s\",\"direct_addresses\":[\"198.51.100.9:4000\"]}",
		"ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6");
	if (ex_start(&e, &near, address, "/echo") != TL_OK)
		return 4;
	if (!rig_turn(&near, ex_is_done, &e, RIG_GUARD_MS))
		return 5;
	return e.code == TL_E_TIMEOUT || e.code == TL_E_CONNECTION_FAILED ? 0 : 6;
}

static void without_a_network_it_comes_up_and_dials_in_vain(void)
{
	int said = in_no_network(dial_nowhere);

	if (said != 0)
		printf("the process says %d\n", said);
	CHECK(said == 0);
}

static int open_family(const char *bind)
{
	const tl__iroh_options options = {.plugin = iroh_path(), .bind = bind};
	tl_transport *transport;
	int rc = tl__iroh_new(&transport, &options, NULL);

	if (transport)
		transport->free(transport);
	return rc;
}

static int without_v6(void)
{
	FILE *file = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "we");

	if (file) {
		fputs("1\n", file);
		fclose(file);
	}
	/* What it is told to listen at is not there, and that is said; else it takes what is. */
	if (open_family("[2001:db8::1]:0") != TL_E_SERVER_BIND)
		return 2;
	if (!strstr(tl_error_message(tl_last_error()), "Iroh"))
		printf("%s\n", tl_error_message(tl_last_error()));
	return open_family(NULL) == TL_OK ? 0 : 3;
}

static void a_missing_address_family_is_told_or_left_out(void)
{
	int said = in_no_network(without_v6);

	if (said != 0)
		printf("the process says %d\n", said);
	CHECK(said == 0);
}

int main(void)
{
	bool there = iroh_is_there() && other_start(&stopped) && other_start(&killed);
	bool alone = there && may_leave();

	/* These fork, so they come before this process has endpoints. */
	RUN_IF(alone, without_a_network_it_comes_up_and_dials_in_vain);
	RUN_IF(alone, a_missing_address_family_is_told_or_left_out);
	RUN_IF(there, one_that_is_stopped_is_given_up_and_found_again);
	RUN_IF(there, one_that_is_killed_ends_what_it_was_asked);
	if (there) {
		other_end(&stopped);
		other_end(&killed);
	}
	return spec_end();
}
