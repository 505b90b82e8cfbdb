//! Programs that hang while they are started, as on a file system that does not answer.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ephpm::php::Info;

use crate::site::{Site, text};
use crate::support::Request;

/// A file that nobody can open, not even to run it, until this is dropped or the kernel's patience is at its end
/// (`/proc/sys/fs/lease-break-time`, 45 s): fcntl(2), `F_SETLEASE`.
struct Lease(Child);

impl Lease {
    fn hold(file: &Path) -> Self {
        // F_SETLEASE and F_WRLCK. Who has a lease is told by SIGIO that somebody waits.
        let script = r#"$| = 1; $SIG{IO} = "IGNORE"; open(F, "<", $ARGV[0]) or die $!;
            fcntl(F, 1024, 1) or die $!; print "held\n"; <STDIN>;"#;
        let mut holder = Command::new("perl")
            .args(["-e", script])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("perl, which every Debian has");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        assert_eq!(line, "held\n");
        Self(holder)
    }

    /// Whether somebody waits, and has not been let in yet.
    fn is_waited_for(&self) -> bool {
        let locks = fs::read_to_string("/proc/locks").expect("the list of locks");
        let pid = self.0.id().to_string();
        locks.lines().any(|line| line.contains("BREAKING") && line.split_whitespace().any(|word| word == pid))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A start waits two seconds for another, but not all for one that hangs: more than fit into the kernel's patience.
#[test]
fn a_start_that_hangs_does_not_hold_up_all_others() {
    if !Info::of_libphp().zts {
        // One thread waits for its own program alone, and all others for that thread.
        return;
    }
    let site = Site::start();
    for (server, root) in site.each() {
        let program = root.join("hangs");
        // Not by this process, whose other children may have a copy of the open file for a moment.
        let status = Command::new("cp").arg("/bin/true").arg(&program).status().expect("cp(1)");
        assert!(status.success(), "{status}");
        let lease = Lease::hold(&program);
        let hanging = Request::get(&format!("/process/start.php?times=1&program={}", program.display()));
        thread::scope(|scope| {
            let hanging = scope.spawn(|| server.client().send(&hanging));
            let limit = Instant::now() + Duration::from_secs(120);
            while !lease.is_waited_for() {
                assert!(Instant::now() < limit, "nobody starts it");
                thread::sleep(Duration::from_millis(10));
            }
            let others = server.client().send(&Request::get("/process/start.php?times=30&program=/bin/true"));
            assert_eq!(text(&others, 200), "30");
            assert!(lease.is_waited_for(), "the others have waited for it");
            drop(lease);
            assert_eq!(text(&hanging.join().expect("an answer"), 200), "1");
        });
    }
}
