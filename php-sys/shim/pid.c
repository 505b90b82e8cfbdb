/*
 * The number of this process, without asking the kernel each time: PHP's memory manager wants it at the end of each
 * request (zend_mm_shutdown), to learn of a fork().
 */
#include "shim.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0 while it is not known: before PHP starts, and in a child of fork(). */
static pid_t known_pid;

/* In place of libc's in this executable, though not in shared libraries: the symbol is hidden. */
pid_t getpid(void)
{
	pid_t pid = known_pid;

	return pid != 0 ? pid : (pid_t) syscall(SYS_getpid);
}

static void forget_pid(void)
{
	known_pid = 0;
}

void ephpm_pid_startup(void)
{
	if (pthread_atfork(NULL, NULL, forget_pid) == 0) {
		known_pid = (pid_t) syscall(SYS_getpid);
	}
}
