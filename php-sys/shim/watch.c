/*
 * What others may ask of a thread while a request runs on it: to end the request, and to say where the script is.
 *
 * Both are flags that the thread finds when the engine looks for interrupts (zend_interrupt_function). A thread that
 * blocks in a system call does not look. To end its request it is woken by a signal, as often as it takes; where it is
 * can be read from outside, since a thread that does not move leaves its frames alone.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <stdarg.h>
#include <sys/uio.h>
#include <unistd.h>

/* A thread's flags. Others set them, the thread clears them. */
typedef struct watch {
	/* Milliseconds that the request was allowed; 0 unless it is to end. */
	uint32_t expired_ms;
	/* Why it is to end, an ephpm_ending; 0 if its time is over. Written before expired_ms. */
	int ending;
	/* Somebody wants to know where the script is. */
	bool trace_wanted;
} watch;

static __thread watch flags;
/* Whom to tell: what ephpm_thread_attach() was given. */
static __thread void *owner;
/* How often poll() has been cut short since the request's time is over. */
static __thread unsigned polls_cut;
/* The most memory that the last request held, in bytes. */
static __thread size_t peak_bytes;

static void (*next_interrupt_function)(zend_execute_data *execute_data);

/* Reads memory of this process that may not be there; false if it is not. */
static bool fetch(void *to, const void *from, size_t len)
{
	struct iovec local = { to, len };
	struct iovec remote = { (void *) from, len };

	return from && process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t) len;
}

/* Text that grows up to a capacity. */
typedef struct text {
	char *bytes;
	size_t len, capacity;
} text;

static void append(text *text, const char *format, ...)
{
	size_t room = text->capacity - text->len;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text->bytes + text->len, room, format, arguments);
	va_end(arguments);
	if (len > 0) {
		text->len += (size_t) len < room ? (size_t) len : (room ? room - 1 : 0);
	}
}

/* At most as much of a name as a line has room for; control characters are none of it. */
static void append_string(text *text, const zend_string *string, const char *otherwise)
{
	zend_string header;
	char name[512];
	size_t len;

	if (!string || !fetch(&header, string, offsetof(zend_string, val))) {
		append(text, "%s", otherwise);
		return;
	}
	len = header.len < sizeof(name) - 1 ? header.len : sizeof(name) - 1;
	if (len > 0 && !fetch(name, (const char *) string + offsetof(zend_string, val), len)) {
		append(text, "%s", otherwise);
		return;
	}
	for (size_t at = 0; at < len; at++) {
		if ((unsigned char) name[at] < ' ' || name[at] == 0x7f) {
			name[at] = '?';
		}
	}
	name[len] = '\0';
	append(text, "%s", name);
}

/* A frame of the script, copied. */
typedef struct frame {
	const zend_execute_data *address;
	zend_execute_data data;
	/* As much of it as all kinds of functions have. */
	zend_internal_function function;
	bool has_function;
} frame;

static bool fetch_frame(frame *frame, const zend_execute_data *address)
{
	frame->address = address;
	if (!fetch(&frame->data, address, sizeof(frame->data))) {
		return false;
	}
	frame->has_function = frame->data.func
		&& fetch(&frame->function, frame->data.func, offsetof(zend_internal_function, handler));
	return true;
}

static bool is_user_code(const frame *frame)
{
	return frame->has_function && ZEND_USER_CODE(frame->function.type);
}

/* Where a frame is, or the next one that has a place. */
static void append_place(text *text, const frame *innermost)
{
	frame frame = *innermost;
	zend_op_array code;
	zend_op opline;

	for (int depth = 0; !is_user_code(&frame) && depth < 8; depth++) {
		if (!frame.data.prev_execute_data || !fetch_frame(&frame, frame.data.prev_execute_data)) {
			break;
		}
	}
	if (!is_user_code(&frame) || !fetch(&code, frame.data.func, sizeof(code))) {
		append(text, " [unknown]:0\n");
		return;
	}
	append(text, " ");
	append_string(text, code.filename, "[unknown]");
	append(text, ":%u\n", fetch(&opline, frame.data.opline, sizeof(opline)) ? opline.lineno : 0);
}

static void append_function(text *text, const frame *frame)
{
	const zend_string *class_name;

	if (!frame->function.function_name) {
		append(text, frame->data.prev_execute_data ? "[include]" : "{main}");
		return;
	}
	if (frame->function.scope
			&& fetch(&class_name, (const char *) frame->function.scope + offsetof(zend_class_entry, name),
				sizeof(class_name))) {
		append_string(text, class_name, "?");
		append(text, "::");
	}
	append_string(text, frame->function.function_name, "?");
	append(text, "()");
}

#define FRAMES_MAX 100

/* A line for each frame, the innermost first, as php-fpm's slow log has them. */
static size_t describe_frames(const zend_execute_data *innermost, char *buffer, size_t capacity)
{
	text text = { buffer, 0, capacity };
	frame frame;

	for (int depth = 0; innermost && depth < FRAMES_MAX && fetch_frame(&frame, innermost); depth++) {
		/* Without a function it is no frame of the script's (zend_call_function() in PHP 8.2, generators). */
		if (frame.has_function) {
			append(&text, "[0x%016lx] ", (unsigned long) (uintptr_t) frame.address);
			append_function(&text, &frame);
			append_place(&text, &frame);
		}
		innermost = frame.data.prev_execute_data;
	}
	return text.len;
}

static uint32_t load_expired(const watch *watch)
{
	return __atomic_load_n(&watch->expired_ms, __ATOMIC_ACQUIRE);
}

/* Whoever asked may ask again: the script has done no wrong. PHP makes no 500 of what is no 200. */
static void answer_unavailable(void)
{
	if (!SG(headers_sent)) {
		sapi_header_op(SAPI_HEADER_SET_STATUS, (void *) (zend_long) 503);
	}
}

/* As PHP ends a script at max_execution_time (zend_timeout), but for the words. Does not return. */
static ZEND_COLD void raise_expired(uint32_t expired_ms, int ending)
{
	double seconds = expired_ms / 1000.0;

	polls_cut = 0;
	if (ending == EPHPM_ENDING_OPCACHE) {
		answer_unavailable();
		zend_error_noreturn(E_ERROR, "Ended for OPcache, which has waited to restart (opcache.force_restart_timeout)");
	}
	if (ending == EPHPM_ENDING_STOP) {
		answer_unavailable();
		zend_error_noreturn(E_ERROR, "Ended with the server, which stops (server.drain_timeout)");
	}
	zend_error_noreturn(E_ERROR, "Maximum request time of %g second%s exceeded (php.request_timeout)", seconds,
		seconds == 1.0 ? "" : "s");
}

static void hand_over_trace(void)
{
	char buffer[EPHPM_TRACE_BYTES];
	size_t len = describe_frames(EG(current_execute_data), buffer, sizeof(buffer));

	ephpm_callbacks.take_trace(owner, buffer, len);
}

static void on_interrupt(zend_execute_data *execute_data)
{
	uint32_t expired_ms;

	if (owner && __atomic_exchange_n(&flags.trace_wanted, false, __ATOMIC_ACQ_REL)) {
		hand_over_trace();
	}
	/* Others have asked for interrupts, too: pcntl for its signals. */
	if (next_interrupt_function) {
		next_interrupt_function(execute_data);
	}
	expired_ms = __atomic_exchange_n(&flags.expired_ms, 0, __ATOMIC_ACQ_REL);
	if (expired_ms) {
		raise_expired(expired_ms, __atomic_load_n(&flags.ending, __ATOMIC_RELAXED));
	}
}

void ephpm_watch_startup(void)
{
	next_interrupt_function = zend_interrupt_function;
	zend_interrupt_function = on_interrupt;
}

void ephpm_watch_attach(ephpm_interrupt *interrupt, void *thread)
{
	owner = thread;
	memset(&flags, 0, sizeof(flags));
	interrupt->flags = &flags;
	interrupt->frames = &EG(current_execute_data);
}

void ephpm_watch_detach(void)
{
	owner = NULL;
}

void ephpm_watch_forget(void)
{
	owner = NULL;
	memset(&flags, 0, sizeof(flags));
}

bool ephpm_watch_ends_poll(bool *fails)
{
	if (!owner || !load_expired(&flags)) {
		return false;
	}
	*fails = polls_cut++ > 0;
	return true;
}

void ephpm_watch_note_memory(void)
{
	peak_bytes = zend_memory_peak_usage(true);
}

ephpm_memory ephpm_thread_memory(void)
{
	ephpm_memory memory = { .peak = peak_bytes, .held = zend_memory_usage(true) };

	return memory;
}

static void wake_engine(const ephpm_interrupt *interrupt)
{
	zend_atomic_bool_store_ex((zend_atomic_bool *) interrupt->vm_interrupt, true);
}

static void end_request(const ephpm_interrupt *interrupt, uint32_t allowed_ms, int ending)
{
	watch *watch = interrupt->flags;

	__atomic_store_n(&watch->ending, ending, __ATOMIC_RELAXED);
	__atomic_store_n(&watch->expired_ms, allowed_ms ? allowed_ms : 1, __ATOMIC_RELEASE);
	wake_engine(interrupt);
	ephpm_interrupt_signal(interrupt);
}

void ephpm_interrupt_expire(const ephpm_interrupt *interrupt, uint32_t allowed_ms)
{
	end_request(interrupt, allowed_ms, 0);
}

void ephpm_interrupt_end(const ephpm_interrupt *interrupt, ephpm_ending why)
{
	end_request(interrupt, 0, (int) why);
}

bool ephpm_interrupt_is_expiring(const ephpm_interrupt *interrupt)
{
	return load_expired(interrupt->flags) != 0;
}

void ephpm_interrupt_want_trace(const ephpm_interrupt *interrupt)
{
	watch *watch = interrupt->flags;

	__atomic_store_n(&watch->trace_wanted, true, __ATOMIC_RELEASE);
	wake_engine(interrupt);
}

bool ephpm_interrupt_is_trace_wanted(const ephpm_interrupt *interrupt)
{
	const watch *watch = interrupt->flags;

	return __atomic_load_n(&watch->trace_wanted, __ATOMIC_ACQUIRE);
}

size_t ephpm_interrupt_trace(const ephpm_interrupt *interrupt, char *buffer, size_t capacity)
{
	zend_execute_data **frames = interrupt->frames;
	zend_execute_data *innermost = __atomic_load_n(frames, __ATOMIC_ACQUIRE);
	size_t len = describe_frames(innermost, buffer, capacity);

	return __atomic_load_n(frames, __ATOMIC_ACQUIRE) == innermost ? len : 0;
}

/* Whoever clears the flag first has the trace. As long as nobody has, the thread has not been in the engine's hands. */
bool ephpm_interrupt_unwant_trace(const ephpm_interrupt *interrupt)
{
	watch *watch = interrupt->flags;

	return __atomic_exchange_n(&watch->trace_wanted, false, __ATOMIC_ACQ_REL);
}

void ephpm_interrupt_clear(const ephpm_interrupt *interrupt)
{
	watch *watch = interrupt->flags;

	__atomic_store_n(&watch->expired_ms, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&watch->trace_wanted, false, __ATOMIC_RELEASE);
}
