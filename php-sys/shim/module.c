/*
 * The module "ephpm": the functions which scripts know from php-fpm and Apache, and two kinds of PHP's own
 * functions whose answer depends on the server.
 */
#include "shim.h"

#include "php_output.h"
#include "php_variables.h"
#include "ext/standard/head.h"

/* The words of ext/opcache's accel_find_sapi(). */
#define SAPI_NAME_KNOWN_TO_OPCACHE "fpm-fcgi"

/* {{{ Ends the response; the script runs on, and what it still writes is dropped. */
static PHP_FUNCTION(ephpm_finish_request)
{
	ephpm_context *context = current_context();

	ZEND_PARSE_PARAMETERS_NONE();

	if (!context || context->finished) {
		RETURN_FALSE;
	}
	php_output_end_all();
	php_header();
	context->finished = true;
	ephpm_callbacks.finish_request(context->exchange);
	RETURN_TRUE;
}
/* }}} */

/* {{{ Sends the head now: an interim one (103 early hints, 102), after which the response's own is still to come, or
 * the response's own. Named, and answering, as FrankenPHP's; Symfony looks for it. */
static PHP_FUNCTION(headers_send)
{
	ephpm_context *context = current_context();
	zend_long status = 200;

	ZEND_PARSE_PARAMETERS_START(0, 1)
		Z_PARAM_OPTIONAL
		Z_PARAM_LONG(status)
	ZEND_PARSE_PARAMETERS_END();

	/* 100 and 101 are the protocol's own. */
	if (status < 102 || status > 599) {
		zend_argument_value_error(1, "must be between 102 and 599");
		RETURN_THROWS();
	}
	if (!context || SG(headers_sent) || context->finished) {
		RETURN_LONG(SAPI_HEADER_SEND_FAILED);
	}
	if (status < 200) {
		ephpm_send_interim(context, (int) status);
		RETURN_LONG(SAPI_HEADER_SENT_SUCCESSFULLY);
	}
	SG(sapi_headers).http_response_code = (int) status;
	RETURN_LONG(sapi_send_headers());
}
/* }}} */

/* {{{ The fields of the request, with the names that php-fpm makes of $_SERVER's: "X-Foo" of HTTP_X_FOO. */
static PHP_FUNCTION(getallheaders)
{
	ephpm_context *context = current_context();

	ZEND_PARSE_PARAMETERS_NONE();

	array_init(return_value);
	if (!context) {
		return;
	}
	const ephpm_vars vars = server_variables(context);
	const ephpm_var *end = vars.ptr + vars.len;
	for (const ephpm_var *var = vars.ptr; var < end; var++) {
		sapi_add_request_header(var->name.ptr, (unsigned int) var->name.len, (char *) var->value.ptr,
			(unsigned int) var->value.len, return_value);
	}
}
/* }}} */

static void add_response_header(sapi_header_struct *header, zval *array)
{
	const char *colon = memchr(header->header, ':', header->header_len);
	const char *end = header->header + header->header_len;
	const char *name_end = colon;
	const char *value;

	if (!colon) {
		return;
	}
	while (name_end > header->header && (name_end[-1] == ' ' || name_end[-1] == '\t')) {
		name_end--;
	}
	if (name_end == header->header) {
		return;
	}
	value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t')) {
		value++;
	}
	add_assoc_stringl_ex(array, header->header, name_end - header->header, value, end - value);
}

/* {{{ The fields of the response so far; of several with one name, the last. */
static PHP_FUNCTION(apache_response_headers)
{
	zend_llist_position position;
	sapi_header_struct *header;

	ZEND_PARSE_PARAMETERS_NONE();

	array_init(return_value);
	for (header = zend_llist_get_first_ex(&SG(sapi_headers).headers, &position); header;
			header = zend_llist_get_next_ex(&SG(sapi_headers).headers, &position)) {
		add_response_header(header, return_value);
	}
}
/* }}} */

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_bool, 0, 0, _IS_BOOL, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_array, 0, 0, IS_ARRAY, 0)
ZEND_END_ARG_INFO()

ZEND_BEGIN_ARG_WITH_RETURN_TYPE_INFO_EX(arginfo_headers_send, 0, 0, IS_LONG, 0)
	ZEND_ARG_TYPE_INFO_WITH_DEFAULT_VALUE(0, status, IS_LONG, 0, "200")
ZEND_END_ARG_INFO()

static const zend_function_entry ephpm_functions[] = {
	ZEND_FE(ephpm_finish_request, arginfo_bool)
	ZEND_FALIAS(fastcgi_finish_request, ephpm_finish_request, arginfo_bool)
	ZEND_FE(headers_send, arginfo_headers_send)
	ZEND_FE(getallheaders, arginfo_array)
	ZEND_FALIAS(apache_request_headers, getallheaders, arginfo_array)
	ZEND_FE(apache_response_headers, arginfo_array)
	ZEND_FE_END
};

/* filter_input(INPUT_SERVER) and its like read ext/filter's own copy of $_SERVER, which a SAPI is expected to fill
 * variable by variable. Few scripts ask, so that it is filled when the first one does. */
static void fill_input_filter(ephpm_context *context)
{
	if (!context || context->filtered || !sapi_module.input_filter) {
		return;
	}
	/* First, because making $_SERVER may fill the copy as well. */
	zend_is_auto_global(ZSTR_KNOWN(ZEND_STR_AUTOGLOBAL_SERVER));
	if (context->filtered) {
		return;
	}
	context->filtered = true;
	const ephpm_vars vars = server_variables(context);
	const ephpm_var *end = vars.ptr + vars.len;
	for (const ephpm_var *var = vars.ptr; var < end; var++) {
		char *value = estrndup(var->value.ptr, var->value.len);
		size_t len;
		sapi_module.input_filter(PARSE_SERVER, var->name.ptr, &value, var->value.len, &len);
		efree(value);
	}
}

/* PHP notices that a client is gone when it writes; a script that only asks would never learn it. */
static void refresh_connection_status(ephpm_context *context)
{
	if (context && !context->finished && ephpm_callbacks.is_aborted(context->exchange)) {
		PG(connection_status) |= PHP_CONNECTION_ABORTED;
	}
}

/* A function of PHP's that does something of ours before its own work. */
#define WRAPPED_FUNCTION(name, before) \
	static zif_handler original_##name; \
	static ZEND_FUNCTION(wrapped_##name) \
	{ \
		before(current_context()); \
		original_##name(INTERNAL_FUNCTION_PARAM_PASSTHRU); \
	}

WRAPPED_FUNCTION(filter_has_var, fill_input_filter)
WRAPPED_FUNCTION(filter_input, fill_input_filter)
WRAPPED_FUNCTION(filter_input_array, fill_input_filter)
WRAPPED_FUNCTION(connection_aborted, refresh_connection_status)
WRAPPED_FUNCTION(connection_status, refresh_connection_status)

zif_handler ephpm_exchange_function(const char *name, zif_handler handler)
{
	zend_function *function = zend_hash_str_find_ptr(CG(function_table), name, strlen(name));
	zif_handler original;

	if (!function || function->type != ZEND_INTERNAL_FUNCTION) {
		return NULL;
	}
	original = function->internal_function.handler;
	function->internal_function.handler = handler;
	return original;
}

#define WRAP(name) original_##name = ephpm_exchange_function(#name, ZEND_FN(wrapped_##name))

static PHP_MINIT_FUNCTION(ephpm)
{
	(void) type;
	(void) module_number;
	ephpm_watch_startup();
	ephpm_variables_startup();
	/* Now: each thread copies the function table when it is attached. */
	WRAP(filter_has_var);
	WRAP(filter_input);
	WRAP(filter_input_array);
	WRAP(connection_aborted);
	WRAP(connection_status);
	ephpm_isolation_exchange_functions();
#if PHP_VERSION_ID < 80500
	/* OPcache, which starts after all MINITs, does nothing under a name that it does not know. PHP_SAPI is a
	 * constant since before; ephpm_startup() puts our name back. */
	sapi_module.name = SAPI_NAME_KNOWN_TO_OPCACHE;
#endif
	return SUCCESS;
}

static PHP_MSHUTDOWN_FUNCTION(ephpm)
{
	(void) type;
	(void) module_number;
	ephpm_variables_shutdown();
	return SUCCESS;
}

/* After all of the script's code (php_request_shutdown), and before sapi_deactivate_module(), which would otherwise read
 * the rest of the content for nobody. */
static PHP_RSHUTDOWN_FUNCTION(ephpm)
{
	(void) type;
	(void) module_number;
	SG(post_read) = 1;
	ephpm_watch_note_memory();
	return SUCCESS;
}

zend_module_entry ephpm_module_entry = {
	STANDARD_MODULE_HEADER,
	"ephpm",
	ephpm_functions,
	PHP_MINIT(ephpm),
	PHP_MSHUTDOWN(ephpm),
	NULL,
	PHP_RSHUTDOWN(ephpm),
	NULL,
	NULL,
	STANDARD_MODULE_PROPERTIES
};
