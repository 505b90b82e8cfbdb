/*
 * What a thread's stack has grown to, given back. The kernel keeps every page that was touched once, so that a thread
 * which has met one deep recursion would hold tens of megabytes for the rest of its life.
 *
 * Asking the kernel after each request would cost a system call. Instead one page at some depth is looked at: as long as
 * it reads as zeros nobody was there. (Frames of more than a page might step over it; then the pages stay until somebody
 * does not.)
 */
#include "shim.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

/* How much of its stack a thread may keep: more than usual requests need. */
#define KEPT_BYTES (1024 * 1024)
#define MARK_BYTES 4096

/* The page at that depth; NULL where the stack is smaller, or unknown. Below it the stack goes on to `lowest`. */
static __thread const uint64_t *mark;
static __thread char *lowest;

void ephpm_stack_attach(void)
{
	pthread_attr_t attributes;
	void *start = NULL;
	size_t size = 0;

	mark = NULL;
	if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
		return;
	}
	if (pthread_attr_getstack(&attributes, &start, &size) == 0 && size > 2 * KEPT_BYTES - MARK_BYTES) {
		uintptr_t page = ((uintptr_t) start + size - KEPT_BYTES) & ~(uintptr_t) (MARK_BYTES - 1);

		mark = (const uint64_t *) page;
		lowest = (char *) (((uintptr_t) start + MARK_BYTES - 1) & ~(uintptr_t) (MARK_BYTES - 1));
	}
	pthread_attr_destroy(&attributes);
}

/* Nobody has written there since this thread began, or since the pages were given back: a page that is only read is the
 * kernel's page of zeros. */
static bool was_reached(void)
{
	/* In vectors, since this happens after each request. */
	typedef uint64_t line __attribute__((vector_size(64)));
	const line *at = (const line *) mark;
	line seen = *at;

	for (size_t i = 1; i < MARK_BYTES / sizeof(line); i++) {
		seen |= at[i];
	}
	return (seen[0] | seen[1] | seen[2] | seen[3] | seen[4] | seen[5] | seen[6] | seen[7]) != 0;
}

void ephpm_stack_reset(void)
{
	if (mark != NULL && was_reached()) {
		(void) madvise(lowest, (size_t) ((char *) mark + MARK_BYTES - lowest), MADV_DONTNEED);
	}
}
