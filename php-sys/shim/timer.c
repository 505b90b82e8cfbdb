/*
 * The execution time limit, without PHP's timers.
 *
 * PHP makes a kernel timer for each request and sets it several times, which is a dozen system calls; without thread
 * safety it sets one that belongs to the whole process. Here the thread's owner is told the limit instead, and calls
 * ephpm_interrupt_fire() when the time is over: from there on all is PHP's own, the error message included.
 *
 * The functions that php-src's main.c, zend.c and zend_execute_API.c call for this are exchanged by the linker
 * (--wrap, see build.rs). Where it was not told to, or a thread has no owner, PHP's own functions do their work.
 */
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

/* Whom to tell; NULL on a thread that keeps PHP's timers. */
static __thread void *owner;

/* What the linker makes of "--wrap=name": __real_name is the original, __wrap_name is called instead of it. Weak,
 * because without the argument there is no such name. */
#define WRAPPED(name) \
	extern __typeof__(name) __real_##name __attribute__((weak)); \
	__typeof__(name) __wrap_##name

WRAPPED(zend_set_timeout);
WRAPPED(zend_unset_timeout);

/* A limit of PHP's own, set before or after, would be at least a second away: nothing is lost in between. */
static void tell_owner(zend_long seconds)
{
	ephpm_callbacks.set_timeout(owner, seconds, EG(hard_timeout));
	zend_atomic_bool_store_ex(&EG(timed_out), false);
}

void __wrap_zend_set_timeout(zend_long seconds, bool reset_signals)
{
	if (!owner) {
		__real_zend_set_timeout(seconds, reset_signals);
		return;
	}
	EG(timeout_seconds) = seconds;
	tell_owner(seconds);
}

void __wrap_zend_unset_timeout(void)
{
	if (!owner) {
		__real_zend_unset_timeout();
		return;
	}
	tell_owner(0);
}

#ifdef ZEND_MAX_EXECUTION_TIMERS
WRAPPED(zend_max_execution_timer_init);
WRAPPED(zend_max_execution_timer_shutdown);

/* EG(pid) stays 0, by which the other functions of zend_max_execution_timer.c know that there is no timer. */
void __wrap_zend_max_execution_timer_init(void)
{
	if (!owner) {
		__real_zend_max_execution_timer_init();
	}
}

void __wrap_zend_max_execution_timer_shutdown(void)
{
	if (!owner) {
		__real_zend_max_execution_timer_shutdown();
	}
}
#endif

/* In place of libc's. PHP's sockets wait with poll(), and when that is interrupted they wait again, for as long as before
 * (php_sock_stream_wait_for_data in xp_socket.c). But when the request's time is over then so is theirs, and the script
 * comes to its error. Visible to shared libraries, since libcurl waits with it too: that goes on when it is interrupted
 * or when nothing comes, and gives up only when poll() fails. For a request without time that does not take the first
 * hint it does. */
__attribute__((visibility("default"))) int poll(struct pollfd *fds, nfds_t fds_len, int timeout_ms)
{
	struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
	int ready = ppoll(fds, fds_len, timeout_ms < 0 ? NULL : &timeout, NULL);
	bool fails;

	if (ready >= 0 || errno != EINTR || !owner) {
		return ready;
	}
	if (zend_atomic_bool_load_ex(&EG(timed_out))) {
		return 0;
	}
	if (ephpm_watch_ends_poll(&fails)) {
		errno = EBADF;
		return fails ? -1 : 0;
	}
	return -1;
}

/* A child of fork() has this thread alone, and nobody who watches it. */
static void forget_owner(void)
{
	owner = NULL;
	ephpm_watch_forget();
}

void ephpm_timer_startup(void)
{
	pthread_atfork(NULL, NULL, forget_owner);
}

void ephpm_timer_attach(void *thread)
{
	owner = thread;
}

void ephpm_timer_detach(void)
{
	owner = NULL;
}

bool ephpm_timer_is_ours(void)
{
	return __real_zend_set_timeout != NULL;
}
