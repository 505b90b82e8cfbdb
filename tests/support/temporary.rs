//! Directories that live as long as a test.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A new, empty directory, removed with all it holds on drop; kept when the test has failed.
#[derive(Debug)]
pub(crate) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// `name` says whose it is, for whoever finds one that a failed test left behind.
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Cargo's own directory for integration tests: inside target/, so nothing is left elsewhere.
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{name}-{}-{number}", std::process::id()));
        // A process of the same number may have failed here before.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a writable target directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in this directory, with the directories above it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a path inside the directory")).expect("a new directory");
        fs::write(&path, content).expect("a new file");
        path
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A document root with these files.
pub(crate) fn site(files: &[(&str, &str)]) -> TemporaryDirectory {
    let directory = TemporaryDirectory::new("site");
    for (name, content) in files {
        directory.write(name, content);
    }
    directory
}

/// Copies a directory with all it holds, except the entry at its top called `except`.
pub(crate) fn copy_tree(from: &Path, to: &Path, except: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name() == except {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target, "")?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
