/*
 * The programs that scripts start: in the script's directory, with the script's environment, and with no file but those
 * that the script has given them.
 *
 * The process has one directory and one environment; a script has its own of each. And PHP opens its files and sockets
 * so that a child inherits them, not only the script's own but those of all requests that are under way. The functions
 * of libc by which PHP starts programs are exchanged: posix_spawn() where proc_open() uses it (PHP 8.3 and newer with
 * glibc), popen() for all others, and what proc_open() does after a fork() in older versions is seen to in that child.
 * The linker does it where the original is needed (--wrap, see build.rs). The others are simply defined here, since Rust
 * calls them too, also in programs without this shim, which such a linker's argument would break.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Standard input, output and error are for every child. */
#define FIRST_FD 3

/* The numbers, in order, that proc_open() is about to give to its child's files. */
static __thread struct {
	int *fds;
	size_t len;
	size_t capacity;
} wanted;

static int in_order(const void *left, const void *right)
{
	int a = *(const int *) left;
	int b = *(const int *) right;

	return (a > b) - (a < b);
}

static void want(zend_ulong fd)
{
	if (fd < FIRST_FD || fd > INT_MAX) {
		return;
	}
	if (wanted.len == wanted.capacity) {
		size_t capacity = wanted.capacity ? 2 * wanted.capacity : 8;
		int *larger = realloc(wanted.fds, capacity * sizeof(*larger));
		if (!larger) {
			return;
		}
		wanted.fds = larger;
		wanted.capacity = capacity;
	}
	wanted.fds[wanted.len++] = (int) fd;
}

static zif_handler original_proc_open;

/* proc_open($command, array $descriptor_spec, …): the keys of the array. */
static ZEND_FUNCTION(isolated_proc_open)
{
	wanted.len = 0;
	if (ephpm_is_isolated && ZEND_NUM_ARGS() >= 2) {
		zval *spec = ZEND_CALL_ARG(execute_data, 2);
		zend_ulong fd;
		zend_string *name;
		ZVAL_DEREF(spec);
		if (Z_TYPE_P(spec) == IS_ARRAY) {
			ZEND_HASH_FOREACH_KEY(Z_ARRVAL_P(spec), fd, name) {
				if (!name) {
					want(fd);
				}
			} ZEND_HASH_FOREACH_END();
			qsort(wanted.fds, wanted.len, sizeof(*wanted.fds), in_order);
		}
	}
	original_proc_open(INTERNAL_FUNCTION_PARAM_PASSTHRU);
	wanted.len = 0;
}

/* NULL between requests, and where the process's directory is the script's (without thread safety). */
static const char *script_directory(void)
{
#ifdef VIRTUAL_DIR
	return CWDG(cwd).cwd;
#else
	return NULL;
#endif
}

EPHPM_WRAPPED(posix_spawn);
EPHPM_WRAPPED(popen);
EPHPM_WRAPPED(pclose);

/* libc's own sets everything to zero as well. First of all actions, so that what proc_open() was told starts from there:
 * a directory, or the path of a program. A script may have removed its own directory, which is no reason to start
 * nothing. */
int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
	const char *directory = ephpm_is_isolated ? script_directory() : NULL;

	memset(actions, 0, sizeof(*actions));
	if (directory && access(directory, X_OK) == 0) {
		return posix_spawn_file_actions_addchdir_np(actions, directory);
	}
	return 0;
}

/* Last of all actions. */
static int close_others(posix_spawn_file_actions_t *actions)
{
	int fd = FIRST_FD;
	int error = 0;

	for (size_t i = 0; i < wanted.len && error == 0; i++) {
		for (; fd < wanted.fds[i] && error == 0; fd++) {
			error = posix_spawn_file_actions_addclose(actions, fd);
		}
		fd = wanted.fds[i] + 1;
	}
	return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, fd);
}

/*
 * One start at a time. Until it runs its program a child holds copies of all files of the process, also of a program that
 * another request is just writing, and nobody can run what somebody has open for writing (ETXTBSY, execve(2)). posix_spawn()
 * returns when the child has let go of them, and a script closes what it has written before it runs it; so whoever starts
 * a program that is its own finds no child that still holds it. A start that hangs, for a file system that does, keeps
 * those that come within SLOWEST_START_SECONDS waiting for as long, and then none until it has ended. proc_open() is
 * not among them before PHP 8.3: it forks by itself.
 */
#define SLOWEST_START_SECONDS 2

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static bool start_hangs;

static bool wait_for_others(void)
{
	struct timespec until;
	bool alone;

	if (__atomic_load_n(&start_hangs, __ATOMIC_RELAXED)) {
		return pthread_mutex_trylock(&starting) == 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SLOWEST_START_SECONDS;
	alone = pthread_mutex_clocklock(&starting, CLOCK_MONOTONIC, &until) == 0;
	if (!alone) {
		/* Unless it has ended just now, and with it what its end would take back. */
		alone = pthread_mutex_trylock(&starting) == 0;
	}
	if (!alone) {
		__atomic_store_n(&start_hangs, true, __ATOMIC_RELAXED);
	}
	return alone;
}

static int start_alone(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	bool alone = wait_for_others();
	int error = __real_posix_spawn(pid, program, actions, attributes, argv, envp);

	if (alone) {
		__atomic_store_n(&start_hangs, false, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&starting);
	}
	return error;
}

int __wrap_posix_spawn(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	char **own = NULL;
	int error;

	if (!ephpm_is_isolated || !actions) {
		return __real_posix_spawn(pid, program, actions, attributes, argv, envp);
	}
	if (envp == environ && !(own = ephpm_environment_vector())) {
		return ENOMEM;
	}
	/* Whoever has made them, has made them for this one call. */
	error = close_others((posix_spawn_file_actions_t *) actions);
	if (error == 0) {
		error = start_alone(pid, program, actions, attributes, argv, own ? own : envp);
	}
	free(own);
	return error;
}

/* Where execvp() looks without a PATH (confstr(_CS_PATH)). */
#define DEFAULT_PATH "/bin:/usr/bin"

/* As libc's own, but with a PATH that may be the script's. */
int posix_spawnp(pid_t *pid, const char *program, const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	const char *directories = getenv("PATH");
	char path[PATH_MAX];
	int error = ENOENT;

	if (strchr(program, '/')) {
		return posix_spawn(pid, program, actions, attributes, argv, envp);
	}
	directories = directories ? directories : DEFAULT_PATH;
	for (bool last = *program == '\0'; !last;) {
		int len = (int) strcspn(directories, ":");
		last = directories[len] == '\0';
		if (snprintf(path, sizeof(path), "%.*s%s%s", len, directories, len ? "/" : "", program) < (int) sizeof(path)) {
			int found = posix_spawn(pid, path, actions, attributes, argv, envp);
			if (found != ENOENT && found != ENOTDIR && found != EACCES) {
				return found;
			}
			error = found == EACCES ? EACCES : error;
		}
		directories += len + 1;
	}
	return error;
}

/* {{{ popen(), since libc's own calls none of the above: exec() and its like, popen(), mail(). */
typedef struct opened {
	FILE *stream;
	pid_t pid;
	struct opened *next;
} opened;

/* A stream is closed on the thread that has opened it. */
static __thread opened *all_opened;

/* Runs the command by the shell, with the pipe's end `theirs` as its file `fd`; returns an error number. */
static int run_command(const char *command, int theirs, int fd, pid_t *pid)
{
	char *const argv[] = { "sh", "-c", (char *) command, NULL };
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error) {
		return error;
	}
	error = posix_spawn_file_actions_adddup2(&actions, theirs, fd);
	if (error == 0) {
		error = posix_spawn(pid, "/bin/sh", &actions, NULL, argv, environ);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static int start(opened *child, const char *command, bool reads)
{
	int ends[2];
	int error;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		return errno;
	}
	error = run_command(command, reads ? ends[1] : ends[0], reads ? STDOUT_FILENO : STDIN_FILENO, &child->pid);
	close(reads ? ends[1] : ends[0]);
	if (error == 0) {
		child->stream = fdopen(reads ? ends[0] : ends[1], reads ? "r" : "w");
		error = child->stream ? 0 : errno;
	}
	if (error) {
		close(reads ? ends[0] : ends[1]);
	}
	return error;
}

FILE *__wrap_popen(const char *command, const char *mode)
{
	opened *child;
	int error;

	if (!ephpm_is_isolated) {
		return __real_popen(command, mode);
	}
	if (*mode != 'r' && *mode != 'w') {
		errno = EINVAL;
		return NULL;
	}
	child = calloc(1, sizeof(*child));
	if (!child) {
		return NULL;
	}
	/* mail() takes EACCES for a shell that cannot be run. */
	error = start(child, command, *mode == 'r');
	if (error) {
		free(child);
		errno = error;
		return NULL;
	}
	child->next = all_opened;
	all_opened = child;
	return child->stream;
}

int __wrap_pclose(FILE *stream)
{
	opened **place = &all_opened;
	opened *child;
	int status;
	pid_t ended;

	while (*place && (*place)->stream != stream) {
		place = &(*place)->next;
	}
	child = *place;
	if (!child) {
		return __real_pclose(stream);
	}
	*place = child->next;
	fclose(stream);
	do {
		ended = waitpid(child->pid, &status, 0);
	} while (ended < 0 && errno == EINTR);
	free(child);
	return ended < 0 ? -1 : status;
}
/* }}} */

static void close_others_on_exec(void)
{
	if (close_range(FIRST_FD, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
		/* Linux before 5.11. */
		for (int fd = FIRST_FD, end = (int) sysconf(_SC_OPEN_MAX); fd < end; fd++) {
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		}
	}
	/* One of these may be its file already; the others come to be by dup2(), which leaves them open. */
	for (size_t i = 0; i < wanted.len; i++) {
		fcntl(wanted.fds[i], F_SETFD, 0);
	}
}

/* In a child of fork(), which is about to exec(): all that a PHP thread could fork for (isolation.c). */
static void prepare_child(void)
{
	const char *directory;
	char **own;

	if (!ephpm_is_isolated) {
		return;
	}
	own = ephpm_environment_vector();
	if (own) {
		environ = own;
	}
	directory = script_directory();
	if (directory && chdir(directory) != 0) {
		/* It stays where the server is, as a shell would. */
		errno = 0;
	}
	close_others_on_exec();
	/* From here on getenv() and execvp() mean the same. */
	ephpm_is_isolated = false;
}

void ephpm_children_startup(void)
{
	pthread_atfork(NULL, NULL, prepare_child);
}

void ephpm_children_exchange_functions(void)
{
	original_proc_open = ephpm_exchange_function("proc_open", ZEND_FN(isolated_proc_open));
}

void ephpm_children_reset(void)
{
	/* A request that was cut short may have left it. */
	free(wanted.fds);
	wanted.fds = NULL;
	wanted.len = 0;
	wanted.capacity = 0;
}
