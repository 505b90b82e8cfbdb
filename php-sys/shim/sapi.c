/*
 * PHP calling the server: the callbacks of sapi_module_struct (main/SAPI.h), each of which forwards to Rust.
 *
 * PHP also calls them while it starts and stops, when there is no request: SG(server_context) is NULL then.
 */
#include "shim.h"

#include "php_output.h"
#include "php_variables.h"
#include "zend_extensions.h"

ephpm_sapi ephpm_callbacks;

/* More lines than any page has; beyond, memory is allocated. */
#define HEADER_LINES_ON_STACK 64

static int ephpm_sapi_startup(sapi_module_struct *module)
{
	return php_module_startup(module, &ephpm_module_entry);
}

/* The core ignores what is returned (main/output.c), so that an abort has to be raised here. Rust's frame is
 * gone by then: php_handle_aborted_connection() does not return, unless the script ignores aborts. */
static size_t ephpm_sapi_ub_write(const char *bytes, size_t len)
{
	ephpm_context *context = current_context();

	if (context && !context->finished
			&& ephpm_callbacks.ub_write(context->exchange, bytes, len) == EPHPM_IO_ABORTED) {
		php_handle_aborted_connection();
	}
	return len;
}

static void ephpm_sapi_flush(void *server_context)
{
	ephpm_context *context = server_context;

	if (!context || context->finished) {
		return;
	}
	/* A script may flush() before its first output; nobody else sends the headers then. */
	sapi_send_headers();
	if (ephpm_callbacks.flush(context->exchange) == EPHPM_IO_ABORTED) {
		php_handle_aborted_connection();
	}
}

static void collect_header_lines(zend_llist *headers, ephpm_str *lines)
{
	zend_llist_position position;
	sapi_header_struct *header;

	for (header = zend_llist_get_first_ex(headers, &position); header;
			header = zend_llist_get_next_ex(headers, &position)) {
		lines->ptr = header->header;
		lines->len = header->header_len;
		lines++;
	}
}

/* Hands over a head: the response's, or with `interim` one that precedes it. */
static void hand_over_head(ephpm_context *context, sapi_headers_struct *headers, int status, bool interim)
{
	ephpm_str on_stack[HEADER_LINES_ON_STACK];
	ephpm_str *lines = on_stack;
	ephpm_str status_line = { "", 0 };
	size_t lines_len = zend_llist_count(&headers->headers);

	if (lines_len > HEADER_LINES_ON_STACK) {
		/* Not emalloc(): its memory limit error would leave the headers marked as sent. */
		lines = pemalloc(lines_len * sizeof(*lines), 1);
	}
	collect_header_lines(&headers->headers, lines);
	if (interim) {
		ephpm_callbacks.send_interim(context->exchange, status, lines, lines_len);
	} else {
		if (headers->http_status_line) {
			status_line.ptr = headers->http_status_line;
			status_line.len = strlen(headers->http_status_line);
		}
		ephpm_callbacks.send_headers(context->exchange, status, status_line, lines, lines_len);
	}
	if (lines != on_stack) {
		pefree(lines, 1);
	}
}

static int ephpm_sapi_send_headers(sapi_headers_struct *headers)
{
	ephpm_context *context = current_context();

	if (context && !context->headers_sent) {
		context->headers_sent = true;
		hand_over_head(context, headers, headers->http_response_code, false);
	}
	return SAPI_HEADER_SENT_SUCCESSFULLY;
}

void ephpm_send_interim(ephpm_context *context, int status)
{
	hand_over_head(context, &SG(sapi_headers), status, true);
}

/* To the core, less than it asked for means that the content has ended (sapi_read_post_block). */
static size_t ephpm_sapi_read_post(char *buffer, size_t len)
{
	ephpm_context *context = current_context();
	size_t total = 0;

	while (context && total < len) {
		size_t got = ephpm_callbacks.read_post(context->exchange, buffer + total, len - total);
		if (got == 0) {
			break;
		}
		total += got;
	}
	return total;
}

/* Called only when there is a request. PHP duplicates what it changes (php_default_treat_data). */
static char *ephpm_sapi_read_cookies(void)
{
	return (char *) current_context()->request->cookie;
}

/* getenv() asks here first: as in CGI, a request's variables look like the environment. */
static char *ephpm_sapi_getenv(const char *name, size_t name_len)
{
	ephpm_context *context = current_context();

	const ephpm_var *var = context ? ephpm_variables_find(context, name, name_len) : NULL;

	return var ? (char *) var->value.ptr : NULL;
}

/* With a filter.default, each variable passes through ext/filter, as the core does with the others. */
static void register_filtered(ephpm_context *context, zval *array)
{
	const ephpm_vars vars = server_variables(context);
	const ephpm_var *end = vars.ptr + vars.len;

	for (const ephpm_var *var = vars.ptr; var < end; var++) {
		char *value = estrndup(var->value.ptr, var->value.len);
		size_t len;
		if (sapi_module.input_filter(PARSE_SERVER, var->name.ptr, &value, var->value.len, &len)) {
			php_register_variable_safe(var->name.ptr, value, len, array);
		}
		efree(value);
	}
	context->filtered = true;
}

static bool filter_default_is_raw(void)
{
	const char *filter = zend_ini_string("filter.default", sizeof("filter.default") - 1, 0);

	return !filter || !*filter || strcmp(filter, "unsafe_raw") == 0;
}

/* The names need none of php_register_variable()'s care, so that each variable is a string and an insertion.
 * ext/filter's own copy is made only if it is asked for (module.c): it would cost more than all of this. */
static void ephpm_sapi_register_server_variables(zval *array)
{
	ephpm_context *context = current_context();

	if (!context) {
		return;
	}
	if (ephpm_is_isolated) {
		/* First, because the request's own come before them. */
		ephpm_environment_import(Z_ARRVAL_P(array));
	}
	if (sapi_module.input_filter && !filter_default_is_raw()) {
		register_filtered(context, array);
		return;
	}
	const ephpm_vars vars = server_variables(context);
	HashTable *variables = Z_ARRVAL_P(array);
	/* The core adds five more: the time twice, and what it makes of Authorization. */
	zend_hash_extend(variables, zend_hash_num_elements(variables) + vars.len + 5, false);
	for (size_t place = 0; place < vars.len; place++) {
		const ephpm_var *var = &vars.ptr[place];
		zend_string *name = ephpm_variables_name(place, &var->name);
		zval value;
		ZVAL_STRINGL_FAST(&value, var->value.ptr, var->value.len);
		if (name) {
			zend_hash_update(variables, name, &value);
		} else {
			zend_symtable_str_update(variables, var->name.ptr, var->name.len, &value);
		}
	}
}

static void ephpm_sapi_log_message(const char *message, int syslog_type_int)
{
	ephpm_context *context = current_context();

	ephpm_callbacks.log_message(context ? context->exchange : NULL, syslog_type_int, message, strlen(message));
}

static zend_result ephpm_sapi_get_request_time(double *request_time)
{
	ephpm_context *context = current_context();

	if (!context) {
		return FAILURE;
	}
	*request_time = context->request->request_time;
	return SUCCESS;
}

sapi_module_struct ephpm_sapi_module = {
	.name = "ephpm",
	.pretty_name = "ePHPm",
	.startup = ephpm_sapi_startup,
	.shutdown = php_module_shutdown_wrapper,
	.ub_write = ephpm_sapi_ub_write,
	.flush = ephpm_sapi_flush,
	.getenv = ephpm_sapi_getenv,
	.sapi_error = php_error,
	.send_headers = ephpm_sapi_send_headers,
	.read_post = ephpm_sapi_read_post,
	.read_cookies = ephpm_sapi_read_cookies,
	.register_server_variables = ephpm_sapi_register_server_variables,
	.log_message = ephpm_sapi_log_message,
	.get_request_time = ephpm_sapi_get_request_time,
};
