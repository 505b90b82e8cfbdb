/*
 * What OPcache says of itself, asked between two requests: what opcache_get_status() gives a script, without a script.
 */
#include "shim.h"

static uint64_t figure(const zval *group, const char *name)
{
	const zval *value = group ? zend_hash_str_find(Z_ARRVAL_P(group), name, strlen(name)) : NULL;

	return value && Z_TYPE_P(value) == IS_LONG && Z_LVAL_P(value) > 0 ? (uint64_t) Z_LVAL_P(value) : 0;
}

static bool flag(const zval *status, const char *name)
{
	const zval *value = zend_hash_str_find(Z_ARRVAL_P(status), name, strlen(name));

	return value && Z_TYPE_P(value) == IS_TRUE;
}

static const zval *group(const zval *status, const char *name)
{
	const zval *value = zend_hash_str_find(Z_ARRVAL_P(status), name, strlen(name));

	return value && Z_TYPE_P(value) == IS_ARRAY ? value : NULL;
}

static void read_status(const zval *status, ephpm_opcache_figures *figures)
{
	const zval *memory = group(status, "memory_usage");
	const zval *strings = group(status, "interned_strings_usage");
	const zval *statistics = group(status, "opcache_statistics");

	*figures = (ephpm_opcache_figures) {
		.memory_used = figure(memory, "used_memory"),
		.memory_free = figure(memory, "free_memory"),
		.memory_wasted = figure(memory, "wasted_memory"),
		.strings_used = figure(strings, "used_memory"),
		.strings_free = figure(strings, "free_memory"),
		.strings = figure(strings, "number_of_strings"),
		.scripts = figure(statistics, "num_cached_scripts"),
		.keys = figure(statistics, "num_cached_keys"),
		.keys_max = figure(statistics, "max_cached_keys"),
		.hits = figure(statistics, "hits"),
		.misses = figure(statistics, "misses"),
		.restarts_out_of_memory = figure(statistics, "oom_restarts"),
		.restarts_hash_overflow = figure(statistics, "hash_restarts"),
		.restarts_reset = figure(statistics, "manual_restarts"),
		.restart_pending = flag(status, "restart_pending"),
		.is_full = flag(status, "cache_full"),
	};
}

/* Between requests there is no executor that could call a function. This one is of C and looks for its argument in the
 * frame, and for nothing else. */
static void call_get_status(zend_function *function, zval *status)
{
	zval frame[ZEND_CALL_FRAME_SLOT + 1];
	zend_execute_data *call = (zend_execute_data *) frame;
	char *path_translated = SG(request_info).path_translated;

	memset(frame, 0, sizeof(frame));
	call->func = function;
	ZEND_CALL_NUM_ARGS(call) = 1;
	ZVAL_FALSE(ZEND_CALL_ARG(call, 1));
	/* The functions are only for scripts below this directory, when it is set. */
	SG(request_info).path_translated = INI_STR("opcache.restrict_api");
	EG(current_execute_data) = call;
	function->internal_function.handler(call, status);
	EG(current_execute_data) = NULL;
	SG(request_info).path_translated = path_translated;
}

bool ephpm_opcache_ask(ephpm_opcache_figures *figures)
{
	zend_function *function = zend_hash_str_find_ptr(CG(function_table), ZEND_STRL("opcache_get_status"));
	zval status;
	bool known;

	if (!ephpm_opcache_is_guarded() || !function || function->type != ZEND_INTERNAL_FUNCTION) {
		return false;
	}
	ZVAL_NULL(&status);
	call_get_status(function, &status);
	known = Z_TYPE(status) == IS_ARRAY;
	if (known) {
		read_status(&status, figures);
	}
	zval_ptr_dtor(&status);
	return known;
}
