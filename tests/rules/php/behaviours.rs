//! The project's list of behaviours.

use super::Row;

const HEADERS: &str = "tests/behaviours/headers.rs";
const INPUT: &str = "tests/behaviours/input.rs";
const ISOLATION: &str = "tests/behaviours/isolation.rs";
const LIFECYCLE: &str = "tests/behaviours/lifecycle.rs";
const PROCESS: &str = "tests/behaviours/process.rs";
const SCRIPTS: &str = "tests/behaviours/scripts.rs";
const UPLOADS: &str = "tests/behaviours/uploads.rs";
const PHP: &str = "tests/php.rs";
const ROUTER: &str = "src/site/router/tests.rs";
const SERVER: &str = "tests/server.rs";
const VARS: &str = "src/site/server_vars/tests.rs";

pub(super) const ROWS: &[Row] = &[
    (
        1,
        "output, status, `Content-type: text/html; charset=UTF-8`, `$_GET`",
        &[(SCRIPTS, &["a_script_answers_with_its_output"])],
    ),
    (
        2,
        "configured settings; `${NAME}` in a php.ini is of the environment",
        &[(
            SCRIPTS,
            &[
                "settings_are_the_configured_ones_and_ini_set_lasts_one_request",
                "a_php_ini_may_name_variables_of_the_environment",
            ],
        )],
    ),
    (
        3,
        "`phpinfo()` is HTML and names the SAPI",
        &[(SCRIPTS, &["phpinfo_is_html"]), ("php-sys/tests/shim.rs", &["phpinfo_is_html_and_has_our_name"])],
    ),
    (
        4,
        "relative paths start at the script's directory; autoloading",
        &[(SCRIPTS, &["relative_paths_start_at_the_script_and_classes_load"])],
    ),
    (
        6,
        "output of any size, in pieces of any size, is exact",
        &[
            (SCRIPTS, &["output_in_single_bytes_is_exact"]),
            (PHP, &["large_output_is_whole"]),
            (SERVER, &["a_gigabyte_streams_in_bounded_memory"]),
        ],
    ),
    (
        7,
        "large content is whole",
        &[(INPUT, &["content_can_be_read_twice_whatever_the_method"]), (PHP, &["large_content_is_whole"])],
    ),
    (
        8,
        "`exit` in its forms: what was written counts, a code changes no status",
        &[(LIFECYCLE, &["every_ending_has_its_status_its_shutdown_functions_and_its_destructors"])],
    ),
    (
        9,
        "uncaught exceptions and errors: 500, or displayed where that is wanted",
        &[(
            LIFECYCLE,
            &[
                "every_ending_has_its_status_its_shutdown_functions_and_its_destructors",
                "errors_are_shown_where_they_are_to_be_displayed",
            ],
        )],
    ),
    (
        10,
        "500 and `exit(1)` with text that a destructor writes",
        &[(LIFECYCLE, &["every_ending_has_its_status_its_shutdown_functions_and_its_destructors"])],
    ),
    (11, "the command line: arguments, exit codes, pcntl", &[("tests/cli.rs", &["invocations", "php_src_agrees"])]),
    (12, "fibers", &[(SCRIPTS, &["fibers_run"])]),
    (
        13,
        "preloading",
        &[(SCRIPTS, &["a_preloaded_function_is_there"]), ("tests/opcache.rs", &["preloaded_classes_survive_resets"])],
    ),
    (
        14,
        "`$_SERVER` of a form with path info and authority; no `REMOTE_USER`, since nobody has checked a password",
        &[(INPUT, &["server_variables_are_those_of_the_request"]), (VARS, &["a_form_behind_a_script_has_everything"])],
    ),
    (
        15,
        "path info behind a script, and only behind one that exists",
        &[
            (INPUT, &["server_variables_are_those_of_the_request"]),
            (ROUTER, &["path_info_follows_an_existing_script_only"]),
        ],
    ),
    (
        16,
        "a front controller gets what does not exist, with the target as it was sent",
        &[
            (INPUT, &["a_front_controller_gets_what_does_not_exist"]),
            (VARS, &["a_front_controller_sees_the_target_as_it_was_sent"]),
            (ROUTER, &["what_does_not_exist_goes_to_the_front_controller"]),
            ("tests/demo.rs", &["the_front_controller_answers_for_paths_without_a_file"]),
        ],
    ),
    (
        17,
        "special characters, empty fields, fields that pretend to be others, a length that lies",
        &[
            (INPUT, &["server_variables_are_those_of_the_request", "what_is_malformed_is_refused_and_costs_nothing"]),
            (VARS, &["s11_to_s13_headers_set_nothing_of_ours", "chunked_content_has_the_length_that_arrived"]),
            ("tests/connection/deadlines.rs", &["rule_29_s20_content_may_not_pause"]),
        ],
    ),
    (
        18,
        "`$_GET` and `$_POST` with arrays, and their limits",
        &[(INPUT, &["superglobals_hold_what_was_sent", "limits_of_forms_hold"])],
    ),
    (19, "`$_REQUEST` is never stale", &[(INPUT, &["the_request_superglobal_is_never_stale"])]),
    (
        20,
        "`php://input`, twice, for every method; `request_parse_body()`",
        &[(INPUT, &["content_can_be_read_twice_whatever_the_method", "request_parse_body_reads_forms_of_any_method"])],
    ),
    (
        21,
        "cookies, malformed ones too",
        &[(INPUT, &["cookies_are_read_as_php_reads_them", "superglobals_hold_what_was_sent"])],
    ),
    (22, "`getallheaders()`, `apache_request_headers()`", &[(HEADERS, &["request_and_response_fields_can_be_read"])]),
    (
        23,
        "`$_SERVER['argv']` only where it is wanted",
        &[(
            INPUT,
            &["server_variables_are_those_of_the_request", "arguments_are_those_of_the_query_where_they_are_wanted"],
        )],
    ),
    (
        24,
        "fields with and without a space behind the colon, and lines that are none",
        &[(HEADERS, &["fields_are_sent_as_they_were_set"])],
    ),
    (25, "`apache_response_headers()`; every status", &[(HEADERS, &["request_and_response_fields_can_be_read"])]),
    (
        26,
        "204 and 304 have no content, whatever is written",
        &[(HEADERS, &["odd_heads_are_answered_and_keep_the_connection_in_step"]), (PHP, &["statuses_without_content"])],
    ),
    (
        27,
        "status lines with and without sense",
        &[(HEADERS, &["odd_heads_are_answered_and_keep_the_connection_in_step"]), ("src/php/response.rs", &["status"])],
    ),
    (28, "`headers_send(103)`", &[(HEADERS, &["early_hints_precede_the_response"])]),
    (
        29,
        "`flush()` and server-sent events are seen at once",
        &[
            (LIFECYCLE, &["what_is_flushed_is_seen_at_once"]),
            (PHP, &["flush_reaches_the_loop_before_the_end"]),
            ("tests/demo.rs", &["events_arrive_while_the_script_runs"]),
            ("tests/files.rs", &["what_a_script_flushes_arrives_in_every_coding"]),
        ],
    ),
    (
        30,
        "`fastcgi_finish_request()` and `ephpm_finish_request()`: the script goes on, nothing after it is sent or ends it; no `litespeed_finish_request()`",
        &[
            (LIFECYCLE, &["a_script_works_on_after_the_end_of_its_response"]),
            (PHP, &["a_finished_response_ends_while_the_script_runs"]),
        ],
    ),
    (
        31,
        "several `Set-Cookie`, removal, long values, third arguments, any byte, nested buffers, `HEAD`, redirects, media types",
        &[
            (
                HEADERS,
                &[
                    "fields_are_sent_as_they_were_set",
                    "odd_heads_are_answered_and_keep_the_connection_in_step",
                    "a_content_length_that_is_too_small_cuts_the_content",
                    "head_has_the_fields_of_get_and_no_content",
                ],
            ),
            (SCRIPTS, &["output_in_single_bytes_is_exact"]),
        ],
    ),
    (
        32,
        "what is malformed is refused and costs nothing",
        &[
            (INPUT, &["what_is_malformed_is_refused_and_costs_nothing"]),
            (LIFECYCLE, &["a_method_that_nobody_knows_is_answered_and_costs_nothing"]),
            ("src/site/fuzz.rs", &["path_mapping_holds_its_properties", "server_vars_hold_their_properties"]),
        ],
    ),
    (
        33,
        "`ignore_user_abort()`, `connection_status()`, `connection_aborted()`, without a write and after a finished response",
        &[
            (LIFECYCLE, &["a_client_that_leaves_ends_the_script_unless_it_ignores_that"]),
            ("php-sys/tests/shim/endings.rs", &["abort_is_noticed_without_a_write"]),
        ],
    ),
    (
        34,
        "a client that leaves ends the script; shutdown functions run; the thread is free",
        &[
            (LIFECYCLE, &["a_client_that_leaves_ends_the_script_unless_it_ignores_that"]),
            (PHP, &["a_client_that_leaves_ends_the_script", "a_request_whose_client_left_in_the_queue_is_not_run"]),
            (SERVER, &["php_sees_that_the_client_has_gone"]),
        ],
    ),
    (
        36,
        "`set_time_limit()`, in loops and in calls that block",
        &[
            (LIFECYCLE, &["a_script_whose_time_is_over_ends_with_its_error"]),
            ("tests/php_time_limit.rs", &["scripts_end_wherever_they_are", "a_limit_never_hits_the_next_request"]),
        ],
    ),
    (
        37,
        "who waits too long for a thread, or finds too many who do, is answered 503; who waits survives a reload",
        &[
            (
                SERVER,
                &[
                    "a_full_queue_answers_503_serves_files_and_recovers",
                    "a_request_that_waits_too_long_for_a_thread_is_answered_503_and_never_run",
                ],
            ),
            ("tests/takeover.rs", &["a_new_process_takes_over_without_refusing_anybody"]),
        ],
    ),
    (
        38,
        "a slow upload holds no thread, and ends",
        &[
            (SERVER, &["a_slow_upload_occupies_no_thread"]),
            ("tests/connection/deadlines.rs", &["rule_29_s20_content_may_not_pause"]),
        ],
    ),
    (
        39,
        "content can be read until the very end, finished or not",
        &[
            (LIFECYCLE, &["content_can_be_read_until_the_very_end_finished_or_not"]),
            (SERVER, &["request_content_is_there_until_the_script_s_very_end"]),
        ],
    ),
    (
        40,
        "a drain interrupts what sleeps",
        &[(SERVER, &["a_drain_is_bounded"]), ("tests/php_stop.rs", &["scripts_end_by_themselves_or_are_interrupted"])],
    ),
    (
        41,
        "`php.max_requests` costs no request",
        &[("tests/php_threads.rs", &["threads_start_anew_without_anybody_noticing"])],
    ),
    (
        42,
        "a session handler of a user's with a lock, and an error or a time limit in it",
        &[(
            ISOLATION,
            &[
                "a_session_handler_of_a_user_ends_with_its_request_however_that_ends",
                "a_session_handler_that_takes_too_long_lets_go_of_its_lock",
            ],
        )],
    ),
    (
        43,
        "shutdown functions in order, then destructors; a status may still be set",
        &[(
            LIFECYCLE,
            &[
                "every_ending_has_its_status_its_shutdown_functions_and_its_destructors",
                "a_shutdown_function_may_still_change_the_status",
            ],
        )],
    ),
    (44, "a session counts, also after `exit` and errors", &[(ISOLATION, &["a_session_counts"])]),
    (45, "sessions do not meet", &[(ISOLATION, &["sessions_do_not_meet"])]),
    (
        46,
        "a session handler is its request's",
        &[(ISOLATION, &["a_session_handler_of_a_user_ends_with_its_request_however_that_ends"])],
    ),
    (47, "`putenv()`, `getenv()`", &[(ISOLATION, &["the_environment_is_as_it_was_for_the_next_request"])]),
    (
        48,
        "what is put into the environment is the request's, and its children's",
        &[
            (ISOLATION, &["the_environment_is_as_it_was_for_the_next_request"]),
            (PROCESS, &["environment_directory_mask_and_locale_are_the_requests_own"]),
        ],
    ),
    (
        49,
        "`php.env` in `getenv()` and `$_SERVER`, in `$_ENV` where that is wanted",
        &[(
            PROCESS,
            &[
                "nothing_of_the_servers_environment_gets_through",
                "the_servers_environment_gets_through_where_that_is_wanted_but_for_its_own_variables",
            ],
        )],
    ),
    (
        51,
        "uploads: names, nesting, limits; gone however the request ends",
        &[(
            UPLOADS,
            &[
                "uploads_are_there_and_then_gone_however_the_request_ends",
                "uploads_of_a_client_that_leaves_are_removed",
                "limits_of_uploads_are_told",
            ],
        )],
    ),
    (
        52,
        "`error_log()` writes one record, whatever is in it",
        &[(SCRIPTS, &["error_log_writes_one_record"]), (SERVER, &["error_log_and_banner_reach_the_log"])],
    ),
    (
        54,
        "files beside scripts, with types, validators and ranges",
        &[
            (ROUTER, &["files_are_files_and_scripts_are_scripts"]),
            ("tests/files.rs", &["a_file_has_neighbours_ranges_and_rules"]),
        ],
    ),
    (
        56,
        "a directory is redirected to its slash, and has index files",
        &[(ROUTER, &["directories_have_index_files_behind_the_slash", "a_redirect_stays_on_this_host"])],
    ),
    (
        57,
        "the document root may be a link; switched, and PHP restarted, the new release is served",
        &[
            ("tests/status.rs", &["a_release_is_switched_by_its_link"]),
            ("tests/files.rs", &["links_and_uploads_run_only_what_they_may"]),
        ],
    ),
    (
        59,
        "what is a script: exactly `.php`, before a slash or the end",
        &[
            (
                "src/site/source.rs",
                &["letters_that_only_look_like_php_are_letters", "relatives_of_php_and_backups_are_source"],
            ),
            (ROUTER, &["path_info_follows_an_existing_script_only"]),
        ],
    ),
    (
        60,
        "addresses as applications expect them",
        &[
            (VARS, &["addresses_are_shown_as_applications_expect"]),
            ("src/site/fuzz.rs", &["forwarded_holds_its_properties"]),
        ],
    ),
    (62, "the status and its metrics", &[("tests/status.rs", &["the_status_tells_what_threads_are_at"])]),
    (
        63,
        "threads that start anew, and `opcache_reset()`, cost nobody a request",
        &[
            ("tests/status.rs", &["a_deployment_is_seen_after_a_restart_of_php_that_nobody_notices"]),
            ("tests/opcache.rs", &["a_reset_in_a_loop"]),
        ],
    ),
    (
        64,
        "`ini_set()` holds at once, and lasts one request",
        &[
            (SCRIPTS, &["settings_are_the_configured_ones_and_ini_set_lasts_one_request"]),
            (
                ISOLATION,
                &[
                    "settings_of_a_request_end_with_it",
                    "a_raised_memory_limit_ends_with_its_request",
                    "a_lowered_memory_limit_holds_at_once",
                ],
            ),
        ],
    ),
    (
        66,
        "the access log; PHP's messages with their request, and bounded",
        &[
            ("tests/operations.rs", &["the_access_log_is_written_reopened_and_flushed"]),
            (SERVER, &["error_log_and_banner_reach_the_log"]),
            ("src/php/log_message.rs", &["a_request_is_told_with_its_message", "what_is_too_long_is_cut_and_says_so"]),
        ],
    ),
];
