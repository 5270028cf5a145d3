/*
 * fork(), whatever the parent's other threads are doing. In the child:
 *
 * - No lock of the process is held: who forks takes them all first, and gives
 *   them back on both sides. So nothing that they guard is half changed.
 * - Nobody is waited for who is not there. Of callbacks and watchers that
 *   ran, those of the forking thread still do (it may fork from inside one);
 *   the others will not end, and are forgotten.
 * - What other threads registered (callbacks, pollers) may lie on their
 *   stacks, whose memory the next threads get: it is out of every list.
 *   Callbacks can still be taken back, for what they hold.
 * - The parent does not notice: the child leaves descriptors that both have
 *   as they are (cancel.c).
 * - Contexts that other threads read are free (stack.c).
 * - What other threads had of their own (thread.h) nobody finds: a thread's
 *   begins empty, also where a lost one had its.
 *
 * What cannot be: contexts and fibers that other threads had entered stay so
 * for ever, and what those threads held is not given back.
 *
 * The handlers come with the program or the shared library, before main. So
 * ours are the first in the child; before the fork they are the last, when
 * other handlers may have taken locks: none of those may be taken under one
 * of ours (cancel.h says so of wakes). Should the system have no memory for
 * them so early, a child of several threads may only exec, as POSIX has it.
 * _Fork and vfork call no handlers; fork in a signal handler, or in a wake,
 * may find a lock taken by its own thread.
 */
#include "lib/fork.h"

#include "lib/scope.h"
#include "lib/watch.h"

pthread_mutex_t reqctxi_key_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t reqctxi_watchers_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t reqctxi_scopes_lock = PTHREAD_MUTEX_INITIALIZER;
uintptr_t reqctxi_fork_count;

static void take_locks(void)
{
    pthread_mutex_lock(&reqctxi_key_lock);
    pthread_mutex_lock(&reqctxi_watchers_lock);
    pthread_mutex_lock(&reqctxi_scopes_lock);
}

static void give_locks(void)
{
    pthread_mutex_unlock(&reqctxi_scopes_lock);
    pthread_mutex_unlock(&reqctxi_watchers_lock);
    pthread_mutex_unlock(&reqctxi_key_lock);
}

static void begin_child(void)
{
    reqctxi_fork_count++;
    reqctxi_watch_forget();
    reqctxi_after_forget();
    reqctxi_poller_forget();
    give_locks();
}

__attribute__((constructor)) static void install(void)
{
    pthread_atfork(take_locks, give_locks, begin_child);
}
