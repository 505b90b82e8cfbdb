/*
 * Settings by directory: .user.ini files (user_ini.filename), and the sections [HOST=] and [PATH=] of php.ini.
 *
 * A script's settings come from the files in the document root and in each directory down to its own, a later one
 * wins; from none outside of the document root. Each thread keeps what it has read, by directory, for
 * user_ini.cache_ttl seconds, and looks at nothing meanwhile. What a file may set is what php-fpm lets it set
 * (PHP_INI_PERDIR); it holds before the request's content is read, so that post_max_size counts as well.
 */
#define _GNU_SOURCE
#include "shim.h"

#include "php_ini.h"
#include "zend_ini_scanner.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories with scripts that are requested; a site with more is read anew now and then. */
#define DIRECTORIES_MAX 4096

/* What holds in a directory, as names and values of settings; an empty table for most. */
typedef struct directory_settings {
	HashTable table;
	double expires_at;
} directory_settings;

/* This thread's, by directory; not a table yet as long as nothing is cached. */
static __thread HashTable cache;
static __thread bool has_cache;

static void free_value(zval *value)
{
	zend_string_release_ex(Z_STR_P(value), true);
}

static void free_directory(zval *value)
{
	directory_settings *directory = Z_PTR_P(value);

	zend_hash_destroy(&directory->table);
	free(directory);
}

/* Takes the settings of a file; what stands in its sections for hosts and paths is for php.ini alone. */
typedef struct parser {
	HashTable *table;
	bool is_special;
} parser;

static void take_entry(zval *name, zval *value, zval *index, int kind, void *arg)
{
	parser *state = arg;
	zval copy;

	(void) index;
	if (kind == ZEND_INI_PARSER_SECTION) {
		state->is_special = strncasecmp(Z_STRVAL_P(name), "PATH", 4) == 0 || strncasecmp(Z_STRVAL_P(name), "HOST", 4) == 0;
	} else if (kind == ZEND_INI_PARSER_ENTRY && value && !state->is_special) {
		/* Malloc'ed like the table, which outlives the request. */
		ZVAL_NEW_STR(&copy, zend_string_init(Z_STRVAL_P(value), Z_STRLEN_P(value), true));
		zend_hash_str_update(state->table, Z_STRVAL_P(name), Z_STRLEN_P(name), &copy);
	}
}

/* A link counts if it belongs to root or to the owner of what it names, wherever that lies: the rule by which links below
 * the document root are followed. */
static bool is_trusted(const char *path)
{
	struct stat link, file;

	if (lstat(path, &link) != 0) {
		return false;
	}
	if (!S_ISLNK(link.st_mode)) {
		return S_ISREG(link.st_mode);
	}
	return stat(path, &file) == 0 && S_ISREG(file.st_mode) && (link.st_uid == 0 || link.st_uid == file.st_uid);
}

static void read_file(HashTable *table, const char *directory, size_t directory_len, const char *name)
{
	char path[PATH_MAX];
	parser state = { .table = table };
	zend_file_handle handle;
	FILE *file;

	if (snprintf(path, sizeof(path), "%.*s/%s", (int) directory_len, directory, name) >= (int) sizeof(path)
			|| !is_trusted(path)) {
		return;
	}
	file = fopen(path, "re");
	if (!file) {
		return;
	}
	zend_stream_init_fp(&handle, file, path);
	/* Mistakes go to standard error, as with php-fpm: there is no request yet that could report them. */
	zend_parse_ini_file(&handle, true, ZEND_INI_SCANNER_NORMAL, take_entry, &state);
	zend_destroy_file_handle(&handle);
}

/* Whether the directory is the root or below it. */
static bool is_within(const char *directory, size_t directory_len, const char *root, size_t root_len)
{
	return directory_len >= root_len && memcmp(directory, root, root_len) == 0
		&& (directory_len == root_len || directory[root_len] == '/');
}

static void read_directories(HashTable *table, ephpm_context *context, const char *directory, size_t directory_len)
{
	const ephpm_var *root = ephpm_variables_find(context, ZEND_STRL("DOCUMENT_ROOT"));
	size_t root_len = root ? root->value.len : 0;

	while (root_len > 0 && root->value.ptr[root_len - 1] == '/') {
		root_len--;
	}
	if (!root || !is_within(directory, directory_len, root->value.ptr, root_len)) {
		return;
	}
	for (size_t len = root_len; len <= directory_len; len++) {
		if (len == directory_len || directory[len] == '/') {
			read_file(table, directory, len, PG(user_ini_filename));
		}
	}
}

static directory_settings *find_directory(ephpm_context *context, const char *path, size_t path_len)
{
	const double now = context->request->request_time;
	directory_settings *directory;

	if (!has_cache) {
		zend_hash_init(&cache, 8, NULL, free_directory, true);
		has_cache = true;
	}
	directory = zend_hash_str_find_ptr(&cache, path, path_len);
	if (directory && now < directory->expires_at) {
		return directory;
	}
	if (!directory) {
		if (zend_hash_num_elements(&cache) >= DIRECTORIES_MAX) {
			zend_hash_clean(&cache);
		}
		directory = pemalloc(sizeof(*directory), true);
		zend_hash_init(&directory->table, 8, NULL, free_value, true);
		zend_hash_str_add_new_ptr(&cache, path, path_len, directory);
	}
	zend_hash_clean(&directory->table);
	/* Before reading: if that is cut short, what there is holds until then. */
	directory->expires_at = now + (double) PG(user_ini_cache_ttl);
	read_directories(&directory->table, context, path, path_len);
	return directory;
}

static void activate_user_ini(ephpm_context *context)
{
	const char *script = context->request->path_translated;
	const char *slash = strrchr(script, '/');
	directory_settings *directory;
	zend_string *name;
	zval *value;

	if (!slash || !PG(user_ini_filename) || !*PG(user_ini_filename)) {
		return;
	}
	directory = find_directory(context, script, slash - script);
	ZEND_HASH_FOREACH_STR_KEY_VAL(&directory->table, name, value) {
		zend_string *copy = zend_string_dup(Z_STR_P(value), false);
		zend_string *key = zend_string_dup(name, false);
		zend_alter_ini_entry_ex(key, copy, PHP_INI_PERDIR, PHP_INI_STAGE_HTACCESS, false);
		zend_string_release(key);
		zend_string_release(copy);
	} ZEND_HASH_FOREACH_END();
}

static void activate_sections(ephpm_context *context)
{
	if (php_ini_has_per_host_config()) {
		const ephpm_var *host = ephpm_variables_find(context, ZEND_STRL("SERVER_NAME"));
		if (host) {
			char *name = zend_str_tolower_dup(host->value.ptr, host->value.len);
			php_ini_activate_per_host_config(name, host->value.len);
			efree(name);
		}
	}
	if (php_ini_has_per_dir_config()) {
		/* PHP cuts it at each slash, and mends it. */
		char *path = estrdup(context->request->path_translated);
		php_ini_activate_per_dir_config(path, strlen(path));
		efree(path);
	}
}

void ephpm_user_ini_activate(ephpm_context *context)
{
	activate_sections(context);
	activate_user_ini(context);
}

void ephpm_user_ini_forget(void)
{
	if (has_cache) {
		zend_hash_destroy(&cache);
		has_cache = false;
	}
}
