//! What PHP's threads have in common: OPcache, time, isolation, pools, and the process.

use super::Row;

const OPCACHE: &str = "tests/opcache.rs";
const THREADS: &str = "tests/php_threads.rs";
const PROCESS: &str = "tests/behaviours/process.rs";

pub(super) const ROWS: &[Row] = &[
    (
        1,
        "OPcache restarts under a hundred clients, by request, by waste, by want of memory and of keys, and nobody gets a wrong answer",
        &[
            (
                OPCACHE,
                &[
                    "a_reset_in_a_loop",
                    "too_much_waste_after_invalidation",
                    "more_scripts_than_memory",
                    "more_scripts_than_the_hash_has_room_for",
                    "preloaded_classes_survive_resets",
                ],
            ),
            ("src/php/gate/tests.rs", &["nobody_is_inside_during_a_restart"]),
        ],
    ),
    (
        2,
        "requests are held for a restart only so long and so often; what is in its way is ended as late as php-fpm would, with a 503 that says why",
        &[
            (
                OPCACHE,
                &[
                    "a_script_that_never_ends_stops_nobody_and_is_ended_in_time",
                    "a_reset_on_an_idle_server_happens_by_itself",
                ],
            ),
            (
                "src/php/restart/tests.rs",
                &[
                    "a_script_that_goes_on_and_on_holds_others_once",
                    "resets_in_a_loop_leave_most_of_the_time_to_requests",
                    "stragglers_are_ended_when_php_would_kill_them",
                    "nobody_is_inside_with_one_who_is_alone_in_any_order_of_events",
                ],
            ),
        ],
    ),
    (
        3,
        "an OPcache that does not start, or not as it was told to, is an error",
        &[(
            OPCACHE,
            &[
                "no_server_without_the_opcache_that_was_asked_for",
                "opcache_without_shared_memory_is_allowed",
                "changed_scripts_are_noticed_as_configured",
                "scripts_that_were_just_written_are_not_cached",
            ],
        )],
    ),
    (
        4,
        "`php.request_timeout`: 504, in loops, `sleep()`, `usleep()`, callbacks, `flock()`, reads of sockets, pipes and programs, `select()`, HTTP streams, curl, curl_multi, MySQL's connections and queries, destructors, and behind a session's lock",
        &[
            (THREADS, &["requests_end_when_their_time_is_over", "shutdown_functions_get_little_more"]),
            ("tests/request_time.rs", &["a_request_that_takes_too_long_is_answered_504_by_the_page_for_it"]),
            ("src/php/request_limit.rs", &["shutdown_functions_get_their_grace_but_not_for_ever"]),
        ],
    ),
    (
        5,
        "a thread that does not come back is replaced, up to a bound for each pool",
        &[
            (THREADS, &["threads_that_do_not_come_back_are_replaced", "lost_threads_are_counted_for_each_pool"]),
            ("src/php/slot/tests.rs", &["a_thread_that_is_given_up_ends_when_it_comes_back"]),
        ],
    ),
    (
        6,
        "deep recursion is PHP's own error, long chains are freed, and the memory is given back",
        &[
            (THREADS, &["deep_recursion_is_an_error", "the_memory_of_a_deep_stack_is_given_back"]),
            ("php-sys/tests/shim/endings.rs", &["deep_recursion_is_an_error_of_php"]),
        ],
    ),
    (
        7,
        "the slow log has URI, script, duration and where PHP is, also of what blocks",
        &[
            (
                "tests/request_time.rs",
                &["slow_requests_are_in_the_slow_log", "without_a_file_slow_requests_are_in_the_ordinary_log"],
            ),
            (THREADS, &["slow_requests_are_told_with_their_trace"]),
        ],
    ),
    (
        8,
        "environment, directory, mask, locale are the request's own while others set theirs",
        &[(PROCESS, &["environment_directory_mask_and_locale_are_the_requests_own"])],
    ),
    (
        9,
        "time zone, handlers, statics, wrappers, open files, `ini_set()`, random numbers: nothing is left",
        &[
            (PROCESS, &["nothing_is_left_of_a_request"]),
            ("tests/behaviours/isolation.rs", &["settings_of_a_request_end_with_it"]),
        ],
    ),
    (
        10,
        "`php.clear_env` keeps the server's environment from scripts",
        &[
            (
                PROCESS,
                &[
                    "nothing_of_the_servers_environment_gets_through",
                    "the_servers_environment_gets_through_where_that_is_wanted_but_for_its_own_variables",
                ],
            ),
            ("tests/behaviours/isolation.rs", &["the_environment_of_the_server_is_not_told"]),
        ],
    ),
    (
        11,
        "`.user.ini`, with its name and time to live",
        &[(
            "tests/behaviours/user_ini.rs",
            &[
                "files_are_read_again_when_their_time_is_over",
                "files_outside_of_the_document_root_do_not_count",
                "a_mistake_in_a_file_costs_that_file_alone",
                "another_name_and_none",
            ],
        )],
    ),
    (
        12,
        "`pcntl_fork()`, `dl()` and their like are refused",
        &[(PROCESS, &["what_would_be_done_to_the_whole_server_is_refused"])],
    ),
    (
        13,
        "threads start anew after `php.max_requests` without a failed request",
        &[
            (THREADS, &["threads_start_anew_without_anybody_noticing"]),
            ("src/php/recycling.rs", &["one_at_a_time", "a_quiet_moment_is_waited_for_but_not_for_ever"]),
        ],
    ),
    (14, "what a thread holds is known", &[(THREADS, &["what_a_thread_holds_is_known"])]),
    (
        15,
        "requests begin in the order of their arrival",
        &[(THREADS, &["requests_begin_in_the_order_of_their_arrival"])],
    ),
    (
        16,
        "named pools: slow paths keep to their threads and queue, by whatever URL they are asked for",
        &[
            ("tests/status.rs", &["slow_paths_keep_to_their_pool"]),
            (
                "src/site/pools.rs",
                &[
                    "the_first_that_matches_the_decoded_path",
                    "a_script_keeps_to_its_pool_by_whatever_path_it_is_asked_for",
                ],
            ),
        ],
    ),
    (
        17,
        "`ephpm php ...` is PHP's command line, for people, php-src's tests, Composer and WP-CLI",
        &[
            (
                "tests/cli.rs",
                &[
                    "invocations",
                    "a_link_beside_the_program_is_php_binary",
                    "a_page_starts_php_by_php_binary",
                    "the_built_in_web_server_serves",
                    "php_src_agrees",
                ],
            ),
            ("tests/cli/tools.rs", &["composer_manages_a_project", "wp_cli_manages_a_site"]),
        ],
    ),
    (
        18,
        "a crash costs the requests of its process",
        &[("tests/processes.rs", &["a_crash_costs_the_requests_of_its_process_and_nothing_else"])],
    ),
    (
        19,
        "after all of it at once the server is as before",
        &[("tests/soak.rs", &["the_server_is_afterwards_as_it_was_before"])],
    ),
];
