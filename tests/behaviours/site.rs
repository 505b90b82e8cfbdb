//! The scripts of this directory behind two servers, one with OPcache and one without.

use std::path::Path;
use std::thread;

use crate::support::{Builder, Client, Connection, Request, Response, Server, TemporaryDirectory, copy_tree};

/// Requests beside the one that is sent alone.
const MANY: u32 = 100;
const WORKERS: u32 = 20;

/// Each server has a copy of the scripts of its own. Servers are declared first, so they stop first.
pub(crate) struct Site {
    servers: [Server; 2],
    roots: [TemporaryDirectory; 2],
}

impl Site {
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(|builder, _| builder)
    }

    /// With other settings, which may lie in the document root.
    #[track_caller]
    pub(crate) fn with(settings: impl Fn(Builder, &Path) -> Builder) -> Self {
        Self::below("", settings)
    }

    /// The same where the document root is only a directory of what each server has, which is `settings`' to make.
    #[track_caller]
    pub(crate) fn below(directory: &str, settings: impl Fn(Builder, &Path) -> Builder) -> Self {
        let roots = [(); 2].map(|()| TemporaryDirectory::new("behaviours"));
        let servers = [("1", &roots[0]), ("0", &roots[1])].map(|(opcache, root)| {
            let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviours/scripts");
            copy_tree(&scripts, root.path(), "").expect("a copy of the scripts");
            for directory in ["sessions", "uploads"] {
                std::fs::create_dir(root.path().join(directory)).expect("a new directory");
            }
            let uploads = root.path().join("uploads");
            let builder = Server::builder(root.path().join(directory))
                .ini("opcache.enable", opcache)
                .ini("opcache.file_update_protection", "0")
                .ini("html_errors", "0")
                .ini("upload_tmp_dir", uploads.to_str().expect("UTF-8"));
            settings(builder, root.path()).start()
        });
        Self { servers, roots }
    }

    /// Each server with its document root.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&Server, &Path)> {
        self.servers.iter().zip(self.roots.iter().map(TemporaryDirectory::path))
    }

    /// Sends a request to each server, and then a hundred, several at a time, each with a number of its own: on
    /// connections that are kept, and each on a new one.
    pub(crate) fn many(&self, make: impl Fn(u32) -> Request + Sync, expect: impl Fn(u32, &Response) + Sync) {
        self.many_clients(|client, _, n| expect(n, &client.send(&make(n))));
    }

    /// The same where more than one request belongs to a number; `ask` also gets the document root.
    pub(crate) fn many_clients(&self, ask: impl Fn(&mut Client, &Path, u32) + Sync) {
        self.many_on(Server::client, ask);
    }

    /// The same on bare connections, for what no client does; `ask` also gets the document root.
    pub(crate) fn many_raw(&self, ask: impl Fn(&mut Connection, &Path, u32) + Sync) {
        self.many_on(Server::connect, ask);
    }

    /// The same with connections that `ask` opens itself, since nothing is left of them.
    pub(crate) fn many_that_leave(&self, ask: impl Fn(&Server, &Path, u32) + Sync) {
        self.many_on(|server| server, |server, root, n| ask(server, root, n));
    }

    fn many_on<'a, C>(&'a self, connect: impl Fn(&'a Server) -> C + Sync, ask: impl Fn(&mut C, &Path, u32) + Sync) {
        for (server, root) in self.each() {
            ask(&mut connect(server), root, 0);
            thread::scope(|scope| {
                for worker in 0..WORKERS {
                    let (connect, ask) = (&connect, &ask);
                    scope.spawn(move || {
                        let mut kept = connect(server);
                        for n in (1..=MANY).filter(|n| n % WORKERS == worker) {
                            if (n / WORKERS).is_multiple_of(2) {
                                ask(&mut kept, root, n);
                            } else {
                                ask(&mut connect(server), root, n);
                            }
                        }
                    });
                }
            });
        }
    }

    /// Stops both servers; their logs.
    #[track_caller]
    pub(crate) fn stop(self) -> [String; 2] {
        let Self { servers, roots: _roots } = self;
        servers.map(|server| {
            let (status, log) = server.stop();
            assert!(status.success(), "{log}");
            log
        })
    }
}

/// `GET` of a script that echoes the number.
pub(crate) fn get(target: &str, i: u32) -> Request {
    let separator = if target.contains('?') { '&' } else { '?' };
    Request::get(&format!("/{target}{separator}i={i}"))
}

/// The content, after checking the status.
#[track_caller]
pub(crate) fn text(response: &Response, status: u16) -> String {
    response.clone().expect(status).text()
}
