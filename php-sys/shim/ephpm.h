/*
 * The seam between ePHPm and PHP: everything that crosses it is declared here, in C99 types only.
 *
 * Rust owns threads and loops, C owns Zend. No Zend type appears below, so that the bindings are the same for
 * every version and build of PHP. The words are those of php-src's main/SAPI.h.
 *
 * Four rules hold throughout:
 *  - No callback may call back into PHP, nor unwind. It returns a value, and the shim raises what that value
 *    means once the frame of the callback is gone: PHP's errors are longjmps (zend_bailout), which must not
 *    pass over a Rust frame.
 *  - What a pointer given to a function points to is borrowed for that call, unless its comment says more.
 *  - ephpm_startup() and ephpm_shutdown() run on the same thread.
 *  - ephpm_execute() runs only on a thread between ephpm_thread_attach() and ephpm_thread_detach().
 */
#ifndef EPHPM_H
#define EPHPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes with a length. Not terminated, unless the place where it is used says so. */
typedef struct ephpm_str {
	/** The first byte; never NULL, not even when `len` is 0. */
	const char *ptr;
	/** How many bytes there are. */
	size_t len;
} ephpm_str;

/** A name with its value. Both are followed by a NUL byte which their lengths do not count. */
typedef struct ephpm_var {
	/** The name, not empty. */
	ephpm_str name;
	/** The value, perhaps empty. */
	ephpm_str value;
} ephpm_var;

/** Names with their values. */
typedef struct ephpm_vars {
	/** The first; never NULL, not even when `len` is 0. */
	const ephpm_var *ptr;
	/** How many there are. */
	size_t len;
} ephpm_vars;

/** A request, as `sapi_request_info` wants it. Strings end in a NUL byte. */
typedef struct ephpm_request {
	/** The method, in the case in which the client wrote it: PHP parses a form only for exactly "POST". */
	const char *method;
	/** What `$_SERVER['PHP_SELF']` says: a path without a query, in which Phar::webPhar() finds its own name. */
	const char *request_uri;
	/** What follows the `?`, or "": never NULL. */
	const char *query_string;
	/** The Content-Type field, or NULL when there is none; "" would not mean the same. */
	const char *content_type;
	/** The Cookie field, several joined with "; ", or NULL when there is none. */
	const char *cookie;
	/** The Authorization field, from which PHP_AUTH_USER and its like are made, or NULL when there is none. */
	const char *authorization;
	/** The script to run: an absolute path of a file that exists. */
	const char *path_translated;
	/** The size of the content in bytes, 0 when there is none. */
	int64_t content_length;
	/** When the request arrived, in seconds since the epoch: `$_SERVER['REQUEST_TIME_FLOAT']`. */
	double request_time;
} ephpm_request;

/** What became of output. */
typedef enum ephpm_io {
	/** It was taken. */
	EPHPM_IO_OK = 0,
	/** The client is gone: the script ends, unless it asked to `ignore_user_abort`. */
	EPHPM_IO_ABORTED = 1,
} ephpm_io;

/**
 * What PHP asks of the server, named as in `sapi_module_struct`. None is NULL; all are called on the thread that
 * executes the request. `exchange` is what ephpm_execute() was given.
 */
typedef struct ephpm_sapi {
	/** Takes output; what it needs after it returns it must copy. Headers have been sent before. */
	ephpm_io (*ub_write)(void *exchange, const char *bytes, size_t len);
	/** Pushes what was written so far towards the client. Headers have been sent before. */
	ephpm_io (*flush)(void *exchange);
	/**
	 * Takes the head of the response, once a request. `status` is whatever number the script chose. `status_line`
	 * is what it gave to `header("HTTP/…")`, empty when it did not. A line is "Name: value" as the script wrote it,
	 * free of CR, LF and NUL, but perhaps without a space or even without the colon.
	 */
	void (*send_headers)(void *exchange, int32_t status, ephpm_str status_line, const ephpm_str *lines,
		size_t lines_len);
	/** Takes an interim head (1xx) with the lines that the response has so far; any number, before `send_headers`. */
	void (*send_interim)(void *exchange, int32_t status, const ephpm_str *lines, size_t lines_len);
	/** Copies the next bytes of the content to `buffer`, at most `len`; 0 means that there are no more. */
	size_t (*read_post)(void *exchange, char *buffer, size_t len);
	/** The response is complete, though the script runs on: `fastcgi_finish_request()`. At most once a request. */
	void (*finish_request)(void *exchange);
	/** Whether the client is gone, for `connection_aborted()`. */
	bool (*is_aborted)(void *exchange);
	/**
	 * What `$_SERVER` is made of, the same until ephpm_execute() returns. Names are valid as they are: PHP would change
	 * a dot, a space or a bracket. Asked for only when the script does, since many never do.
	 */
	ephpm_vars (*server_variables)(void *exchange);
	/**
	 * Takes a message for the error log, which may contain newlines. `level` is one of syslog's, 0 to 7. `exchange`
	 * is NULL outside requests.
	 */
	void (*log_message)(void *exchange, int32_t level, const char *message, size_t len);
	/**
	 * Limits the time of what runs on this thread, in seconds from now; 0 or less is no limit. When the time is over
	 * ephpm_interrupt_fire() is due. `hard_seconds` is PHP's `hard_timeout`: how much longer shutdown functions may take
	 * then, 0 for as long as they like. `thread` is what ephpm_thread_attach() was given; called also outside requests.
	 */
	void (*set_timeout)(void *thread, int64_t seconds, int64_t hard_seconds);
	/**
	 * Takes the answer to ephpm_interrupt_want_trace(): a line for each frame, as ephpm_interrupt_trace() has them.
	 * `thread` is what ephpm_thread_attach() was given.
	 */
	void (*take_trace)(void *thread, const char *text, size_t len);
} ephpm_sapi;

/** How PHP is to be started. */
typedef struct ephpm_options {
	/** A php.ini to read, or NULL: then none is read, wherever the machine may have one. */
	const char *ini_path;
	/** Settings which the php.ini may override. */
	const ephpm_var *ini_defaults;
	/** How many settings `ini_defaults` has. */
	size_t ini_defaults_len;
	/** Settings which override the php.ini, as "key=value\n" lines, or NULL. */
	const char *ini_entries;
	/** What PHP_BINARY says, a path of this program, or NULL. PHP takes it as it stands, without resolving it. */
	const char *executable_location;
	/** What `phpversion('ephpm')` says. Must stay valid for as long as the process lives. */
	const char *version;
	/** How many threads will be attached at a time, at least 1. */
	uint32_t threads;
	/**
	 * The environment of scripts. With it, each request is kept apart from the others: what it sets by putenv(),
	 * setlocale() and umask() is its own, the programs that it starts get its environment, its directory and no files
	 * but those that it gives them, and it may not do to the process what would be done to all (pcntl_fork(), dl()).
	 * NULL leaves all of that as PHP has it, for a process that runs one script.
	 */
	const ephpm_var *environment;
	/** How many variables `environment` has. */
	size_t environment_len;
} ephpm_options;

/** How ephpm_startup() ended. Details have gone to `log_message`. */
typedef enum ephpm_startup_result {
	/** PHP runs. */
	EPHPM_STARTUP_OK = 0,
	/** The file at `ini_path` cannot be read. */
	EPHPM_STARTUP_INI_UNREADABLE = 1,
	/** PHP's thread-safe resource manager found no memory. */
	EPHPM_STARTUP_TSRM_FAILED = 2,
	/** PHP, or one of its extensions, does not start. */
	EPHPM_STARTUP_MODULE_FAILED = 3,
	/** OPcache does not start, or not as the settings say, and they do not turn it off: ephpm_opcache_problem(). */
	EPHPM_STARTUP_OPCACHE_FAILED = 4,
} ephpm_startup_result;

/** How ephpm_execute() ended. A script that fails ends with EPHPM_OK as well. */
typedef enum ephpm_outcome {
	/** The request is over and the thread is ready for the next. */
	EPHPM_OK = 0,
	/** PHP could not set the request up; the response says 500 if it had not begun. Retire the thread. */
	EPHPM_STARTUP_FAILED = 1,
	/** PHP's clean-up was cut short, perhaps before any response. Retire the thread. */
	EPHPM_BAILED_OUT = 2,
} ephpm_outcome;

/** What another thread needs to interrupt this one. Valid from attach to detach. */
typedef struct ephpm_interrupt {
	/** The engine's `EG(vm_interrupt)` of this thread. */
	void *vm_interrupt;
	/** The engine's `EG(timed_out)` of this thread. */
	void *timed_out;
	/** The thread, as pthread_kill() wants it. */
	uintptr_t thread;
	/** What is asked of the thread (watch.c). */
	void *flags;
	/** The engine's `EG(current_execute_data)` of this thread. */
	void *frames;
} ephpm_interrupt;

/** Why the server ends a request for which time is left. */
typedef enum ephpm_ending {
	/** OPcache has waited for it to restart for as long as it is told to. */
	EPHPM_ENDING_OPCACHE = 1,
	/** The server stops. */
	EPHPM_ENDING_STOP = 2,
} ephpm_ending;

/** Memory of a thread's part of PHP, in bytes as the system gave them. */
typedef struct ephpm_memory {
	/** The most that the last request held. */
	size_t peak;
	/** What is held now; between requests, what is kept for the next. */
	size_t held;
} ephpm_memory;

/** The most that a trace has. */
#define EPHPM_TRACE_BYTES 16384

/** What libphp is. Strings live as long as the process. */
typedef struct ephpm_info {
	/** "8.4.1" */
	const char *version;
	/** The engine's: "4.4.1" */
	const char *zend_version;
	/** 80401 */
	uint32_t version_id;
	/** Thread safety: without it one thread at most may be attached. */
	bool zts;
	/** A debug build, which is slow. */
	bool debug;
	/** Whether OPcache caches scripts; known once PHP was started. */
	bool opcache;
	/** `opcache.force_restart_timeout` in seconds, known once PHP was started: how long OPcache waits to be emptied
	 * before those who use it are ended; 0 for as long as it takes. */
	int64_t force_restart_timeout;
	/** Whether `set_timeout` is called. If not, the linker was not told so, and PHP's own timers are at work. */
	bool set_timeout;
} ephpm_info;

/** An extension, as the list of `php -m` has it. Strings live until ephpm_shutdown(). */
typedef struct ephpm_extension {
	/** Its name. */
	const char *name;
	/** Its version, or NULL. */
	const char *version;
} ephpm_extension;

/** Starts PHP; once a process. `sapi` is copied. */
ephpm_startup_result ephpm_startup(const ephpm_sapi *sapi, const ephpm_options *options);

/** Stops PHP. No thread may be attached any more: PHP would free what it uses. */
void ephpm_shutdown(void);

/** What libphp is; may be asked before startup. */
ephpm_info ephpm_describe(void);

/** Writes at most `capacity` extensions to `extensions`; returns how many there are. Between startup and shutdown. */
size_t ephpm_extensions(ephpm_extension *extensions, size_t capacity);

/**
 * Makes the calling thread one that can execute requests, and says how it can be interrupted. `thread` is what
 * `set_timeout` is given, and must stay valid until detach; if it is NULL, PHP's own timers limit the time.
 */
void ephpm_thread_attach(ephpm_interrupt *interrupt, void *thread);

/** Frees what PHP holds for the calling thread. */
void ephpm_thread_detach(void);

/** Runs one request from set-up to clean-up. `request` and `exchange` must stay valid until it returns. */
ephpm_outcome ephpm_execute(const ephpm_request *request, void *exchange);

/**
 * Ends what runs on another thread with PHP's time-out error, as soon as the engine looks; a system call that
 * blocks is interrupted once. The thread must be attached, which is for the caller to ensure.
 */
void ephpm_interrupt_fire(const ephpm_interrupt *interrupt);

/** Whether the engine has yet to look. The thread must be attached. */
bool ephpm_interrupt_is_pending(const ephpm_interrupt *interrupt);

/**
 * Ends the request that runs on another thread with an error of ours, as soon as the engine looks; a system call that
 * blocks is interrupted once. `allowed_ms` is what the error says. The thread must be attached.
 */
void ephpm_interrupt_expire(const ephpm_interrupt *interrupt, uint32_t allowed_ms);

/** The same for a request for which time is left. It is answered 503 if its response has not begun. */
void ephpm_interrupt_end(const ephpm_interrupt *interrupt, ephpm_ending why);

/** Whether the engine has yet to look for either. The thread must be attached. */
bool ephpm_interrupt_is_expiring(const ephpm_interrupt *interrupt);

/** Asks another thread for a trace of its script, which it gives to `take_trace` when the engine looks; attached. */
void ephpm_interrupt_want_trace(const ephpm_interrupt *interrupt);

/** Whether the engine has yet to look for that. The thread must be attached. */
bool ephpm_interrupt_is_trace_wanted(const ephpm_interrupt *interrupt);

/**
 * Reads the trace of a thread from outside, for one that blocks and so leaves its frames alone. Writes at most `capacity`
 * bytes, one line "[0x…] function() file:line" a frame, innermost first; returns how many. 0 if the thread has moved, or
 * if the kernel does not allow it. What was read is sound if ephpm_interrupt_unwant_trace() then says that nobody has
 * taken what was asked for. The thread must be attached.
 */
size_t ephpm_interrupt_trace(const ephpm_interrupt *interrupt, char *buffer, size_t capacity);

/** Takes back what was asked for; false if the thread has given it or is about to. The thread must be attached. */
bool ephpm_interrupt_unwant_trace(const ephpm_interrupt *interrupt);

/** Takes back whatever was asked of a thread, for a request that is over. The thread must be attached. */
void ephpm_interrupt_clear(const ephpm_interrupt *interrupt);

/** What PHP holds for the calling thread, which must be attached. */
ephpm_memory ephpm_thread_memory(void);

/** Why OPcache wants to empty its memory ("restart"). */
typedef enum ephpm_restart {
	/** It does not. */
	EPHPM_RESTART_NONE = 0,
	/** There is none left, and much of it holds what is no longer used. */
	EPHPM_RESTART_OUT_OF_MEMORY = 1,
	/** There is no room for more files (`opcache.max_accelerated_files`). */
	EPHPM_RESTART_HASH_OVERFLOW = 2,
	/** A script has called `opcache_reset()`. */
	EPHPM_RESTART_RESET = 3,
	/** It has wanted to since before this thread's request. */
	EPHPM_RESTART_SEEN = 4,
} ephpm_restart;

/**
 * Whether OPcache wants to empty its memory, by what the calling thread has learnt since it asked last. Until it may,
 * scripts are compiled for each request.
 */
ephpm_restart ephpm_opcache_take_restart(void);

/** Why OPcache has wanted to the last time, whoever has learnt it. */
ephpm_restart ephpm_opcache_last_reason(void);

/**
 * Lets OPcache empty its memory; false if it did not want to. On an attached thread between requests, and while no
 * other thread is in ephpm_execute() or detaches after one that did not return EPHPM_OK. At no other time does it.
 */
bool ephpm_opcache_restart(void);

/** What OPcache says of itself (`opcache_get_status()`). */
typedef struct ephpm_opcache_figures {
	/** Bytes of its memory that hold scripts and what is shared besides. */
	uint64_t memory_used;
	/** Bytes that are free. */
	uint64_t memory_free;
	/** Bytes that hold what is no longer used, until it restarts. */
	uint64_t memory_wasted;
	/** Bytes of its buffer of interned strings that are used. */
	uint64_t strings_used;
	/** Bytes of it that are free. */
	uint64_t strings_free;
	/** How many strings those are. */
	uint64_t strings;
	/** Scripts that are cached. */
	uint64_t scripts;
	/** Names of scripts that are known, several of which may mean one. */
	uint64_t keys;
	/** How many there may be. */
	uint64_t keys_max;
	/** Scripts that were found. */
	uint64_t hits;
	/** Scripts that had to be compiled. */
	uint64_t misses;
	/** Restarts for want of memory. */
	uint64_t restarts_out_of_memory;
	/** Restarts for want of keys. */
	uint64_t restarts_hash_overflow;
	/** Restarts that were asked for. */
	uint64_t restarts_reset;
	/** It waits to restart. */
	bool restart_pending;
	/** It has no room for another script. */
	bool is_full;
} ephpm_opcache_figures;

/**
 * Writes OPcache's figures; false if there are none, since it does not share memory or `opcache_get_status()` is
 * disabled. On an attached thread between requests, while no thread is in ephpm_opcache_restart().
 */
bool ephpm_opcache_ask(ephpm_opcache_figures *figures);

/**
 * Has OPcache want to restart, as `opcache_reset()` does, which ephpm_opcache_take_restart() then tells unless it wanted
 * to already. On an attached thread between requests, while no thread is in ephpm_opcache_restart().
 */
void ephpm_opcache_reset(void);

/** What was wrong when ephpm_startup() returned EPHPM_STARTUP_OPCACHE_FAILED, or NULL. */
const char *ephpm_opcache_problem(void);

/**
 * Runs PHP's command line on the process's own arguments, of which `words_before` stand before those that PHP is to
 * see, the program's name being one of these; then exits the process, as `php` would. `path` is the constant
 * PHP_BINARY, or NULL to let PHP find out; it must stay valid. Instead of everything else here, on the main thread of a
 * process that has no other. Returns only, having done nothing, when libphp was built without its command line.
 */
void ephpm_run_cli(size_t words_before, const char *path);

/** The size of a shared struct and of each of its fields, as the C compiler has it. For tests. */
typedef struct ephpm_layout {
	/** "ephpm_request", or "ephpm_request.method". */
	const char *name;
	/** Size in bytes. */
	size_t size;
	/** Alignment of a struct, or offset of a field. */
	size_t place;
} ephpm_layout;

/** All of them; `len` receives how many. */
const ephpm_layout *ephpm_layouts(size_t *len);

#endif
