/*
 * Linked with a libphp to see what is in it: prints version, thread safety and modules, one "key: value" a line.
 * Runs a script in a second thread when PHP has thread safety, since a libphp that cannot is of no use to a server.
 * With arguments it is PHP's command line.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "php_embed.h"
#include "zend_extensions.h"

#ifdef ZTS
ZEND_TSRMLS_CACHE_EXTERN()
#endif

#if OPCACHE_IS_ZEND_EXTENSION
extern zend_extension zend_extension_entry;

static void register_opcache(HashTable *configuration)
{
	(void) configuration;
	zend_register_extension(&zend_extension_entry, NULL);
}
#endif

static int failures;

static size_t discard(const char *bytes, size_t length)
{
	(void) bytes;
	return length;
}

static void run_script(void)
{
	static char code[] = "$x = []; for ($i = 0; $i < 100; $i++) { $x[] = hash('sha256', (string) $i); }"
		"if (count(array_unique($x)) !== 100) { exit(1); } echo json_encode($x);";
	zend_first_try {
		if (zend_eval_string(code, NULL, "probe") == FAILURE) {
			failures++;
		}
	} zend_catch {
		failures++;
	} zend_end_try();
}

#ifdef ZTS
static void *second_thread(void *unused)
{
	(void) ts_resource(0);
	ZEND_TSRMLS_CACHE_UPDATE();
	if (php_request_startup() == FAILURE) {
		failures++;
	} else {
		run_script();
		php_request_shutdown(NULL);
	}
	ts_free_thread();
	return unused;
}
#endif

static void report(void)
{
	zend_module_entry *module;
	printf("version: %s\n", PHP_VERSION);
#ifdef ZTS
	printf("zts: yes\n");
#else
	printf("zts: no\n");
#endif
	printf("debug: %s\n", ZEND_DEBUG ? "yes" : "no");
	printf("opcache: %s\n", zend_get_extension("Zend OPcache") ? "yes" : "no");
	ZEND_HASH_FOREACH_PTR(&module_registry, module) {
		printf("extension: %s\n", module->name);
	} ZEND_HASH_FOREACH_END();
}

#if HAS_COMMAND_LINE
extern int php_cli_main(int argc, char **argv);
extern int php_cli_register_internal_extensions(void);
#endif

int main(int argc, char **argv)
{
	if (argc > 1) {
#if HAS_COMMAND_LINE
		php_register_internal_extensions_func = php_cli_register_internal_extensions;
		return php_cli_main(argc, argv);
#else
		fprintf(stderr, "there is no command line: %s\n", argv[0]);
		return 1;
#endif
	}
	/* OPcache before 8.5 starts only under names that it knows. */
	php_embed_module.name = "cli-server";
	php_embed_module.ub_write = discard;
#if OPCACHE_IS_ZEND_EXTENSION
	php_embed_module.ini_defaults = register_opcache;
#endif
	if (php_embed_init(0, NULL) == FAILURE) {
		fprintf(stderr, "PHP does not start\n");
		return 1;
	}
	run_script();
	report();
#ifdef ZTS
	pthread_t thread;
	if (pthread_create(&thread, NULL, second_thread, NULL) != 0 || pthread_join(thread, NULL) != 0) {
		failures++;
	}
#endif
	php_embed_shutdown();
	if (failures != 0) {
		fprintf(stderr, "a script failed\n");
	}
	return failures != 0;
}
