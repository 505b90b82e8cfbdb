/*
 * One request, from set-up to clean-up.
 *
 * PHP's errors are longjmps to the innermost zend_try. php_request_startup(), php_execute_script() and the steps
 * of php_request_shutdown() have their own; ours is for what escapes them.
 */
#include "shim.h"

#ifdef VIRTUAL_DIR
/* The core would change the thread's directory itself, with a stat() there and another one back (virtual_chdir). But
 * the script was found in the one directory, and the other one was only left. */
# define OPTIONS SAPI_OPTION_NO_CHDIR
#else
# define OPTIONS 0
#endif

static void bind_request(ephpm_context *context)
{
	const ephpm_request *request = context->request;
	sapi_request_info *info = &SG(request_info);

	SG(server_context) = context;
	/* The engine leaves the status of the previous request in place (sapi_activate). */
	SG(sapi_headers).http_response_code = 200;
	SG(options) = OPTIONS;
	EG(exit_status) = 0;

	info->request_method = request->method;
	info->request_uri = (char *) request->request_uri;
	info->query_string = (char *) request->query_string;
	info->content_type = request->content_type;
	info->content_length = request->content_length;
	info->path_translated = (char *) request->path_translated;
	info->cookie_data = NULL;
	info->argc = 0;
	info->argv = NULL;
	/* In every request: this is also what forgets the previous user. */
	php_handle_auth_data(request->authorization);
}

static void unbind_request(void)
{
	sapi_request_info *info = &SG(request_info);

	SG(server_context) = NULL;
	info->request_method = NULL;
	info->request_uri = NULL;
	info->query_string = NULL;
	info->content_type = NULL;
	info->content_length = 0;
	info->path_translated = NULL;
	info->cookie_data = NULL;
}

#ifdef VIRTUAL_DIR
/* What virtual_chdir() does, but for looking whether it is a directory. In most cases the realpath cache knows it. */
static int change_directory(const char *path)
{
	cwd_state directory = { estrndup(CWDG(cwd).cwd, CWDG(cwd).cwd_length), CWDG(cwd).cwd_length };

	if (virtual_file_ex(&directory, path, NULL, CWD_REALPATH) != 0) {
		efree(directory.cwd);
		return -1;
	}
	CWDG(cwd) = directory;
	return 0;
}
#endif

/* By name, not as an opened file: OPcache finds a cached script without open() and fstat(). */
static void run_script(const char *path_translated)
{
	zend_file_handle script;

	zend_stream_init_filename(&script, path_translated);
	script.primary_script = true;
	php_execute_script(&script);
	zend_destroy_file_handle(&script);
}

/* As the core does: the script runs in its own directory, shutdown functions in that of the process. */
static void run_script_in_its_directory(const char *path_translated)
{
#ifdef VIRTUAL_DIR
	const cwd_state process = CWDG(cwd);
	bool changed = virtual_chdir_file(path_translated, change_directory) == 0;

	/* Returns whatever happens. */
	run_script(path_translated);
	if (changed) {
		efree(CWDG(cwd).cwd);
		CWDG(cwd) = process;
	}
#else
	run_script(path_translated);
#endif
}

static ephpm_outcome set_up_and_run(ephpm_context *context)
{
	volatile ephpm_outcome outcome = EPHPM_OK;

	zend_first_try {
		bind_request(context);
		ephpm_user_ini_activate(context);
		if (php_request_startup() == SUCCESS) {
			run_script_in_its_directory(context->request->path_translated);
		} else {
			outcome = EPHPM_STARTUP_FAILED;
			if (!SG(headers_sent)) {
				SG(sapi_headers).http_response_code = 500;
			}
		}
	} zend_catch {
		outcome = EPHPM_BAILED_OUT;
	} zend_end_try();
	return outcome;
}

static bool clean_up(void)
{
	volatile bool clean = true;

	zend_first_try {
		php_request_shutdown(NULL);
	} zend_catch {
		clean = false;
	} zend_end_try();
	return clean;
}

ephpm_outcome ephpm_execute(const ephpm_request *request, void *exchange)
{
	ephpm_context context = { .request = request, .exchange = exchange };
	ephpm_outcome outcome = set_up_and_run(&context);

	/* Whatever happened, uploaded files must be removed and shutdown functions must run. */
	if (!clean_up()) {
		outcome = EPHPM_BAILED_OUT;
	}
	unbind_request();
	ephpm_isolation_reset();
	ephpm_stack_reset();
	return outcome;
}
