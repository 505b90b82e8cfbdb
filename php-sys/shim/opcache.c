/*
 * OPcache among threads: when it may empty its memory ("restart"), and what becomes of its complaints.
 *
 * OPcache does so in the set-up of a request, once nobody else uses it, which it learns from locks on a file (fcntl in
 * ext/opcache/ZendAccelerator.c). But such locks belong to a process: no thread of it ever sees those of another, and
 * OPcache would free what the others execute. So its locks are answered here, in place of the kernel: it is in use,
 * unless the thread that asks is the one in ephpm_opcache_restart(), which the server calls when no other thread is in
 * PHP. Nor is there ever a process to kill for its lock (kill_all_lockers). What else OPcache locks it guards among
 * threads with a mutex besides.
 */
#include "shim.h"

#include "zend_extensions.h"
#include "ext/pcre/php_pcre.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

/* Bytes of OPcache's file (accel_activate_add, accel_restart_enter). */
#define LOCK_OF_USERS 1

/* ext/opcache/zend_accelerator_debug.h, which PHP does not install. */
#define ACCEL_LOG_FATAL 0
#define ACCEL_LOG_ERROR 1
#define ACCEL_LOG_WARNING 2
/* ext/opcache/ZendAccelerator.h, as well. */
#define ACCEL_RESTART_USER 2

/* Parts of OPcache, absent from a libphp without it. */
extern int lock_file __attribute__((weak));
extern bool zend_accel_in_shm(void *pointer) __attribute__((weak));
extern const char *zps_api_failure_reason __attribute__((weak));
extern void zend_accel_schedule_restart(int reason) __attribute__((weak));
extern void zend_shared_alloc_lock(void) __attribute__((weak));
extern void zend_shared_alloc_unlock(void) __attribute__((weak));

/* What the linker makes of "--wrap=name", see timer.c. */
extern void __real_zend_accel_error(int type, const char *format, ...) __attribute__((weak));
extern ZEND_NORETURN void __real_zend_accel_error_noreturn(int type, const char *format, ...) __attribute__((weak));
void __wrap_zend_accel_error(int type, const char *format, ...);
ZEND_NORETURN void __wrap_zend_accel_error_noreturn(int type, const char *format, ...);

/* From the end of PHP's start to the beginning of its end. Changes only while there is one thread. */
static bool locks_are_ours;
/* OPcache has set one, and by our fcntl(). */
static bool locks_pass_here;

/* This thread is in ephpm_opcache_restart(). */
static __thread bool alone;
/* And OPcache has asked, and was told that nobody else uses it. */
static __thread bool restarted;
/* What this thread has learnt since it was asked last. */
static __thread ephpm_restart wanted;
/* What any thread has learnt last. */
static int last_reason = EPHPM_RESTART_NONE;

/* While PHP starts: where to go on when OPcache gives up. */
static jmp_buf *startup_escape;
/* Why OPcache does not start, or not as it was told to. */
static char problem[512];

static bool is_opcache_lock(int fd, int command)
{
	return &lock_file && fd >= 0 && fd == lock_file
		&& (command == F_SETLK || command == F_SETLKW || command == F_GETLK);
}

static void answer_lock(int command, struct flock *lock)
{
	if (command != F_GETLK) {
		return;
	}
	if (lock->l_start != LOCK_OF_USERS) {
		lock->l_type = F_UNLCK;
		return;
	}
	/* OPcache asks only when it wants to restart. l_pid stays as it is, -1: nobody whom it could kill. */
	if (alone) {
		restarted = true;
		lock->l_type = F_UNLCK;
	} else if (wanted == EPHPM_RESTART_NONE) {
		wanted = EPHPM_RESTART_SEEN;
	}
}

/* In place of libc's in this executable, though not in shared libraries: the symbol is hidden. It has a second name, and
 * like this function it passes on one argument of the size of a pointer, whatever the command takes. */
int fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (is_opcache_lock(fd, command)) {
		locks_pass_here = true;
		if (locks_are_ours) {
			answer_lock(command, argument);
			return 0;
		}
	}
	return fcntl64(fd, command, argument);
}

/* As zend_accel_restart_reason counts them, in ext/opcache/ZendAccelerator.h. */
static void on_schedule_restart(int reason)
{
	wanted = EPHPM_RESTART_OUT_OF_MEMORY + reason;
	__atomic_store_n(&last_reason, (int) wanted, __ATOMIC_RELAXED);
}

/* Before PHP 8.4 there is no hook for it, and the message has to tell. */
static bool tells_of_restart(const char *format)
{
	return PHP_VERSION_ID < 80400 && strcmp(format, "Restart Scheduled! Reason: %s") == 0;
}

static void learn_of_restart(const char *message)
{
	static const char *const reasons[] = { "out of memory", "hash overflow", "user" };

	for (int reason = 0; reason < 3; reason++) {
		if (strstr(message, reasons[reason])) {
			on_schedule_restart(reason);
		}
	}
}

static const char *logged_as(int type)
{
	return type <= ACCEL_LOG_ERROR ? "error" : type == ACCEL_LOG_WARNING ? "warning" : "notice";
}

/* Lines end in places where OPcache's authors forgot that they add the end themselves. */
static void trim(char *message)
{
	size_t len = strlen(message);

	while (len > 0 && message[len - 1] == '\n') {
		message[--len] = 0;
	}
}

/* Of the first, which is the one that tells: others follow from it. */
static void note_problem(const char *message)
{
	if (!problem[0]) {
		snprintf(problem, sizeof(problem), "%s", message);
	}
}

/* Where OPcache would write to stderr, into a log with another form of line. */
static void log_message(int type, const char *message)
{
	static const int levels[] = { 2, 3, 4, 6, 7 };
	const char *file = INI_STR("opcache.error_log");
	char line[1024];

	if (type > INI_INT("opcache.log_verbosity_level")) {
		return;
	}
	if (file && *file && strcmp(file, "stderr") != 0) {
		/* Not for FATAL and ERROR, of which it would not return. */
		__real_zend_accel_error(type > ACCEL_LOG_ERROR ? type : ACCEL_LOG_WARNING, "%s", message);
		return;
	}
	snprintf(line, sizeof(line), "OPcache %s: %s", logged_as(type), message);
	ephpm_callbacks.log_message(NULL, levels[type], line, strlen(line));
}

static void take_message(int type, const char *format, va_list arguments)
{
	char message[512];

	/* Of most messages nobody wants to hear. */
	if (type > ACCEL_LOG_WARNING && type > INI_INT("opcache.log_verbosity_level") && !tells_of_restart(format)) {
		return;
	}
	vsnprintf(message, sizeof(message), format, arguments);
	trim(message);
	if (tells_of_restart(format)) {
		learn_of_restart(message);
	}
	/* A setting that is refused, for which OPcache would take its default in silence. */
	if (startup_escape && (type <= ACCEL_LOG_ERROR || strncmp(message, "opcache.", sizeof("opcache.") - 1) == 0)) {
		note_problem(message);
		return;
	}
	log_message(type, message);
}

/* What the original does after it has written a message of these types. */
static ZEND_NORETURN void give_up(int type)
{
	if (startup_escape) {
		longjmp(*startup_escape, 1);
	}
	if (type == ACCEL_LOG_ERROR) {
		zend_bailout();
	}
	exit(-2);
}

void __wrap_zend_accel_error(int type, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	take_message(type, format, arguments);
	va_end(arguments);
	if (type <= ACCEL_LOG_ERROR) {
		give_up(type);
	}
}

void __wrap_zend_accel_error_noreturn(int type, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	take_message(type, format, arguments);
	va_end(arguments);
	give_up(type);
}

/* Whether PHP started. What OPcache has to say about it waits for ephpm_opcache_problem(). */
static zend_result start_module(void)
{
	jmp_buf escape;
	volatile zend_result started = FAILURE;

	if (setjmp(escape) == 0) {
		startup_escape = &escape;
		started = ephpm_sapi_module.startup(&ephpm_sapi_module);
	}
	startup_escape = NULL;
	return started;
}

zend_result ephpm_opcache_startup(void)
{
	zend_result started = start_module();

	if (started != SUCCESS) {
		return FAILURE;
	}
	if (!INI_BOOL("opcache.enable")) {
		if (problem[0]) {
			log_message(ACCEL_LOG_ERROR, problem);
			problem[0] = 0;
		}
		return SUCCESS;
	}
#ifdef ZTS
	if (INI_BOOL("opcache.protect_memory")) {
		note_problem("opcache.protect_memory=1 is for one thread: others could not write what they have to");
	}
#endif
	return problem[0] ? FAILURE : SUCCESS;
}

void ephpm_opcache_did_not_start(void)
{
	const char *reason = &zps_api_failure_reason ? zps_api_failure_reason : NULL;

	note_problem(reason ? reason : "it does not say why");
}

const char *ephpm_opcache_problem(void)
{
	return problem[0] ? problem : NULL;
}

bool ephpm_opcache_guard(void)
{
	if (!&lock_file || lock_file < 0) {
		/* There is no memory that threads share. */
		return true;
	}
	if (!locks_pass_here) {
		note_problem("its locks are out of reach, and it would restart under running scripts");
		return false;
	}
	locks_are_ours = true;
#if PHP_VERSION_ID >= 80400
	zend_accel_schedule_restart_hook = on_schedule_restart;
#endif
	return true;
}

bool ephpm_opcache_is_guarded(void)
{
	return locks_are_ours;
}

void ephpm_opcache_unguard(void)
{
	locks_are_ours = false;
}

/* The keys of regular expressions may lie in OPcache's memory, which may have been emptied since this thread's last
 * request. The next one would forget them (accel_reset_pcre_cache); the end of the thread would look into them. */
void ephpm_opcache_detach(void)
{
	Bucket *bucket;

	wanted = EPHPM_RESTART_NONE;
	if (!zend_accel_in_shm) {
		return;
	}
	ZEND_HASH_MAP_FOREACH_BUCKET(&PCRE_G(pcre_cache), bucket) {
		if (bucket->key && zend_accel_in_shm(bucket->key)) {
			bucket->key = NULL;
			zend_hash_del_bucket(&PCRE_G(pcre_cache), bucket);
		}
	} ZEND_HASH_FOREACH_END();
}

ephpm_restart ephpm_opcache_take_restart(void)
{
	ephpm_restart taken = wanted;

	wanted = EPHPM_RESTART_NONE;
	return taken;
}

ephpm_restart ephpm_opcache_last_reason(void)
{
	return __atomic_load_n(&last_reason, __ATOMIC_RELAXED);
}

/* By the function with which OPcache begins each request, and the one with which it ends it: a whole request would run
 * the start of sessions and whatever else a php.ini has for each. */
bool ephpm_opcache_restart(void)
{
	zend_module_entry *module = zend_hash_str_find_ptr(&module_registry, ZEND_STRL("zend opcache"));

	if (!module) {
		return false;
	}
	restarted = false;
	zend_first_try {
		alone = true;
		module->request_startup_func(module->type, module->module_number);
	} zend_end_try();
	alone = false;
	zend_first_try {
		module->post_deactivate_func();
	} zend_end_try();
	return restarted;
}

/* What opcache_reset() does. */
void ephpm_opcache_reset(void)
{
	if (!locks_are_ours || !zend_accel_schedule_restart) {
		return;
	}
	zend_shared_alloc_lock();
	zend_accel_schedule_restart(ACCEL_RESTART_USER);
	zend_shared_alloc_unlock();
}
