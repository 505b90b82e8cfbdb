//! `docs/security-rules.md`: what protects the server and its sites, and the tests that show it.
//!
//! The numbers are those of the project's list; those that are missing are about what PHP does inside. A test
//! whose name has a number (`s7_`, `s26_s27_`, `s11_to_s13_`) must stand in that rule's row.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A number, the rule, and the functions or files of transcripts that show it.
type Rule = (u32, &'static str, &'static [(&'static str, &'static [&'static str])]);

const RULES: &[Rule] = &[
    (
        1,
        "a path is decoded once, resolved, and never leads out of the root",
        &[
            (
                "src/site/path.rs",
                &[
                    "paths_are_decoded_once_and_resolved",
                    "what_may_not_be_looked_up_is_refused",
                    "a_false_separator_ends_what_is_looked_up",
                ],
            ),
            ("src/site/fuzz.rs", &["path_mapping_holds_its_properties"]),
            ("src/base/sys/confine.rs", &["s7_links_obey_the_policy", "a_magic_link_is_read_like_any_other"]),
        ],
    ),
    (
        2,
        "paths are bytes: no Unicode is normalised, no case folded",
        &[("src/site/source.rs", &["letters_that_only_look_like_php_are_letters"])],
    ),
    (
        3,
        "no NUL, line break or other control in a path: 400",
        &[
            ("src/site/path.rs", &["what_may_not_be_looked_up_is_refused"]),
            ("src/site/router/tests.rs", &["what_cannot_be_mapped_is_a_bad_request"]),
        ],
    ),
    (
        4,
        "names that begin with a dot are not found, but for `/.well-known/`",
        &[
            ("src/site/path.rs", &["dot_files_are_hidden_but_well_known_is_not"]),
            ("src/site/router/tests.rs", &["s4_dot_files_are_not_found"]),
        ],
    ),
    (
        5,
        "PHP source and its copies are never sent as files",
        &[
            ("src/site/source.rs", &["relatives_of_php_and_backups_are_source", "other_files_are_not"]),
            ("src/site/router/tests.rs", &["s5_source_is_never_a_file"]),
        ],
    ),
    (
        6,
        "only an existing `.php` file runs, and `PATH_INFO` follows nothing else",
        &[(
            "src/site/router/tests.rs",
            &["path_info_follows_an_existing_script_only", "files_are_files_and_scripts_are_scripts"],
        )],
    ),
    (
        7,
        "regular files only; links as the policy says; nothing runs where uploads are",
        &[
            ("src/base/sys/confine.rs", &["s7_links_obey_the_policy", "s7_a_strangers_link_leads_nowhere_but_inside"]),
            (
                "src/site/disk/tests.rs",
                &[
                    "s7_links_that_the_policy_refuses_are_denied",
                    "s7_a_file_that_becomes_a_link_is_believed_no_longer_than_any",
                    "s7_a_script_that_becomes_a_link_is_believed_for_a_second_at_most",
                ],
            ),
            ("src/site/router/tests.rs", &["s7_where_uploads_are_nothing_is_run", "s7_only_regular_files_are_served"]),
            ("tests/files.rs", &["links_and_uploads_run_only_what_they_may"]),
        ],
    ),
    (
        8,
        "a redirect to a directory's slash stays on the host; directories are not listed",
        &[(
            "src/site/router/tests.rs",
            &["a_redirect_stays_on_this_host", "directories_have_index_files_behind_the_slash"],
        )],
    ),
    (
        9,
        "what is said of a file is of the file that is open",
        &[(
            "src/site/disk/tests.rs",
            &[
                "metadata_are_of_the_bytes_in_memory",
                "a_large_file_that_changes_in_place_has_another_etag_in_the_next_turn",
            ],
        )],
    ),
    (
        10,
        "names are compared as they are, also where a file system would fold their case",
        &[(
            "src/site/source.rs",
            &["letters_that_only_look_like_php_are_letters", "relatives_of_php_and_backups_are_source"],
        )],
    ),
    (
        11,
        "a `Proxy` field sets no `HTTP_PROXY`",
        &[
            ("src/site/server_vars/tests.rs", &["s11_to_s13_headers_set_nothing_of_ours"]),
            ("src/site/fuzz.rs", &["server_vars_hold_their_properties"]),
        ],
    ),
    (
        12,
        "names that would collide in `$_SERVER` are dropped, lines of one field joined",
        &[
            (
                "src/site/server_vars/tests.rs",
                &["s11_to_s13_headers_set_nothing_of_ours", "lines_of_one_field_are_joined_where_the_first_stands"],
            ),
            ("src/site/fuzz.rs", &["server_vars_hold_their_properties"]),
        ],
    ),
    (
        13,
        "what the server knows no field sets, but for those of trusted proxies",
        &[
            ("src/site/server_vars/tests.rs", &["s11_to_s13_headers_set_nothing_of_ours"]),
            (
                "src/site/forwarded/tests.rs",
                &["s13_the_client_is_the_right_most_address_that_is_not_trusted", "s13_nobody_else_is_believed"],
            ),
            ("src/site/fuzz.rs", &["server_vars_hold_their_properties", "forwarded_holds_its_properties"]),
            ("tests/service/wishes.rs", &["s13_proxies_are_believed_when_they_are_trusted"]),
            ("tests/operations.rs", &["trusted_proxies_tell_whom_a_request_comes_from"]),
            (
                "tests/process/listeners.rs",
                &["the_proxy_protocol_tells_who_the_client_is", "the_proxy_protocol_is_believed_of_trusted_proxies"],
            ),
        ],
    ),
    (
        14,
        "a host is a valid one: 400",
        &[
            ("src/http/authority.rs", &["hosts_that_a_server_can_have_pass", "everything_else_is_refused"]),
            ("tests/http1/host.txt", &[]),
        ],
    ),
    (
        17,
        "no field, reason or status of a script splits a response",
        &[
            ("src/http1/encode.rs", &["fields_and_reasons_cannot_split_the_response"]),
            ("tests/behaviours/headers.rs", &["odd_heads_are_answered_and_keep_the_connection_in_step"]),
        ],
    ),
    (
        18,
        "framing and the fields of a connection are the server's; no content where there is none",
        &[
            ("src/http1/encode.rs", &["framing_and_connection_fields_are_the_protocol_s"]),
            ("src/exchange/tests.rs", &["content_where_there_must_be_none_goes_nowhere"]),
            ("tests/behaviours/headers.rs", &["head_has_the_fields_of_get_and_no_content"]),
            ("tests/http1/response.txt", &[]),
        ],
    ),
    (
        19,
        "error pages tell the status and nothing else",
        &[
            ("src/site/error_page.rs", &["pages_say_the_status_and_nothing_else"]),
            ("tests/service.rs", &["rule_37_trace_and_connect_are_refused_and_nothing_is_echoed"]),
        ],
    ),
    (
        20,
        "a slow request is bounded in time and rate, and holds no PHP thread",
        &[
            (
                "tests/connection/deadlines.rs",
                &[
                    "rule_14_s20_a_head_has_its_time_and_no_byte_extends_it",
                    "rule_29_s20_content_may_not_pause",
                    "s20_content_may_not_trickle",
                    "s20_content_may_come_slowly_and_with_pauses",
                    "s20_a_proxy_has_a_heads_time_to_say_whom_it_speaks_for",
                ],
            ),
            ("tests/server.rs", &["a_slow_upload_occupies_no_thread", "idle_and_slow_connections_are_closed"]),
        ],
    ),
    (
        21,
        "a slow reader is bounded in memory, on disk and in rate, and holds a PHP thread only when the disk's bound is \
         reached, for a bounded time",
        &[
            (
                "tests/connection/deadlines.rs",
                &[
                    "s21_a_peer_that_reads_nothing_is_cut",
                    "s21_a_peer_that_reads_a_byte_at_a_time_is_cut",
                    "s21_a_peer_that_keeps_the_pace_gets_all_of_it",
                ],
            ),
            ("src/exchange/tests.rs", &["php_waits_for_room_and_memory_stays_bounded"]),
            ("src/exchange/tests/spill.rs", &["s21_a_script_ends_though_nobody_reads", "s21_what_finds_no_room_waits"]),
            ("tests/service.rs", &["s21_a_response_comes_whole_from_memory_and_a_file"]),
            (
                "tests/slow_readers.rs",
                &[
                    "s21_clients_that_read_nothing_hold_no_thread_and_lose_nothing",
                    "s21_files_are_bounded_and_php_waits_beyond",
                ],
            ),
            (
                "tests/server.rs",
                &[
                    "a_client_that_reads_nothing_costs_its_thread_only_for_the_write_timeout",
                    "small_flushes_to_a_client_that_reads_nothing_are_bounded",
                ],
            ),
        ],
    ),
    (
        22,
        "connections are bounded, in all and for each address; without descriptors the server lives",
        &[
            ("src/net/admission.rs", &["an_address_has_so_many_places_and_gets_them_back"]),
            (
                "tests/process/limits.rs",
                &[
                    "while_all_connections_are_busy_new_ones_wait",
                    "the_connection_that_is_idle_for_longest_makes_room",
                    "an_address_has_no_more_connections_than_it_may",
                    "an_announced_address_has_no_more_connections_than_it_may",
                    "the_server_survives_without_file_descriptors",
                ],
            ),
        ],
    ),
    (
        23,
        "the queue for PHP is bounded in length and time: 503, while files are served",
        &[
            ("tests/connection/deadlines.rs", &["rule_47_s23_a_request_waits_for_a_thread_so_long"]),
            (
                "tests/connection/ends.rs",
                &[
                    "s23_a_peer_that_closes_while_php_is_at_work_is_gone",
                    "s23_a_socket_that_failed_ends_the_request",
                    "s23_a_connection_that_lingers_waits_for_no_script",
                ],
            ),
            (
                "tests/server.rs",
                &[
                    "a_full_queue_answers_503_serves_files_and_recovers",
                    "clients_that_have_left_hold_no_place_in_the_queue",
                    "a_request_that_waits_too_long_for_a_thread_is_answered_503_and_never_run",
                ],
            ),
        ],
    ),
    (
        24,
        "an HTTP/2 connection has budgets: for streams, resets, control frames, heads and what waits to be taken",
        &[
            (
                "tests/http2/attacks.rs",
                &[
                    "rapid_reset_is_bounded_and_frees_php_only_when_php_is_done",
                    "resets_before_anybody_has_looked_are_bounded_too",
                    "a_bomb_of_references_is_refused_by_its_size",
                    "all_that_peers_leave_lying_is_bounded",
                ],
            ),
            (
                "tests/http2/floods.rs",
                &[
                    "floods_cost_neither_memory_nor_others",
                    "what_is_not_taken_is_bounded_and_others_are_served",
                    "requests_given_up_in_the_queue_of_a_pool_count_until_they_have_left_it",
                ],
            ),
        ],
    ),
    (
        25,
        "content is bounded: 413; and so are forms and uploads",
        &[
            ("src/service/content.rs", &["too_much_is_refused_when_announced_and_when_it_comes"]),
            ("tests/server.rs", &["content_is_bounded_and_spills_to_a_file_that_nobody_sees"]),
            ("tests/behaviours/input.rs", &["limits_of_forms_hold"]),
            ("tests/behaviours/uploads.rs", &["limits_of_uploads_are_told"]),
        ],
    ),
    (
        26,
        "temporary files have no name, are bounded together, and uploads are removed however a request ends",
        &[
            ("src/service/content.rs", &["s26_s27_all_requests_together_are_bounded"]),
            ("tests/slow_readers.rs", &["s26_a_client_that_leaves_takes_its_file_along"]),
            (
                "tests/server.rs",
                &[
                    "s26_spooled_content_is_bounded_for_all_requests_together",
                    "content_is_bounded_and_spills_to_a_file_that_nobody_sees",
                ],
            ),
            (
                "tests/behaviours/uploads.rs",
                &[
                    "uploads_are_there_and_then_gone_however_the_request_ends",
                    "uploads_of_a_client_that_leaves_are_removed",
                ],
            ),
        ],
    ),
    (
        27,
        "memory is bounded: for a connection, for pipelined requests, for all content together",
        &[
            ("src/service/content.rs", &["s26_s27_all_requests_together_are_bounded"]),
            (
                "tests/server.rs",
                &["s27_pipelined_requests_are_bounded_and_all_answered", "a_gigabyte_streams_in_bounded_memory"],
            ),
            ("tests/simulation.rs", &["every_seed_ends_well"]),
            ("tests/http1/chunked.txt", &[]),
        ],
    ),
    (
        28,
        "fields are lists of bounded length, and only so much is encoded a second",
        &[
            (
                "src/http/headers.rs",
                &[
                    "names_compare_without_case_and_duplicates_stay_in_order",
                    "a_block_never_exceeds_what_a_span_can_name",
                ],
            ),
            (
                "src/site/disk/tests/codings.rs",
                &["encoded_files_are_bounded", "more_than_can_be_encoded_now_is_sent_as_it_is"],
            ),
            ("tests/http1/fields.txt", &[]),
        ],
    ),
    (
        30,
        "what a peer sends forges no line of a log, and no log holds the server up",
        &[
            ("src/service/access_log.rs", &["s30_nothing_that_a_peer_sends_ends_a_line_or_a_string"]),
            ("src/program/logger/tests.rs", &["a_record_stays_one_line", "json_is_escaped"]),
            ("src/net/log_sink.rs", &["what_finds_no_room_is_counted"]),
        ],
    ),
    (
        31,
        "privileges are dropped before PHP starts, and no file of the server reaches another program",
        &[
            ("src/base/sys/process.rs", &["inherited_files_are_closed_on_exec"]),
            (
                "tests/process.rs",
                &[
                    "privileges_are_dropped_before_php_starts",
                    "running_php_as_root_is_said",
                    "programs_that_php_starts_inherit_nothing_of_the_server",
                ],
            ),
            ("tests/takeover.rs", &["a_successor_inherits_nothing_that_scripts_have_open"]),
        ],
    ),
    (
        32,
        "signals drain, reload, reopen logs and hand over, and are not for scripts",
        &[
            ("src/base/sys/signal.rs", &["each_signal_is_given_once_and_stop_first"]),
            (
                "tests/server.rs",
                &[
                    "sigterm_lets_what_was_accepted_end_and_takes_nothing_new",
                    "a_drain_is_bounded",
                    "a_drain_ends_with_the_last_idle_connection",
                ],
            ),
            ("tests/operations.rs", &["the_access_log_is_written_reopened_and_flushed"]),
            (
                "tests/process/signals.rs",
                &[
                    "a_sleeping_script_does_not_notice_the_servers_signals",
                    "sighup_applies_what_it_can_and_drops_no_connection",
                    "sighup_says_of_everything_that_stays_that_it_does",
                    "a_second_signal_waits_for_nobody",
                    "logs_are_reopened_during_a_drain",
                    "a_process_that_has_not_started_stops_at_once",
                ],
            ),
            (
                "tests/takeover.rs",
                &[
                    "a_new_process_takes_over_without_refusing_anybody",
                    "connections_that_are_in_use_are_closed_politely",
                    "a_process_whose_successor_does_not_start_goes_on",
                    "a_successor_that_hangs_is_in_nobodys_way_and_ends_with_the_process",
                    "after_a_successor_has_been_killed_there_may_be_another",
                ],
            ),
        ],
    ),
];

const INTRODUCTION: &str = "# The rules of security, and the tests that show them

Written by `tests/rules.rs`, which also fails when a test that is named here is missing. The HTTP of it is in
`http1-rules.md`; behind both stand the fuzz targets and the simulation.

| | rule | shown by |
| --- | --- | --- |
";

#[test]
fn every_rule_of_security_is_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut table = INTRODUCTION.to_owned();
    for (number, rule, files) in RULES {
        let mut shown = Vec::new();
        for (file, functions) in *files {
            let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            shown.extend(functions.is_empty().then(|| format!("`{file}`")));
            for function in *functions {
                assert!(is_test(&text, function), "S{number} names {file}: {function}, which is no test");
                shown.push(format!("`{file}: {function}`"));
            }
        }
        assert!(!shown.is_empty(), "nothing shows S{number}");
        writeln!(table, "| S{number} | {rule} | {} |", shown.join(", ")).unwrap();
    }
    for (number, file, function) in named(root) {
        let row = RULES.iter().find(|(other, ..)| *other == number);
        let files = row.unwrap_or_else(|| panic!("{file}: {function} shows a rule that is not listed")).2;
        let is_listed = files.iter().any(|(listed, functions)| *listed == file && functions.contains(&&function[..]));
        assert!(is_listed, "{file}: {function} shows S{number}, whose row does not name it");
    }
    let path = root.join("docs/security-rules.md");
    if std::env::var_os("EPHPM_UPDATE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap() == table, "EPHPM_UPDATE=1 cargo test --test rules writes it anew");
}

/// Whether there is a function of this name behind a `#[test]`, other attributes apart.
pub(super) fn is_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.starts_with(&format!("fn {function}(")));
    at.is_some_and(|at| {
        lines[..at].iter().rev().take_while(|line| line.starts_with('#')).any(|line| *line == "#[test]")
    })
}

/// The tests that have a rule's number in their names.
fn named(root: &Path) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    for path in super::files(&root.join("src")).into_iter().chain(super::files(&root.join("tests"))) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let file = path.strip_prefix(root).unwrap().to_str().unwrap();
        let functions = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split_once("()"));
        for (function, _) in functions.filter(|(function, _)| is_test(&text, function)) {
            let number = |word: &str| word.strip_prefix('s').and_then(|digits| digits.parse::<u32>().ok());
            let mut numbers: Vec<u32> = function.split('_').filter_map(number).collect();
            if let ([from, to], true) = (&numbers[..], function.contains("_to_s")) {
                numbers = (*from..=*to).collect();
            }
            found.extend(numbers.into_iter().map(|number| (number, file.to_owned(), function.to_owned())));
        }
    }
    found
}
