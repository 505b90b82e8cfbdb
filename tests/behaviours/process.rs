//! What belongs to a process, and is a request's own all the same: environment, directory, mask, locale, files; and the
//! programs that a request starts.

use crate::site::{Site, get, text};

/// Four requests at a time, each of which starts two dozen programs.
#[test]
fn environment_directory_mask_and_locale_are_the_requests_own() {
    let site = Site::start();
    site.many(
        |i| get("process/own.php", i),
        |i, response| {
            // The mask with which the server was started, without write access for everybody.
            let page = text(response, 200);
            let (locale, mode) = if i % 2 == 1 { ("C.UTF-8", "600") } else { ("C", "640") };
            let expected = format!(r#",true],true,"{locale}","{mode}",true,{i}]"#);
            assert!(page.starts_with("[[false,") && page.ends_with(&expected), "{page}");
            assert!(page.contains(",\"LC_CTYPE=C.UTF-8;LC_NUMERIC=C;"), "{page}");
        },
    );
}

#[test]
fn mail_is_sent_in_the_scripts_directory_and_environment() {
    let site = Site::with(|builder, _| builder.ini("sendmail_path", "cat >mail-$EPHPM_BEHAVIOUR"));
    site.many(
        |i| get("process/mail.php", i),
        |i, response| assert_eq!(text(response, 200), format!("[true,true,{i}]")),
    );
}

#[test]
fn programs_start_from_the_scripts_directory() {
    let site = Site::start();
    site.many(
        |i| get("process/directory/relative.php", i),
        |i, response| assert_eq!(text(response, 200), format!(r#"[true,true,"somewhere",{i}]"#)),
    );
}

/// No child of another request still has the program open for writing, as it would have between fork() and exec().
#[test]
fn programs_run_as_soon_as_they_are_written() {
    let site = Site::start();
    site.many(
        |i| get("process/directory/fresh.php", i),
        |i, response| assert_eq!(text(response, 200), format!("[40,{i}]")),
    );
}

#[test]
fn programs_inherit_no_file_but_those_that_they_are_given() {
    let site = Site::start();
    site.many(
        |i| get("process/files.php", i),
        |i, response| {
            let expected = format!(r#"["0 1 2 ","0 1 2 ","0 1 2 ","0 1 2 3 900 three","three","echo {i}"]"#);
            assert_eq!(text(response, 200), expected);
        },
    );
}

#[test]
fn what_would_be_done_to_the_whole_server_is_refused() {
    let site = Site::with(|builder, _| builder.ini("enable_dl", "1"));
    site.many(
        |i| get("process/refused.php", i),
        |_, response| {
            let page = text(response, 200);
            assert!(page.starts_with(r#"{"dl":[false,"dl() is not available in the server: "#), "{page}");
            assert!(
                !page.contains("pcntl_fork") || page.contains(r#""pcntl_fork":[-1,"pcntl_fork() is not"#),
                "{page}"
            );
        },
    );
}

fn environment(site: &Site, expected: &[&str]) {
    site.many(
        |i| get("process/environment.php", i),
        |_, response| {
            let page = text(response, 200);
            assert!(!page.contains("hunter2"), "{page}");
            for part in expected {
                assert!(page.contains(part), "{part} in {page}");
            }
        },
    );
}

#[test]
fn nothing_of_the_servers_environment_gets_through() {
    let site = Site::with(|builder, _| {
        builder
            .environment("EPHPM_TEST_SECRET", "hunter2")
            .environment("PASSED_BY", "the operator")
            .php("env = { APP_ENV = \"production\", PASSED = \"$PASSED_BY\", MISSING = \"$NO_SUCH_VARIABLE\" }")
    });
    environment(
        &site,
        &[
            r#""getenv":["production","the operator","",false,false,"GET"]"#,
            r#""local":["production","the operator","",false,false,false]"#,
            r#""all":["production","the operator","",null,null,"GET"]"#,
            r#""server":["production","the operator","",null,null,"GET"]"#,
            r#""env":[null,null,null,null,null,null]"#,
            r#""info":{"APP_ENV":"production","PASSED":"the operator","SET":"1"}"#,
            r#""APP_ENV":"production""#,
            r#""SET":"1"}}"#,
        ],
    );
}

#[test]
fn the_servers_environment_gets_through_where_that_is_wanted_but_for_its_own_variables() {
    let site = Site::with(|builder, _| {
        builder
            .environment("EPHPM_TEST_SECRET", "hunter2")
            .environment("PASSED", "as it is")
            .php("clear_env = false")
            .ini("variables_order", "EGPCS")
    });
    let path = std::env::var("PATH").unwrap_or_default();
    let all = format!(r#"[null,"as it is",null,null,"{path}","GET"]"#);
    environment(
        &site,
        &[
            &format!(r#""getenv":[false,"as it is",false,false,"{path}","GET"]"#),
            &format!(r#""all":{all}"#),
            &format!(r#""server":{all}"#),
            &format!(r#""env":{all}"#),
            r#""PASSED":"as it is","#,
        ],
    );
}

/// The first request of a server is told apart from none that comes later, on whichever thread.
#[test]
fn nothing_is_left_of_a_request() {
    let site = Site::start();
    let first = std::sync::OnceLock::new();
    site.many(
        |i| get("process/leftovers.php", i),
        |_, response| {
            let page = text(response, 202);
            assert!(page.contains(r#""static":1,"static property":null,"constant":false,"global":null"#), "{page}");
            assert!(page.contains(r#""settings changed":[]"#) && page.ends_with(r#""random":false}"#), "{page}");
            assert_eq!(&page, first.get_or_init(|| page.clone()));
        },
    );
}
