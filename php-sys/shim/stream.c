/*
 * Files that scripts pass through, without the whole of them in memory.
 *
 * readfile() and fpassthru() map a file as a whole and write it in one go (_php_stream_passthru in
 * main/streams/streams.c): its pages then count for the process, and an output buffer would copy all of it at once.
 * When a mapping is refused they read and write piece by piece. The linker exchanges the function (--wrap, see
 * build.rs); where it was not told to, PHP's own does its work.
 */
#include "shim.h"

#include "php_streams.h"

/* Large enough for the files that PHP maps for speed, small beside what a thread has anyway. */
#define MAPPED_BYTES_MAX (2 * 1024 * 1024)

extern char *__real__php_stream_mmap_range(php_stream *stream, size_t offset, size_t length,
	php_stream_mmap_access_t mode, size_t *mapped_len) __attribute__((weak));

char *__wrap__php_stream_mmap_range(php_stream *stream, size_t offset, size_t length, php_stream_mmap_access_t mode,
	size_t *mapped_len)
{
	size_t mapped = 0;
	char *start = __real__php_stream_mmap_range(stream, offset, length, mode, &mapped);

	if (start && mapped > MAPPED_BYTES_MAX && ephpm_serves()) {
		/* Nothing of it has been touched: it was only an entry in a table. */
		php_stream_mmap_unmap(stream);
		return NULL;
	}
	if (mapped_len) {
		*mapped_len = mapped;
	}
	return start;
}
