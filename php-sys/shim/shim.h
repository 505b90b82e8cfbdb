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

static inline ephpm_context *current_context(void)
{
	return SG(server_context);
}

/* headers_send(103): sends what header() has collected so far, and keeps it for the response. */
void ephpm_send_interim(ephpm_context *context, int status);

/* Rust's side; set before PHP starts. */
extern ephpm_sapi ephpm_callbacks;

/* Whether the server started PHP, and not its command line, whose own business all that we change is. */
static inline bool ephpm_serves(void)
{
	return ephpm_callbacks.ub_write != NULL;
}

/* Ours; PHP's own `sapi_module` is a copy of it. */
extern sapi_module_struct ephpm_sapi_module;

/* The module "ephpm": our functions, and our versions of some of PHP's. */
extern zend_module_entry ephpm_module_entry;

/* Makes the constant PHP_BINARY say this, once PHP has defined it; NULL changes nothing. In runtime.c. */
void ephpm_name_binary(const char *path);

/* timer.c. Attach comes before PHP knows of the thread, detach after. */
void ephpm_timer_startup(void);
void ephpm_timer_attach(void *thread);
void ephpm_timer_detach(void);
bool ephpm_timer_is_ours(void);

#endif
