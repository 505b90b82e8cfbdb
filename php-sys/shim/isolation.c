/*
 * Keeping requests apart that share a process: which threads do so, from when on, and when a request's own ends.
 *
 * What belongs to a thread is what the server says when it starts PHP (`environment` in ephpm_options). Without that,
 * as on a command line that runs one script, PHP is left as it is.
 */
#define _GNU_SOURCE
#include "shim.h"

#include "ext/standard/info.h"
#include "php_output.h"

static bool wanted;

bool ephpm_isolation_startup(const ephpm_options *options)
{
	/* Half of it would be worse than none. */
	wanted = options->environment != NULL && ephpm_environment_is_exchangeable();
	if (!wanted) {
		return true;
	}
	ephpm_children_startup();
	ephpm_process_startup();
	return ephpm_environment_prepare(options->environment, options->environment_len);
}

void ephpm_isolation_attach(void)
{
	ephpm_is_isolated = wanted;
	if (wanted) {
		ephpm_process_attach();
	}
}

void ephpm_isolation_detach(void)
{
	ephpm_isolation_reset();
	ephpm_user_ini_forget();
	ephpm_is_isolated = false;
}

void ephpm_isolation_reset(void)
{
	if (ephpm_is_isolated) {
		ephpm_environment_reset();
		ephpm_children_reset();
		ephpm_process_reset();
	}
}

/* {{{ What a process with threads cannot do for a script, as it would do it to all of them. */
static ZEND_COLD void refuse(zend_execute_data *execute_data, const char *why)
{
	zend_error(E_WARNING, "%s() is not available in the server: %s", ZSTR_VAL(EX(func)->common.function_name), why);
}

static ZEND_FUNCTION(refused_fork)
{
	refuse(execute_data, "a copy of this thread alone cannot run PHP; use proc_open(), or \"ephpm php\"");
	RETURN_LONG(-1);
}

static ZEND_FUNCTION(refused_exec)
{
	refuse(execute_data, "the program would take the place of the whole server; use proc_open()");
	RETURN_FALSE;
}

static ZEND_FUNCTION(refused_for_all)
{
	refuse(execute_data, "it would change or take what belongs to the whole server");
	RETURN_FALSE;
}

static ZEND_FUNCTION(refused_dl)
{
	refuse(execute_data, "requests are running that would not know the extension; set \"extension\" in php.ini");
	RETURN_FALSE;
}

static const struct {
	const char *name;
	zif_handler handler;
} refusals[] = {
	{ "dl", ZEND_FN(refused_dl) },
	{ "pcntl_alarm", ZEND_FN(refused_for_all) },
	{ "pcntl_exec", ZEND_FN(refused_exec) },
	{ "pcntl_fork", ZEND_FN(refused_fork) },
	{ "pcntl_forkx", ZEND_FN(refused_fork) },
	{ "pcntl_rfork", ZEND_FN(refused_fork) },
	{ "pcntl_setns", ZEND_FN(refused_for_all) },
	{ "pcntl_signal", ZEND_FN(refused_for_all) },
	{ "pcntl_sigprocmask", ZEND_FN(refused_for_all) },
	{ "pcntl_unshare", ZEND_FN(refused_for_all) },
	{ "pcntl_wait", ZEND_FN(refused_for_all) },
	{ "pcntl_wait3", ZEND_FN(refused_for_all) },
	{ "pcntl_wait4", ZEND_FN(refused_for_all) },
	{ "pcntl_waitid", ZEND_FN(refused_for_all) },
	{ "pcntl_waitpid", ZEND_FN(refused_for_all) },
};
/* }}} */

/* {{{ phpinfo() reads `environ` itself. The rows of that section are exchanged for those of the script's environment. */
#define ENVIRONMENT_HEADING "<h2>Environment</h2>\n"
#define TABLE_END "</table>\n"

static zif_handler original_phpinfo;

static void print_environment(void)
{
	zval array;
	zend_string *name;
	zval *value;

	array_init(&array);
	ephpm_environment_import(Z_ARRVAL(array));
	php_info_print_table_start();
	php_info_print_table_header(2, "Variable", "Value");
	ZEND_HASH_FOREACH_STR_KEY_VAL(Z_ARRVAL(array), name, value) {
		if (name) {
			php_info_print_table_row(2, ZSTR_VAL(name), Z_STRVAL_P(value));
		}
	} ZEND_HASH_FOREACH_END();
	php_info_print_table_end();
	zval_ptr_dtor(&array);
}

static void print_with_own_environment(const char *page, size_t len)
{
	const char *end = page + len;
	const char *heading = zend_memnstr(page, ZEND_STRL(ENVIRONMENT_HEADING), end);
	const char *table_end = heading ? zend_memnstr(heading, ZEND_STRL(TABLE_END), end) : NULL;

	if (!table_end) {
		return;
	}
	php_output_write(page, heading + strlen(ENVIRONMENT_HEADING) - page);
	print_environment();
	table_end += strlen(TABLE_END);
	php_output_write(table_end, end - table_end);
}

static ZEND_FUNCTION(isolated_phpinfo)
{
	zend_long flags = PHP_INFO_ALL;
	zval page;

	ZEND_PARSE_PARAMETERS_START(0, 1)
		Z_PARAM_OPTIONAL
		Z_PARAM_LONG(flags)
	ZEND_PARSE_PARAMETERS_END();

	if (!ephpm_is_isolated || !(flags & PHP_INFO_ENVIRONMENT)) {
		original_phpinfo(INTERNAL_FUNCTION_PARAM_PASSTHRU);
		return;
	}
	php_output_start_default();
	php_print_info((int) flags);
	if (php_output_get_contents(&page) == SUCCESS) {
		php_output_discard();
		print_with_own_environment(Z_STRVAL(page), Z_STRLEN(page));
		zval_ptr_dtor(&page);
	}
	RETURN_TRUE;
}
/* }}} */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_dl, 0, 1, _IS_BOOL, 0)
	ZEND_ARG_TYPE_INFO(0, extension_filename, IS_STRING, 0)
ZEND_END_ARG_INFO()

/* PHP has it only in SAPIs that it knows (PHP_MINIT(dl) in ext/standard/dl.c); under php-fpm it is there. */
static const zend_function_entry dl_function[] = {
	ZEND_NAMED_FE(dl, ZEND_FN(refused_dl), arginfo_dl)
	ZEND_FE_END
};

void ephpm_isolation_exchange_functions(void)
{
	if (!wanted) {
		return;
	}
	if (!zend_hash_str_exists(CG(function_table), ZEND_STRL("dl"))) {
		zend_register_functions(NULL, dl_function, NULL, MODULE_PERSISTENT);
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		ephpm_exchange_function(refusals[i].name, refusals[i].handler);
	}
	original_phpinfo = ephpm_exchange_function("phpinfo", ZEND_FN(isolated_phpinfo));
	ephpm_children_exchange_functions();
}
