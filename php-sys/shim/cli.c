/*
 * PHP's own command line (php-src's sapi/cli) in the place of the server.
 *
 * libphp has all of it; its main() is called php_cli_main() there (libphp/lib/compile.sh). Here is only what the
 * program `php` would find by itself: its arguments, its name and OPcache. Nothing else of the shim is at work: PHP's
 * timers, signals and streams are its own (see ephpm_serves() and `owner` in timer.c).
 */
#include "shim.h"

#include "zend_extensions.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#if defined(EPHPM_PHP_CLI)

#if defined(EPHPM_OPCACHE_ZEND_EXTENSION)
extern zend_extension zend_extension_entry;
#endif

extern int php_cli_main(int argc, char **argv);
extern int php_cli_register_internal_extensions(void);

/* Of sapi/cli/ps_title.c; exchanged by the linker (--wrap, see build.rs). */
extern char **__real_save_ps_args(int argc, char **argv) __attribute__((weak));
char **__wrap_save_ps_args(int argc, char **argv);

/* The program as PHP is to know it, or NULL. */
static const char *binary;

/* The process's own arguments, not a copy: cli_set_process_title() writes a title where they lie. */
static int arguments_len;
static char **arguments;

/* glibc calls constructors as it calls main(). */
__attribute__((constructor)) static void keep_arguments(int argc, char **argv)
{
	arguments_len = argc;
	arguments = argv;
}

/* The first thing that php_cli_main() calls. argv[0] becomes the program's path: PHP would look for "php" in $PATH and
 * find another one, and its php.ini. What it returns is freed at the end, or is argv itself where it failed. */
char **__wrap_save_ps_args(int argc, char **argv)
{
	char **copy = __real_save_ps_args(argc, argv);

	if (binary && copy != argv) {
		free(copy[0]);
		copy[0] = strdup(binary);
	} else if (binary) {
		copy[0] = (char *) binary;
	}
	return copy;
}

/* Called between the making of the list of Zend extensions and their start, and after PHP_BINARY was defined. */
static int register_extensions(void)
{
	/* PHP has resolved the path, and with it has gone what says that we are to be `php`. */
	ephpm_name_binary(binary);
#if defined(EPHPM_OPCACHE_ZEND_EXTENSION)
	zend_register_extension(&zend_extension_entry, NULL);
#endif
	return php_cli_register_internal_extensions();
}

void ephpm_run_cli(size_t words_before, const char *path)
{
	binary = path;
	php_register_internal_extensions_func = register_extensions;
	/* Rust's runtime has handlers for these, to tell of a stack that overflows. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	exit(php_cli_main(arguments_len - (int) words_before, arguments + words_before));
}

#else

void ephpm_run_cli(size_t words_before, const char *path)
{
	(void) words_before;
	(void) path;
}

#endif
