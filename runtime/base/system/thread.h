/* Threads of our own inside a program of somebody else. */
#ifndef TL_BASE_THREAD_H
#define TL_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* As pthread_create, whose error number it returns; the thread takes no signals: those are for the
 * program's own threads. What the thread itself does wrong (SIGSEGV and the like) still ends it.
 * `name`, at most 15 bytes, is what the system's tools show. */
int tl__thread_start(pthread_t *out, const char *name, void *(*run)(void *ud), void *ud);

/* Blocks SIGPIPE for the calling thread: peers close sockets at any time. What was blocked before
 * goes to *before, and unblock makes it so again; a signal that came meanwhile is forgotten. */
void tl__thread_block_pipes(sigset_t *before);
void tl__thread_unblock_pipes(const sigset_t *before);

#endif
