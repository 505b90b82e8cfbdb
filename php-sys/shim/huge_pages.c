/*
 * Huge pages for what every request walks through: OPcache's memory, PHP's heaps, and, if php.ini wants that, the code.
 *
 * A page of a large site touches thousands of small pages, more than a CPU remembers addresses of. The kernel has huge
 * ones for private memory that asks for them, but for shared memory only where somebody has changed its settings; and
 * OPcache asks for shared memory, as if processes were to share it. Here threads do. So mmap() is ours, as far as this
 * executable calls it: what the thread that starts PHP asks for is private and huge, unless it asks for a certain place,
 * as it does for the JIT's sake. PHP's heaps have a variable for it.
 *
 * Pages that somebody has set aside (hugetlbfs) are another matter, and PHP would try those first. They were mostly set
 * aside for somebody else, and a container that may have none of them gets them all the same, and SIGBUS when it writes
 * there. So they are taken only where the environment sets PHP's variable.
 *
 * opcache.huge_code_pages replaces the pages of PHP's code one by one by their copies. OPcache is meant to be a shared
 * object of its own then, and not a part of what it takes away from under itself. Linked in, it needs all at once.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE_SIZE ((size_t) 2 * 1024 * 1024)

/* The linker's names for the begin and the end of the code; what lies between is this executable's. */
extern char __executable_start[];
extern char etext[];

/* For zend_alloc.c, which looks once. */
#define VARIABLE "USE_ZEND_ALLOC_HUGE_PAGES"

/* Set by ephpm_startup(), before there are threads. */
static bool leaves_reserved_pages;

/* This thread is in ephpm_startup(). */
static __thread bool starts_php;

static char *round_up(const char *address, size_t unit)
{
	return (char *) (((uintptr_t) address + unit - 1) & ~(uintptr_t) (unit - 1));
}

/* Private memory, at a multiple of the size of a huge page. */
static char *map_huge(size_t len, int protection, int flags)
{
	char *whole = mmap64(NULL, len + HUGE_PAGE_SIZE, protection, flags, -1, 0);
	char *memory;

	if (whole == MAP_FAILED) {
		return MAP_FAILED;
	}
	memory = round_up(whole, HUGE_PAGE_SIZE);
	if (memory > whole) {
		munmap(whole, (size_t) (memory - whole));
	}
	munmap(memory + len, HUGE_PAGE_SIZE - (size_t) (memory - whole));
	/* Without huge pages in the kernel it is as it would be otherwise. */
	(void) madvise(memory, len, MADV_HUGEPAGE);
	return memory;
}

/* Of processes of their own there may be one: whoever compiles the preloaded scripts as another user. */
static bool has_preload_user(void)
{
	const char *user = INI_STR("opcache.preload_user");

	return user && *user;
}

/* The code, but for what may be left of its last page, from `begin` on. */
static size_t code_len(const char *begin, size_t len_max)
{
	size_t len = (size_t) (round_up(etext, (size_t) sysconf(_SC_PAGESIZE)) - begin);

	return len < len_max ? len : len_max;
}

/* Puts a copy in huge pages in the place of the code, in one step of the kernel's: nobody who runs in it, on whatever
 * thread, sees the place empty. It may be written to, as the caller is about to do. */
static void *exchange_code(char *begin, size_t len)
{
	char *copy = map_huge(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	if (copy == MAP_FAILED) {
		return MAP_FAILED;
	}
	memcpy(copy, begin, code_len(begin, len));
	if (mprotect(copy, len, PROT_READ | PROT_WRITE | PROT_EXEC) == 0
		&& mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, begin) == begin) {
		return begin;
	}
	munmap(copy, len);
	return MAP_FAILED;
}

static bool is_code(const char *address)
{
	return address >= __executable_start && address < etext;
}

static void *map_over_code(char *begin, size_t len)
{
	void *memory = exchange_code(begin, len);

	if (memory == MAP_FAILED) {
		/* It expects this to work, and would write over code that cannot be written to. */
		fputs("opcache.huge_code_pages=1: the system does not let code be moved\n", stderr);
		_exit(1);
	}
	return memory;
}

/* In place of libc's in this executable, though not in shared libraries: the symbol is hidden. */
void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	bool is_anonymous = flags & MAP_ANONYMOUS;
	bool is_over_code = is_anonymous && (flags & MAP_FIXED) && is_code(address);

	if ((flags & MAP_HUGETLB) && (leaves_reserved_pages || is_over_code)) {
		/* As if there were none: PHP and OPcache try others next. */
		errno = ENOMEM;
		return MAP_FAILED;
	}
	if (is_over_code) {
		return map_over_code(address, len);
	}
	if (starts_php && is_anonymous && (flags & MAP_TYPE) == MAP_SHARED && !(flags & MAP_HUGETLB) && !address
		&& len >= HUGE_PAGE_SIZE && !has_preload_user()) {
		void *memory = map_huge(len, protection, (flags & ~MAP_TYPE) | MAP_PRIVATE);

		if (memory != MAP_FAILED) {
			return memory;
		}
	}
	return mmap64(address, len, protection, flags, fd, offset);
}

/* Asked for what the environment does not have. */
char *ephpm_huge_pages_variable(const char *name)
{
	return starts_php && strcmp(name, VARIABLE) == 0 ? "1" : NULL;
}

void ephpm_huge_pages_begin(void)
{
	const char *set = getenv(VARIABLE);

	leaves_reserved_pages = !set || atoi(set) == 0;
	starts_php = true;
}

void ephpm_huge_pages_end(void)
{
	starts_php = false;
}
