/*
 * What the kernel and libc keep for a whole process, kept for each PHP thread: umask() and setlocale().
 *
 * Linux shares the file mode creation mask between threads only as long as they want (CLONE_FS); a PHP thread does not.
 * POSIX has a locale per thread (uselocale), which all of libc's functions honour; only setlocale() itself does not know
 * it, and so it is exchanged by the linker (--wrap, see build.rs), as is umask() for kernels and sandboxes that refuse.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <langinfo.h>
#include <locale.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <syslog.h>

/* Of this thread: whether the kernel keeps a mask for it alone, and what it is to believe otherwise. */
static __thread bool has_own_mask;
static __thread mode_t believed_mask;
static mode_t mask_at_startup;

EPHPM_WRAPPED(umask);

static void warn_once(const char *message)
{
	static atomic_flag warned = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&warned)) {
		ephpm_callbacks.log_message(NULL, LOG_WARNING, message, strlen(message));
	}
}

/* Where the threads share one mask, none may change it, not even for a moment: PHP asks for it by setting it. */
mode_t __wrap_umask(mode_t mask)
{
	mode_t before;

	if (!ephpm_is_isolated || has_own_mask) {
		return __real_umask(mask);
	}
	before = believed_mask;
	believed_mask = mask & 0777;
	if (believed_mask != mask_at_startup && believed_mask != 077) {
		warn_once("a script calls umask(), which has no effect here: the system refuses threads a mask of their own"
			" (unshare); use chmod()");
	}
	return before;
}

/* This thread's locale, since its request's first setlocale(). */
static __thread locale_t own_locale;
static __thread char *own_locale_name;

EPHPM_WRAPPED(setlocale);

/* In the order in which glibc names them, when they differ. */
static const struct {
	int category;
	int mask;
	const char *name;
} categories[] = {
	{ LC_CTYPE, LC_CTYPE_MASK, "LC_CTYPE" },
	{ LC_NUMERIC, LC_NUMERIC_MASK, "LC_NUMERIC" },
	{ LC_TIME, LC_TIME_MASK, "LC_TIME" },
	{ LC_COLLATE, LC_COLLATE_MASK, "LC_COLLATE" },
	{ LC_MONETARY, LC_MONETARY_MASK, "LC_MONETARY" },
	{ LC_MESSAGES, LC_MESSAGES_MASK, "LC_MESSAGES" },
	{ LC_PAPER, LC_PAPER_MASK, "LC_PAPER" },
	{ LC_NAME, LC_NAME_MASK, "LC_NAME" },
	{ LC_ADDRESS, LC_ADDRESS_MASK, "LC_ADDRESS" },
	{ LC_TELEPHONE, LC_TELEPHONE_MASK, "LC_TELEPHONE" },
	{ LC_MEASUREMENT, LC_MEASUREMENT_MASK, "LC_MEASUREMENT" },
	{ LC_IDENTIFICATION, LC_IDENTIFICATION_MASK, "LC_IDENTIFICATION" },
};
#define CATEGORIES (sizeof(categories) / sizeof(categories[0]))
/* Twelve names of locales, which PHP limits to 255 bytes each, with what stands around them. */
#define LOCALE_NAME_SIZE 4096

static const char *name_of(int category)
{
	return nl_langinfo_l(NL_LOCALE_NAME(category), own_locale);
}

static char *name_of_all(void)
{
	size_t len = 0;
	size_t same = 1;

	while (same < CATEGORIES && strcmp(name_of(categories[same].category), name_of(categories[0].category)) == 0) {
		same++;
	}
	if (same == CATEGORIES) {
		return (char *) name_of(LC_CTYPE);
	}
	if (!own_locale_name && !(own_locale_name = malloc(LOCALE_NAME_SIZE))) {
		return NULL;
	}
	for (size_t i = 0; i < CATEGORIES && len < LOCALE_NAME_SIZE; i++) {
		len += snprintf(own_locale_name + len, LOCALE_NAME_SIZE - len, "%s%s=%s", i ? ";" : "", categories[i].name,
			name_of(categories[i].category));
	}
	return own_locale_name;
}

static char *current_name(int category)
{
	if (!own_locale) {
		return __real_setlocale(category, NULL);
	}
	return category == LC_ALL ? name_of_all() : (char *) name_of(category);
}

/* POSIX, "8.2 Internationalization Variables". Through getenv(), so that what putenv() has set counts. */
static const char *name_in_environment(const char *category)
{
	const char *variables[] = { "LC_ALL", category, "LANG" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = getenv(variables[i]);
		if (value && *value) {
			return value;
		}
	}
	return "C";
}

/* Changes a locale, or frees it and returns none. */
static locale_t change(locale_t locale, int mask, const char *name)
{
	locale_t changed = locale ? newlocale(mask, name, locale) : (locale_t) 0;

	if (locale && !changed) {
		freelocale(locale);
	}
	return changed;
}

static bool is_category(int category)
{
	size_t i = 0;

	while (i < CATEGORIES && categories[i].category != category) {
		i++;
	}
	return i < CATEGORIES || category == LC_ALL;
}

static locale_t changed_locale(int category, const char *name)
{
	locale_t locale = duplocale(own_locale ? own_locale : LC_GLOBAL_LOCALE);

	if (category == LC_ALL && *name) {
		/* Which may be one name, or what name_of_all() has made of several. */
		return change(locale, LC_ALL_MASK, name);
	}
	for (size_t i = 0; i < CATEGORIES; i++) {
		if (category == LC_ALL || category == categories[i].category) {
			locale = change(locale, categories[i].mask, *name ? name : name_in_environment(categories[i].name));
		}
	}
	return locale;
}

char *__wrap_setlocale(int category, const char *name)
{
	locale_t changed;

	if (!ephpm_is_isolated) {
		return __real_setlocale(category, name);
	}
	if (!is_category(category)) {
		return NULL;
	}
	if (!name) {
		return current_name(category);
	}
	changed = changed_locale(category, name);
	if (!changed) {
		return NULL;
	}
	uselocale(changed);
	if (own_locale) {
		freelocale(own_locale);
	}
	own_locale = changed;
	return current_name(category);
}

void ephpm_process_startup(void)
{
	mask_at_startup = umask(077);
	umask(mask_at_startup);
}

void ephpm_process_attach(void)
{
	has_own_mask = unshare(CLONE_FS) == 0;
	believed_mask = mask_at_startup;
}

/* PHP has undone what the script has set, the mask exactly and the locale to "C", which the process has as well. */
void ephpm_process_reset(void)
{
	if (own_locale) {
		uselocale(LC_GLOBAL_LOCALE);
		freelocale(own_locale);
		own_locale = (locale_t) 0;
	}
	free(own_locale_name);
	own_locale_name = NULL;
	believed_mask = mask_at_startup;
}
