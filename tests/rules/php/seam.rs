//! What a server that embeds PHP has to get right, as far as it can be seen from outside of the seam.

use super::Row;

const SHIM: &str = "php-sys/tests/shim.rs";
const INPUT: &str = "php-sys/tests/shim/input.rs";
const OUTPUT: &str = "php-sys/tests/shim/output.rs";
const ENDINGS: &str = "php-sys/tests/shim/endings.rs";
const TIME_LIMITS: &str = "php-sys/tests/shim/time_limits.rs";
const APART: &str = "php-sys/tests/shim/requests_apart.rs";

pub(super) const ROWS: &[Row] = &[
    (
        1,
        "libphp is one that we build, thread-safe, with OPcache and structures as in its headers",
        &[
            ("tests/php.rs", &["libphp_is_what_we_build"]),
            ("php-sys/tests/layout.rs", &["structs_are_laid_out_as_in_c"]),
        ],
    ),
    (
        2,
        "PHP starts and stops once, on one thread, and not under a thread that is still in it",
        &[
            ("php-sys/tests/lifecycle.rs", &["starts_serves_and_stops"]),
            ("tests/php_stop.rs", &["a_script_that_is_left_behind_keeps_php_alive"]),
        ],
    ),
    (
        3,
        "a thread attaches once, keeps its caches, and starts anew when a request leaves it in an unknown state",
        &[
            ("tests/php.rs", &["a_request_that_cannot_be_set_up_is_answered_500"]),
            (ENDINGS, &["form_that_exceeds_the_memory_limit"]),
        ],
    ),
    (
        4,
        "each request begins with status 200, no user, no content type and an empty query",
        &[
            (INPUT, &["authorization_does_not_outlive_its_request"]),
            (
                "src/php/request.rs",
                &["what_is_absent_is_null_except_the_query", "nothing_is_left_of_the_request_before"],
            ),
        ],
    ),
    (
        5,
        "`.user.ini` and sections by host and path hold before content is read",
        &[(
            "tests/behaviours/user_ini.rs",
            &[
                "settings_of_directories_hold_for_their_scripts_alone",
                "files_are_read_again_when_their_time_is_over",
                "sections_of_php_ini_hold_for_hosts_and_paths",
            ],
        )],
    ),
    (
        6,
        "a redirect by `Location` alone is 302, also of a form",
        &[("tests/behaviours/headers.rs", &["odd_heads_are_answered_and_keep_the_connection_in_step"])],
    ),
    (
        7,
        "content is read to its end, and what nobody reads is left alone",
        &[(INPUT, &["content_is_read_to_its_end", "unread_content_is_left_alone"])],
    ),
    (
        8,
        "content beyond `post_max_size` is a warning and an empty `$_POST`",
        &[("tests/behaviours/uploads.rs", &["limits_of_uploads_are_told"])],
    ),
    (
        9,
        "lines of cookies are joined by semicolons",
        &[
            ("tests/behaviours/input.rs", &["cookies_are_read_as_php_reads_them"]),
            ("tests/php.rs", &["request_is_seen"]),
        ],
    ),
    (
        10,
        "heads are sent once, with what a callback adds, and never half",
        &[
            (OUTPUT, &["header_callback_may_write", "more_headers_than_fit_on_the_stack"]),
            ("src/php/response.rs", &["too_many_fields_are_an_error_and_not_half_a_head"]),
        ],
    ),
    (11, "`flush()` before any output sends the head", &[(OUTPUT, &["flush_before_output_sends_the_headers"])]),
    (
        12,
        "a small page crosses once and has a length; a client that reads slowly holds back the script or fills a file",
        &[
            (
                "src/exchange/tests.rs",
                &["a_small_page_crosses_once_with_its_length", "php_waits_for_room_and_memory_stays_bounded"],
            ),
            ("src/exchange/tests/spill.rs", &["s21_a_script_ends_though_nobody_reads"]),
        ],
    ),
    (
        13,
        "time limits take no system calls of their own, and end what sleeps or waits",
        &[
            (
                TIME_LIMITS,
                &[
                    "time_limits_are_for_the_owner",
                    "setting_a_limit_clears_what_was_told",
                    "interrupt_ends_a_loop_and_a_sleep",
                ],
            ),
            ("tests/php_time_limit.rs", &["the_linker_was_told"]),
        ],
    ),
    (
        14,
        "no Rust frame is jumped over: aborts and errors in every callback end as they should",
        &[(
            ENDINGS,
            &["abort_ends_the_script_and_runs_its_shutdown_functions", "abort_in_the_last_output", "memory_limit"],
        )],
    ),
    (
        15,
        "OPcache is on and hits under our own name",
        &[
            (SHIM, &["php_tells_our_name", "opcache_is_on_and_hits"]),
            ("tests/opcache.rs", &["each_thread_gets_the_same_answers"]),
        ],
    ),
    (
        16,
        "a php.ini wins over the built-in profile, and the configuration over both",
        &[(SHIM, &["ini_precedence"]), ("src/program/php_ini.rs", &["a_directive_stands_once_in_a_profile"])],
    ),
    (
        17,
        "scripts run in their own directory, shutdown functions in the server's",
        &[(APART, &["directories", "settings_and_directory_do_not_leak"])],
    ),
    (18, "`filter_input(INPUT_SERVER, ...)` sees `$_SERVER`", &[(INPUT, &["filter_input_sees_server_variables"])]),
    (
        19,
        "programs inherit no socket, no other file and no signal mask, and a script can run what it has just written",
        &[
            ("tests/process.rs", &["programs_that_php_starts_inherit_nothing_of_the_server"]),
            ("tests/process/signals.rs", &["a_sleeping_script_does_not_notice_the_servers_signals"]),
            (
                "tests/behaviours/process.rs",
                &[
                    "programs_inherit_no_file_but_those_that_they_are_given",
                    "programs_start_from_the_scripts_directory",
                    "mail_is_sent_in_the_scripts_directory_and_environment",
                    "programs_run_as_soon_as_they_are_written",
                ],
            ),
            ("tests/behaviours/starts.rs", &["a_start_that_hangs_does_not_hold_up_all_others"]),
        ],
    ),
    (
        20,
        "requests on several threads share nothing",
        &[(APART, &["threads_do_not_share_requests"]), ("tests/php.rs", &["request_is_seen"])],
    ),
    (
        21,
        "php-src's own tests pass over HTTP, but for a list with reasons, which says how nginx and php-fpm do",
        &[("tests/phpt.rs", &["php_src_agrees"]), ("tests/phpt/known-failures.txt", &[])],
    ),
];
