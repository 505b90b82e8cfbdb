/*
 * The environment of scripts: what the server has prepared, and over it what the request has set by putenv().
 *
 * The environment of a process belongs to all of its threads, so that a putenv() of one request would be seen by all
 * others, and would move what another one is reading. Here `environ` is never written after the start, and never read
 * for a script: the functions of libc that PHP calls for it are exchanged, by the linker (putenv; --wrap, see build.rs)
 * or by definitions of our own (unsetenv; getenv, which shared libraries find too). On a thread that does not run
 * scripts, or where nobody has prepared an environment, each of them is what it was.
 */
#define _GNU_SOURCE
#include "shim.h"

#include "php_variables.h"

#include <errno.h>

/* What every request starts with; immutable while threads are attached. */
static char **prepared;
static size_t prepared_len;

/* "NAME=value"; its own unless it was prepared. */
typedef struct variable {
	char *text;
	bool is_own;
} variable;

/* This thread's, since its request's first putenv(); none before that. */
static __thread variable *variables;
static __thread size_t variables_len;
static __thread size_t variables_capacity;

__thread bool ephpm_is_isolated;

static bool is_named(const char *text, const char *name, size_t name_len)
{
	return strncmp(text, name, name_len) == 0 && text[name_len] == '=';
}

static size_t environment_len(void)
{
	return variables ? variables_len : prepared_len;
}

static char *environment_at(size_t index)
{
	return variables ? variables[index].text : prepared[index];
}

/* The index of the variable, or the number of variables. */
static size_t find(const char *name, size_t name_len)
{
	size_t index = 0;
	size_t len = environment_len();

	while (index < len && !is_named(environment_at(index), name, name_len)) {
		index++;
	}
	return index;
}

/* In place of libc's, in this executable and in the shared libraries that it is linked with, but not in libc itself:
 * gettext's LANGUAGE, the resolver's and malloc's variables are those of the server. */
__attribute__((visibility("default"))) char *getenv(const char *name)
{
	size_t name_len = strlen(name);

	if (ephpm_is_isolated) {
		size_t index = find(name, name_len);
		return index < environment_len() ? environment_at(index) + name_len + 1 : NULL;
	}
	for (char **text = environ; text && *text; text++) {
		if (is_named(*text, name, name_len)) {
			return *text + name_len + 1;
		}
	}
	return ephpm_huge_pages_variable(name);
}

static bool copy_prepared(void)
{
	if (variables) {
		return true;
	}
	variables_capacity = prepared_len + 16;
	variables = malloc(variables_capacity * sizeof(*variables));
	if (!variables) {
		return false;
	}
	for (size_t i = 0; i < prepared_len; i++) {
		variables[i] = (variable) { prepared[i], false };
	}
	variables_len = prepared_len;
	return true;
}

static void drop_text(variable *dropped)
{
	if (dropped->is_own) {
		free(dropped->text);
	}
}

static int set(char *text, size_t name_len)
{
	size_t index;

	if (!text || !copy_prepared()) {
		free(text);
		return -1;
	}
	index = find(text, name_len);
	if (index < variables_len) {
		drop_text(&variables[index]);
	} else {
		if (variables_len == variables_capacity) {
			size_t capacity = 2 * variables_capacity;
			variable *larger = realloc(variables, capacity * sizeof(*variables));
			if (!larger) {
				free(text);
				return -1;
			}
			variables = larger;
			variables_capacity = capacity;
		}
		variables_len++;
	}
	variables[index] = (variable) { text, true };
	return 0;
}

static void unset(const char *name)
{
	size_t index = find(name, strlen(name));

	if (index < environment_len() && copy_prepared()) {
		drop_text(&variables[index]);
		variables[index] = variables[--variables_len];
	}
}

EPHPM_WRAPPED(putenv);

/* Unlike libc's, which makes the text itself a part of the environment, this one copies it. */
int __wrap_putenv(char *text)
{
	const char *equals_sign;

	if (!ephpm_is_isolated) {
		return __real_putenv(text);
	}
	equals_sign = strchr(text, '=');
	if (!equals_sign) {
		unset(text);
		return 0;
	}
	return set(strdup(text), equals_sign - text);
}

/* In place of libc's; not --wrap, since Rust calls it too, also in programs without this shim. */
int unsetenv(const char *name)
{
	if (!*name || strchr(name, '=')) {
		errno = EINVAL;
		return -1;
	}
	if (ephpm_is_isolated) {
		unset(name);
		return 0;
	}
	/* A name without a value removes the variable (glibc, musl). */
	return putenv((char *) name);
}

/* PHP's rule (valid_environment_name in main/php_variables.c): what would be an array's name is left out. */
static bool is_valid_name(const char *name, size_t name_len)
{
	return name_len > 0 && strcspn(name, " .[") >= name_len;
}

void ephpm_environment_import(HashTable *array)
{
	size_t len = environment_len();

	for (size_t i = 0; i < len; i++) {
		const char *text = environment_at(i);
		size_t name_len = strcspn(text, "=");
		zval value;
		if (is_valid_name(text, name_len)) {
			ZVAL_STRING(&value, text + name_len + 1);
			zend_symtable_str_update(array, text, name_len, &value);
		}
	}
}

/* What getenv() without a name and $_ENV consist of under php-fpm: the environment, and over it the request. */
static void import_all(zval *array)
{
	if (current_context()) {
		sapi_module.register_server_variables(array);
	} else {
		ephpm_environment_import(Z_ARRVAL_P(array));
	}
}

char **ephpm_environment_vector(void)
{
	size_t len = environment_len();
	char **vector = malloc((len + 1) * sizeof(*vector));

	if (vector) {
		for (size_t i = 0; i < len; i++) {
			vector[i] = environment_at(i);
		}
		vector[len] = NULL;
	}
	return vector;
}

bool ephpm_environment_is_exchangeable(void)
{
	return __real_putenv != NULL;
}

bool ephpm_environment_prepare(const ephpm_var *vars, size_t vars_len)
{
	prepared = calloc(vars_len + 1, sizeof(*prepared));
	if (!prepared) {
		return false;
	}
	for (const ephpm_var *var = vars; var < vars + vars_len; var++) {
		size_t size = var->name.len + 1 + var->value.len + 1;
		char *text = malloc(size);
		if (!text) {
			return false;
		}
		snprintf(text, size, "%s=%s", var->name.ptr, var->value.ptr);
		prepared[prepared_len++] = text;
	}
	php_import_environment_variables = import_all;
	php_load_environment_variables = import_all;
	return true;
}

void ephpm_environment_reset(void)
{
	for (size_t i = 0; i < variables_len; i++) {
		drop_text(&variables[i]);
	}
	free(variables);
	variables = NULL;
	variables_len = 0;
}
