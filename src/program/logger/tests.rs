use super::*;

const NOW: Duration = Duration::from_millis(1_795_425_245_123);

fn check(format: Format, level: Level, target: &str, message: &str, expected: &str) {
    let arguments = format_args!("{message}");
    let record = Record::builder().level(level).target(target).args(arguments).build();
    assert_eq!(line(format, false, NOW, &record), format!("{expected}\n"));
}

#[test]
fn our_own_modules_speak_as_one() {
    let expected = "2026-11-23T09:14:05.123Z INFO  listening on 127.0.0.1:8080";
    let message = "listening on 127.0.0.1:8080";
    for target in ["ephpm", "ephpm::net::event_loop"] {
        check(Format::Pretty, Level::Info, target, message, expected);
    }
}

#[test]
fn others_are_named() {
    let table = [
        ("php", "2026-11-23T09:14:05.123Z ERROR php: message"),
        ("mio::poll", "2026-11-23T09:14:05.123Z ERROR mio::poll: message"),
        ("ephpmetrics", "2026-11-23T09:14:05.123Z ERROR ephpmetrics: message"),
    ];
    for (target, expected) in table {
        check(Format::Pretty, Level::Error, target, "message", expected);
    }
}

#[test]
fn a_record_stays_one_line() {
    let forged = "first\r\n2026-11-23T09:14:05.123Z INFO  \x1b[2Jforged\t\0\u{9b}\u{7f} café \\n";
    let expected = "2026-11-23T09:14:05.123Z WARN  php: first\\r\\n2026-11-23T09:14:05.123Z INFO  \
                    \\u{1b}[2Jforged\\t\\u{0}\\u{9b}\\u{7f} café \\n";
    check(Format::Pretty, Level::Warn, "php", forged, expected);
}

#[test]
fn json_is_escaped() {
    let message = "a \"quoted\" \\ path\r\n\tüber\u{1}\u{7f}\u{9b}";
    let expected = r#"{"ts":"2026-11-23T09:14:05.123Z","level":"debug","target":"php","message":"a \"quoted\" \\ path\r\n\tüber\u0001\u007f\u009b"}"#;
    check(Format::Json, Level::Debug, "php", message, expected);
}

#[test]
fn json_names_the_server_too() {
    let expected = r#"{"ts":"2026-11-23T09:14:05.123Z","level":"trace","target":"ephpm","message":""}"#;
    check(Format::Json, Level::Trace, "ephpm::service", "", expected);
}

#[test]
fn colour_ends_where_the_level_ends() {
    let mut coloured = String::new();
    pretty(&mut coloured, true, NOW, Level::Info, "ephpm", "message");
    assert_eq!(coloured, "2026-11-23T09:14:05.123Z \x1b[32mINFO \x1b[0m message");
}

#[test]
fn the_level_can_change() {
    install();
    assert_eq!(log::max_level(), LevelFilter::Info);
    configure(LevelFilter::Off, Format::Json);
    assert_eq!(log::max_level(), LevelFilter::Off);
    install();
    assert_eq!(log::max_level(), LevelFilter::Off);
}
