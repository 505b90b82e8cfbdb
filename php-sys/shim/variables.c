/*
 * The names of $_SERVER as PHP's own strings, which nearly every request has: interned once, with their hashes.
 *
 * They are made before there are threads and only read from then on. A request's variables mostly have the places of
 * those of the request before, so each thread remembers which name stood at which place, and compares before it looks
 * anything up. A name that is not among them is told by its bytes, as a new string.
 */
#include "shim.h"

/* Places that a thread remembers; more than most requests have variables. */
#define PLACES 48

static const char *const usual_names[] = {
	"REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SCRIPT_FILENAME", "PHP_SELF", "DOCUMENT_ROOT", "DOCUMENT_URI",
	"SCRIPT_NAME", "PATH_INFO", "PATH_TRANSLATED", "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "SERVER_PROTOCOL",
	"SERVER_NAME", "SERVER_ADDR", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT", "HTTPS", "REQUEST_SCHEME",
	"REDIRECT_STATUS", "CONTENT_TYPE", "CONTENT_LENGTH",
	/* What browsers, programs and proxies send. */
	"HTTP_HOST", "HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_AUTHORIZATION",
	"HTTP_CACHE_CONTROL", "HTTP_CONNECTION", "HTTP_COOKIE", "HTTP_DNT", "HTTP_FORWARDED", "HTTP_IF_MODIFIED_SINCE",
	"HTTP_IF_NONE_MATCH", "HTTP_ORIGIN", "HTTP_PRAGMA", "HTTP_PRIORITY", "HTTP_RANGE", "HTTP_REFERER",
	"HTTP_SEC_CH_UA", "HTTP_SEC_CH_UA_MOBILE", "HTTP_SEC_CH_UA_PLATFORM", "HTTP_SEC_FETCH_DEST", "HTTP_SEC_FETCH_MODE",
	"HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_USER", "HTTP_TE", "HTTP_UPGRADE_INSECURE_REQUESTS", "HTTP_VIA",
	"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP",
	"HTTP_X_REQUESTED_WITH",
};

/* Each name, as its own value. */
static HashTable names;
/* What stood there in the request before, or NULL. */
static __thread zend_string *remembered[PLACES];

void ephpm_variables_startup(void)
{
	const size_t count = sizeof(usual_names) / sizeof(*usual_names);

	zend_hash_init(&names, count, NULL, NULL, true);
	for (size_t i = 0; i < count; i++) {
		zval name;
		ZVAL_INTERNED_STR(&name, zend_string_init_interned(usual_names[i], strlen(usual_names[i]), true));
		zend_hash_add_new(&names, Z_STR(name), &name);
	}
}

void ephpm_variables_shutdown(void)
{
	zend_hash_destroy(&names);
	memset(remembered, 0, sizeof(remembered));
}

zend_string *ephpm_variables_name(size_t place, const ephpm_str *name)
{
	zend_string *found = place < PLACES ? remembered[place] : NULL;

	if (!found || !zend_string_equals_cstr(found, name->ptr, name->len)) {
		found = zend_hash_str_find_ptr(&names, name->ptr, name->len);
		if (place < PLACES) {
			remembered[place] = found;
		}
	}
	return found;
}

const ephpm_var *ephpm_variables_find(ephpm_context *context, const char *name, size_t name_len)
{
	const ephpm_vars vars = server_variables(context);
	const ephpm_var *end = vars.ptr + vars.len;

	for (const ephpm_var *var = vars.ptr; var < end; var++) {
		if (var->name.len == name_len && memcmp(var->name.ptr, name, name_len) == 0) {
			return var;
		}
	}
	return NULL;
}
