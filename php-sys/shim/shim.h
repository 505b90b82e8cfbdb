/*
 * What the files of the shim share among themselves.
 */
#ifndef EPHPM_SHIM_H
#define EPHPM_SHIM_H

#include "php.h"
#include "php_main.h"
#include "SAPI.h"

#include "ephpm.h"

#if PHP_VERSION_ID < 80200
# error "PHP 8.2 or newer is needed"
#endif

/* Defined in the zend.c of the same executable: through it EG() and SG() are one load away. */
ZEND_TSRMLS_CACHE_EXTERN()

/* Why SG(server_context) is not the exchange itself: the callbacks need the request too. Lives on the stack of
 * ephpm_execute(), and SG(server_context) is NULL at any other time. */
typedef struct ephpm_context {
	const ephpm_request *request;
	void *exchange;
	/* Output in a header_register_callback() makes the core send the headers twice. */
	bool headers_sent;
	/* fastcgi_finish_request() was called: the response is complete and further output is nobody's. */
	bool finished;
	/* ext/filter has its own copy of $_SERVER (see module.c). */
	bool filtered;
} ephpm_context;

/* Rust's side; set before PHP starts. */
extern ephpm_sapi ephpm_callbacks;

static inline ephpm_context *current_context(void)
{
	return SG(server_context);
}

/* What $_SERVER is made of; only while there is a request. */
static inline ephpm_vars server_variables(ephpm_context *context)
{
	return ephpm_callbacks.server_variables(context->exchange);
}

/* headers_send(103): sends what header() has collected so far, and keeps it for the response. */
void ephpm_send_interim(ephpm_context *context, int status);

/* Whether the server started PHP, and not its command line, whose own business all that we change is. */
static inline bool ephpm_serves(void)
{
	return ephpm_callbacks.ub_write != NULL;
}

/* Ours; PHP's own `sapi_module` is a copy of it. */
extern sapi_module_struct ephpm_sapi_module;

/* The module "ephpm": our functions, and our versions of some of PHP's. */
extern zend_module_entry ephpm_module_entry;

/* What the linker makes of "--wrap=name" (build.rs): __real_name is the original, __wrap_name is called instead of it.
 * Weak, because without the argument there is no such name. */
#define EPHPM_WRAPPED(name) \
	extern __typeof__(name) __real_##name __attribute__((weak)); \
	extern __typeof__(name) __wrap_##name

/* Gives a function of PHP's another handler, before any thread has its table; returns its own, NULL if there is no such
 * function. */
zif_handler ephpm_exchange_function(const char *name, zif_handler handler);

/* isolation.c: what belongs to a process, kept apart for each thread. Startup comes before PHP's, the exchange of
 * functions within it; attach, reset (after each request) and detach are called on the thread. */
bool ephpm_isolation_startup(const ephpm_options *options);
void ephpm_isolation_exchange_functions(void);
void ephpm_isolation_attach(void);
void ephpm_isolation_reset(void);
void ephpm_isolation_detach(void);

/* Whether the calling thread has an environment, a mask and a locale of its own. */
extern __thread bool ephpm_is_isolated;

/* environment.c. The vector is for free(), its strings are not. */
bool ephpm_environment_is_exchangeable(void);
bool ephpm_environment_prepare(const ephpm_var *vars, size_t vars_len);
void ephpm_environment_import(HashTable *array);
char **ephpm_environment_vector(void);
void ephpm_environment_reset(void);

/* huge_pages.c. Between the first two, on the thread that calls them, PHP starts. */
void ephpm_huge_pages_begin(void);
void ephpm_huge_pages_end(void);
/* What this variable of the environment is besides, or NULL. */
char *ephpm_huge_pages_variable(const char *name);

/* process.c */
void ephpm_process_startup(void);
void ephpm_process_attach(void);
void ephpm_process_reset(void);

/* children.c */
void ephpm_children_startup(void);
void ephpm_children_exchange_functions(void);
void ephpm_children_reset(void);

/* variables.c. The name as an interned string, or NULL if it is none of the usual ones; `place` is that of the variable
 * among the request's. Startup is called while there is one thread, shutdown when there is one again. */
void ephpm_variables_startup(void);
void ephpm_variables_shutdown(void);
zend_string *ephpm_variables_name(size_t place, const ephpm_str *name);
/* One of the request's variables, or NULL. */
const ephpm_var *ephpm_variables_find(ephpm_context *context, const char *name, size_t name_len);

/* user_ini.c. Activate is called with a request, before php_request_startup(). */
void ephpm_user_ini_activate(ephpm_context *context);
void ephpm_user_ini_forget(void);

/* Makes the constant PHP_BINARY say this, once PHP has defined it; NULL changes nothing. In runtime.c. */
void ephpm_name_binary(const char *path);

/* timer.c. Attach comes before PHP knows of the thread, detach after. */
void ephpm_timer_startup(void);
void ephpm_timer_attach(void *thread);
void ephpm_timer_detach(void);
bool ephpm_timer_is_ours(void);

/* watch.c. Startup is for a MINIT: the JIT compiler, which starts after those, wants to know the hook. */
void ephpm_watch_startup(void);
void ephpm_watch_attach(ephpm_interrupt *interrupt, void *thread);

/* stack.c: attach once on the thread; reset after each request, from a frame near the stack's beginning. */
void ephpm_stack_attach(void);
void ephpm_stack_reset(void);
void ephpm_watch_detach(void);
/* In a child of fork(): nobody watches it. */
void ephpm_watch_forget(void);
/* Whether an interrupted poll() is not to go on, since the request's time is over, and whether it is to fail then. */
bool ephpm_watch_ends_poll(bool *fails);
/* At the end of a request, before its memory is freed. */
void ephpm_watch_note_memory(void);

/* runtime.c: breaks a system call in which the thread blocks. */
void ephpm_interrupt_signal(const ephpm_interrupt *interrupt);

/* opcache.c. Starts PHP's modules; FAILURE with an ephpm_opcache_problem() when OPcache does not start. */
zend_result ephpm_opcache_startup(void);
/* OPcache is wanted, and a script has found that it is not there. */
void ephpm_opcache_did_not_start(void);
/* Between these two OPcache restarts only by ephpm_opcache_restart(). On the thread that starts PHP, alone. False if
 * that cannot be, with an ephpm_opcache_problem(). */
bool ephpm_opcache_guard(void);
void ephpm_opcache_unguard(void);
/* Whether this is between them. */
bool ephpm_opcache_is_guarded(void);
/* Comes before PHP forgets the thread. */
void ephpm_opcache_detach(void);

/* pid.c */
void ephpm_pid_startup(void);

#endif
