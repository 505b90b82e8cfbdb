/*
 * Starting and stopping PHP and its threads.
 *
 * The order is that of php-src's own SAPIs (sapi/embed/php_embed.c), with what threads need besides.
 */
#include "shim.h"

#include "ext/date/php_date.h"
#include "zend_constants.h"
#include "zend_extensions.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* Breaks a blocking system call of a PHP thread. Not SIGRTMIN: PHP's timers have that. */
#define INTERRUPT_SIGNAL (SIGRTMIN + 1)

#if defined(EPHPM_OPCACHE_ZEND_EXTENSION)
extern zend_extension zend_extension_entry;
#endif

#ifdef ZTS
ZEND_EXTERN_MODULE_GLOBALS(date)
#endif

static const ephpm_options *startup_options;
static bool opcache_enabled;
static zend_long opcache_force_restart_timeout;

void ephpm_name_binary(const char *path)
{
	zend_constant *constant = zend_hash_str_find_ptr(EG(zend_constants), ZEND_STRL("PHP_BINARY"));

	if (path && constant) {
		zval_ptr_dtor_nogc(&constant->value);
		ZVAL_STR(&constant->value, zend_string_init_interned(path, strlen(path), true));
	}
}

/* PHP's hook for settings of the lowest rank; also the one moment between zend_startup(), which makes the list of
 * Zend extensions, and their start. A statically linked OPcache has nobody else to register it up to 8.4. */
static void ini_defaults(HashTable *configuration_hash)
{
	const ephpm_var *setting = startup_options->ini_defaults;
	const ephpm_var *end = setting + startup_options->ini_defaults_len;

	for (; setting < end; setting++) {
		zval value;
		ZVAL_NEW_STR(&value, zend_string_init(setting->value.ptr, setting->value.len, true));
		zend_hash_str_update(configuration_hash, setting->name.ptr, setting->name.len, &value);
	}
	/* PHP has resolved the path, and with it has gone what says that we are to be `php`. */
	ephpm_name_binary(startup_options->executable_location);
#if defined(EPHPM_OPCACHE_ZEND_EXTENSION)
	zend_register_extension(&zend_extension_entry, NULL);
#endif
}

static bool start_tsrm(uint32_t threads)
{
#if !defined(ZTS)
	(void) threads;
	return true;
#elif PHP_VERSION_ID >= 80300
	/* One more for the thread that starts PHP. The number sizes a hash table, it is not a limit. */
	return php_tsrm_startup_ex((int) threads + 1);
#else
	(void) threads;
	return php_tsrm_startup();
#endif
}

static void set_options(const ephpm_options *options)
{
	sapi_module_struct *module = &ephpm_sapi_module;

	startup_options = options;
	module->ini_defaults = ini_defaults;
	module->ini_entries = (char *) options->ini_entries;
	module->php_ini_path_override = (char *) options->ini_path;
	module->php_ini_ignore = options->ini_path == NULL;
	module->php_ini_ignore_cwd = true;
	module->executable_location = (char *) options->executable_location;
	ephpm_module_entry.version = options->version;
}

/* The options are borrowed: nothing of them may stay in PHP's copy of the module. */
static void forget_options(void)
{
	startup_options = NULL;
	sapi_module.ini_defaults = NULL;
	sapi_module.ini_entries = NULL;
	sapi_module.php_ini_path_override = NULL;
	sapi_module.executable_location = NULL;
}

/* What OPcache says of itself. */
enum opcache_state { OPCACHE_NOT_STARTED, OPCACHE_OFF, OPCACHE_ON };

static enum opcache_state ask_opcache(void)
{
	zval function, status, argument;
	enum opcache_state state = OPCACHE_NOT_STARTED;

	ZVAL_STRING(&function, "opcache_get_status");
	ZVAL_FALSE(&argument);
	ZVAL_UNDEF(&status);
	if (call_user_function(NULL, NULL, &function, &status, 1, &argument) == SUCCESS && Z_TYPE(status) == IS_ARRAY) {
		zval *flag = zend_hash_str_find(Z_ARRVAL(status), ZEND_STRL("opcache_enabled"));
		state = flag && Z_TYPE_P(flag) == IS_TRUE ? OPCACHE_ON : OPCACHE_OFF;
	}
	zval_ptr_dtor(&status);
	zval_ptr_dtor(&function);
	return state;
}

/* OPcache that does not start is silent, and one that started may be switched off. So ask as a script would, in a
 * request of its own. False if it should have started. */
static bool probe_opcache(void)
{
	volatile enum opcache_state state = OPCACHE_NOT_STARTED;

	if (!zend_hash_str_exists(CG(function_table), ZEND_STRL("opcache_get_status"))) {
		return true;
	}
	/* The functions are only for scripts below this directory, when it is set. */
	SG(request_info).path_translated = INI_STR("opcache.restrict_api");
	zend_first_try {
		if (php_request_startup() == SUCCESS) {
			SG(request_info).no_headers = true;
			state = ask_opcache();
		}
		php_request_shutdown(NULL);
	} zend_end_try();
	SG(request_info).path_translated = NULL;
	opcache_enabled = state == OPCACHE_ON;
	if (state == OPCACHE_NOT_STARTED && INI_BOOL("opcache.enable")) {
		ephpm_opcache_did_not_start();
		return false;
	}
	return true;
}

/* Only to interrupt: without a handler the signal would end the process. */
static void do_nothing(int signal_number)
{
	(void) signal_number;
}

static void install_interrupt_handler(void)
{
	/* No SA_RESTART, which is the point. SA_ONSTACK, as a script may be deep in recursion. */
	struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	sigaction(INTERRUPT_SIGNAL, &action, NULL);
}

ephpm_startup_result ephpm_startup(const ephpm_sapi *sapi, const ephpm_options *options)
{
	sigset_t signal_mask;
	zend_result started;
	bool opcache_is_well;

	if (options->ini_path && access(options->ini_path, R_OK) != 0) {
		return EPHPM_STARTUP_INI_UNREADABLE;
	}
	ephpm_callbacks = *sapi;
	if (!start_tsrm(options->threads)) {
		return EPHPM_STARTUP_TSRM_FAILED;
	}
#ifdef ZEND_SIGNALS
	zend_signal_startup();
#endif
	/* This clears ini_entries, so that no option may be set before. */
	sapi_startup(&ephpm_sapi_module);
	set_options(options);
	if (!ephpm_isolation_startup(options)) {
		return EPHPM_STARTUP_TSRM_FAILED;
	}
	ephpm_huge_pages_begin();
	started = ephpm_opcache_startup();
	ephpm_huge_pages_end();
	sapi_module.name = ephpm_sapi_module.name;
	forget_options();
	if (started != SUCCESS) {
		return ephpm_opcache_problem() ? EPHPM_STARTUP_OPCACHE_FAILED : EPHPM_STARTUP_MODULE_FAILED;
	}
	install_interrupt_handler();
	ephpm_timer_startup();
	/* A request unblocks SIGRTMIN for PHP's timers; threads that this one starts should not inherit that. */
	pthread_sigmask(SIG_SETMASK, NULL, &signal_mask);
	opcache_is_well = probe_opcache();
	pthread_sigmask(SIG_SETMASK, &signal_mask, NULL);
	if (!opcache_is_well || !ephpm_opcache_guard()) {
		return EPHPM_STARTUP_OPCACHE_FAILED;
	}
	opcache_force_restart_timeout = INI_INT("opcache.force_restart_timeout");
	ephpm_pid_startup();
	return EPHPM_STARTUP_OK;
}

void ephpm_shutdown(void)
{
	ephpm_opcache_unguard();
	php_module_shutdown();
	sapi_shutdown();
#ifdef ZTS
	tsrm_shutdown();
#endif
}

ephpm_info ephpm_describe(void)
{
	ephpm_info info = {
		.version = PHP_VERSION,
		.zend_version = ZEND_VERSION,
		.version_id = PHP_VERSION_ID,
#ifdef ZTS
		.zts = true,
#endif
		.debug = ZEND_DEBUG,
		.opcache = opcache_enabled,
		.force_restart_timeout = opcache_force_restart_timeout,
		.set_timeout = ephpm_timer_is_ours(),
	};
	return info;
}

size_t ephpm_extensions(ephpm_extension *extensions, size_t capacity)
{
	zend_module_entry *module;
	size_t len = 0;

	ZEND_HASH_FOREACH_PTR(&module_registry, module) {
		if (len < capacity) {
			extensions[len].name = module->name;
			extensions[len].version = module->version;
		}
		len++;
	} ZEND_HASH_FOREACH_END();
	return len;
}

/* The signals that are for PHP's threads alone; the others are inherited as the server has set them. */
static void unblock_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGRTMIN);
	sigaddset(&signals, INTERRUPT_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}

void ephpm_thread_attach(ephpm_interrupt *interrupt, void *thread)
{
	unblock_signals();
	ephpm_timer_attach(thread);
#ifdef ZTS
	(void) ts_resource(0);
	ZEND_TSRMLS_CACHE_UPDATE();
	/* ext/date's GINIT leaves this one undefined, and only RINIT makes up for it. A thread whose first request fails
	 * before RINIT (a form that exceeds the memory limit) would free whatever it finds there (php_date.c). */
	DATEG(last_errors) = NULL;
#elif defined(ZEND_CHECK_STACK_LIMIT)
	/* There is one set of globals, and until now it knew the stack of the thread that started PHP. */
	zend_call_stack_init();
#endif
	ephpm_isolation_attach();
	interrupt->vm_interrupt = &EG(vm_interrupt);
	interrupt->timed_out = &EG(timed_out);
	interrupt->thread = (uintptr_t) pthread_self();
	ephpm_watch_attach(interrupt, thread);
	ephpm_stack_attach();
}

void ephpm_thread_detach(void)
{
	ephpm_isolation_detach();
	ephpm_watch_detach();
	ephpm_opcache_detach();
#ifdef ZTS
	ts_free_thread();
#endif
	ephpm_timer_detach();
}

void ephpm_interrupt_fire(const ephpm_interrupt *interrupt)
{
	/* In this order: the engine looks at the second only when it has seen the first. */
	zend_atomic_bool_store_ex((zend_atomic_bool *) interrupt->timed_out, true);
	zend_atomic_bool_store_ex((zend_atomic_bool *) interrupt->vm_interrupt, true);
	ephpm_interrupt_signal(interrupt);
}

void ephpm_interrupt_signal(const ephpm_interrupt *interrupt)
{
	pthread_kill((pthread_t) interrupt->thread, INTERRUPT_SIGNAL);
}

bool ephpm_interrupt_is_pending(const ephpm_interrupt *interrupt)
{
	return zend_atomic_bool_load_ex((zend_atomic_bool *) interrupt->timed_out);
}
