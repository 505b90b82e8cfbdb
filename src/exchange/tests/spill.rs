//! Output that goes to a file.

use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::base::random::Random;

/// A disk in memory.
#[derive(Debug, Default)]
struct Disk {
    files: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
    is_full: AtomicBool,
    is_broken: AtomicBool,
    cannot_free: AtomicBool,
    reports: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Files(Arc<Disk>);

#[derive(Debug)]
struct File {
    disk: Arc<Disk>,
    content: Arc<Mutex<Vec<u8>>>,
}

impl Disk {
    /// Files that have not been dropped.
    fn open(&self) -> usize {
        self.files.lock().unwrap().iter().filter(|file| Arc::strong_count(file) > 1).count()
    }

    fn created(&self) -> usize {
        self.files.lock().unwrap().len()
    }
}

impl SpillFiles for Files {
    fn create(&self) -> io::Result<Arc<dyn SpillFile>> {
        let content = Arc::<Mutex<Vec<u8>>>::default();
        self.0.files.lock().unwrap().push(Arc::clone(&content));
        Ok(Arc::new(File { disk: Arc::clone(&self.0), content }))
    }

    fn report(&self, _: Problem<'_>) {
        self.0.reports.fetch_add(1, Ordering::SeqCst);
    }
}

impl SpillFile for File {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.disk.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = self.content.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let end = content.len().max(offset + bytes.len());
        content.resize(end, 0);
        content[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn read(&self, block: &mut [u8], offset: u64) -> io::Result<()> {
        if self.disk.is_broken.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let offset = usize::try_from(offset).unwrap();
        block.copy_from_slice(&self.content.lock().unwrap()[offset..offset + block.len()]);
        Ok(())
    }

    fn free(&self, part: &Range<u64>) -> bool {
        if self.disk.cannot_free.load(Ordering::SeqCst) {
            return false;
        }
        // What is read again would be noticed.
        let part = usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap();
        self.content.lock().unwrap()[part].fill(0);
        true
    }
}

const BLOCK: u64 = OUTPUT_BLOCK_BYTES as u64;

/// Files of one response, with up to `bytes_max` in them, for whom every wait is in vain.
fn spill(disk: &Arc<Disk>, bytes_max: u64) -> Arc<Spill> {
    Arc::new(Spill {
        files: Box::new(Files(Arc::clone(disk))),
        bytes_max,
        all_bytes_max: 100 << 20,
        files_max: 2,
        patience: Duration::ZERO,
        held: Arc::default(),
    })
}

/// `len` bytes that differ from place to place.
fn noise(len: usize) -> Vec<u8> {
    Random(1).bytes(len)
}

/// A script that says this and ends, on a thread of its own.
fn print(mut responder: Box<Responder>, content: Vec<u8>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        responder.send_head(head(&[]));
        responder.write(&content).unwrap();
        responder.complete();
    })
}

/// Pulls to the end, whenever it comes.
fn pull_all(p: &mut Handle) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        match p.poll() {
            Pull::Content(bytes) => {
                assert!(!bytes.is_empty() && bytes.len() <= OUTPUT_BLOCK_BYTES);
                content.extend_from_slice(&bytes);
            }
            Pull::End => return content,
            Pull::Failed | Pull::Expired => panic!("the response failed"),
            Pull::Interim(_) | Pull::Head(..) => {}
            Pull::Pending => thread::yield_now(),
        }
    }
}

#[test]
fn s21_a_script_ends_though_nobody_reads() {
    for (len, flushes, frees) in [(20 << 20, false, true), (3 << 20, true, true), (3_000_001, false, false)] {
        let disk = Arc::<Disk>::default();
        disk.cannot_free.store(!frees, Ordering::SeqCst);
        let spill = spill(&disk, 64 << 20);
        let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
        let content = noise(len);
        p.responder.send_head(head(&[]));
        for piece in content.chunks(100_000) {
            p.responder.write(piece).unwrap();
            assert!(p.responder.buffered() <= RESPONSE_BUFFER_HIGH);
            if flushes {
                p.responder.flush().unwrap();
            }
        }
        p.responder.complete();
        assert_eq!((disk.created(), disk.open()), (1, 1));
        assert_eq!(rung(&p.bell).map(|rung| rung.released), Some(true));
        let (bytes, files) = spill.held.bytes_and_files();
        assert_eq!(files, 1);
        assert!(bytes <= len as u64 && bytes + RESPONSE_BUFFER_HIGH as u64 + BLOCK >= len as u64, "{bytes} of {len}");
        assert!(pull_all(&mut p.handle) == content, "it was not what was written");
        assert_eq!((disk.open(), spill.held.bytes_and_files()), (0, (0, 0)));
    }
}

/// As after `fastcgi_finish_request()`.
#[test]
fn what_is_finished_behind_a_file_survives_the_script_s_end() {
    let disk = Arc::<Disk>::default();
    let mut p = pair_with(Method::Get, Some(spill(&disk, 64 << 20)));
    let content = noise(1_000_001);
    p.responder.send_head(head(&[]));
    p.responder.write(&content).unwrap();
    p.responder.finish();
    assert_eq!(disk.created(), 1);
    p.responder.write(b"unseen").unwrap();
    p.responder.complete();
    assert!(pull_all(&mut p.handle) == content, "it was not what was written");
    assert_eq!(p.handle.buffered(), 0);
}

#[test]
fn space_is_given_back_while_a_file_is_read() {
    let disk = Arc::<Disk>::default();
    let spill = spill(&disk, 64 << 20);
    let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
    p.responder.send_head(head(&[]));
    p.responder.write(&noise(10 << 20)).unwrap();
    p.responder.complete();
    let before = spill.held.bytes_and_files().0;
    let mut seen = 0;
    while seen < 5 << 20 {
        if let Pull::Content(bytes) = p.handle.poll() {
            seen += bytes.len();
        }
    }
    assert!(spill.held.bytes_and_files().0 <= before - (4 << 20));
    drop(p.handle);
    assert_eq!((disk.open(), spill.held.bytes_and_files()), (0, (0, 0)));
}

#[test]
fn a_client_that_keeps_up_never_causes_a_file() {
    let disk = Arc::<Disk>::default();
    let files = Arc::into_inner(spill(&disk, 64 << 20)).unwrap();
    // However long the loop takes.
    let spill = Arc::new(Spill { patience: Duration::from_secs(3600), ..files });
    let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
    let content = noise(8 << 20);
    let php = print(p.responder, content.clone());
    assert!(pull_all(&mut p.handle) == content);
    php.join().unwrap();
    assert_eq!(disk.created(), 0);
}

/// Memory, a file, and memory again, in whatever way the two threads meet.
#[test]
fn content_stays_in_order_between_two_threads() {
    for (round, bytes_max) in [1 << 20, 300_000, 64 << 20, BLOCK, BLOCK - 1, 2 << 20].into_iter().enumerate() {
        let disk = Arc::<Disk>::default();
        let spill = spill(&disk, bytes_max);
        let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
        let content = noise(4 << 20);
        let mut responder = p.responder;
        let written = content.clone();
        let other = Arc::clone(&disk);
        let php = thread::spawn(move || {
            responder.send_head(head(&[]));
            for (index, piece) in written.chunks(30_000 + 50_000 * round).enumerate() {
                responder.write(piece).unwrap();
                if index % 3 == 0 {
                    responder.flush().unwrap();
                }
                assert!(responder.buffered() <= RESPONSE_BUFFER_HIGH);
                other.is_full.store(index % 7 > 4, Ordering::SeqCst);
            }
            responder.complete();
        });
        assert!(pull_all(&mut p.handle) == content, "it was not what was written");
        php.join().unwrap();
        assert_eq!((disk.open(), spill.held.bytes_and_files()), (0, (0, 0)));
    }
}

/// Without room on the disk, PHP waits as it does without files, and nothing is lost.
#[test]
fn s21_what_finds_no_room_waits() {
    let bounds: [fn(&mut Spill, &Disk); 4] = [
        |spill, _| spill.bytes_max = 5 * BLOCK,
        |spill, _| spill.all_bytes_max = 5 * BLOCK,
        |spill, _| spill.files_max = 0,
        |_, disk| disk.is_full.store(true, Ordering::SeqCst),
    ];
    for (index, bound) in bounds.into_iter().enumerate() {
        let disk = Arc::<Disk>::default();
        let mut files = Arc::into_inner(spill(&disk, 64 << 20)).unwrap();
        bound(&mut files, &disk);
        let spill = Arc::new(files);
        let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
        let content = noise(2 << 20);
        let php = print(p.responder, content.clone());
        let fits = RESPONSE_BUFFER_HIGH as u64 + if index < 2 { 5 * BLOCK } else { 0 };
        // The operator hears of what is no one response's.
        while p.handle.unread() < fits || (index > 0 && disk.reports.load(Ordering::SeqCst) == 0) {
            thread::yield_now();
        }
        assert!(!php.is_finished() && p.handle.unread() == fits);
        assert!(pull_all(&mut p.handle) == content);
        php.join().unwrap();
        assert!(index > 0 || disk.reports.load(Ordering::SeqCst) == 0);
        assert_eq!((disk.open(), spill.held.bytes_and_files()), (0, (0, 0)));
    }
}

#[test]
fn the_file_goes_with_the_client() {
    let disk = Arc::<Disk>::default();
    let spill = spill(&disk, 10 * BLOCK);
    let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
    p.responder.send_head(head(&[]));
    p.responder.write(&noise(12 * OUTPUT_BLOCK_BYTES)).unwrap();
    assert_eq!(disk.open(), 1);
    drop(p.handle);
    // The script, which does not care, still runs.
    assert_eq!((disk.open(), spill.held.bytes_and_files(), p.responder.buffered()), (0, (0, 0), 0));
    assert_eq!(p.responder.write(&noise(OUTPUT_BLOCK_BYTES)), Err(Aborted));
    assert_eq!(disk.created(), 1);
}

#[test]
fn what_cannot_be_read_back_fails() {
    let disk = Arc::<Disk>::default();
    let spill = spill(&disk, 64 << 20);
    let mut p = pair_with(Method::Get, Some(Arc::clone(&spill)));
    p.responder.send_head(head(&[]));
    p.responder.write(&noise(1 << 20)).unwrap();
    disk.is_broken.store(true, Ordering::SeqCst);
    assert_eq!(pulled(&mut p.handle).last().unwrap(), "failed");
    assert_eq!((disk.open(), spill.held.bytes_and_files()), (0, (0, 0)));
    assert!(p.responder.is_aborted());
}

#[test]
fn an_announced_length_and_an_early_end_hold() {
    let content = noise(1 << 20);
    for (announced, last) in [(content.len() - 1, "end"), (content.len() + 1, "failed")] {
        let mut p = pair_with(Method::Get, Some(spill(&Arc::default(), 64 << 20)));
        p.responder.send_head(head(&[("Content-Length", &announced.to_string())]));
        p.responder.write(&content).unwrap();
        p.responder.finish();
        let all = pulled(&mut p.handle);
        assert_eq!(all[0], format!("200 Exact({announced})"));
        assert_eq!(all.last().unwrap(), last);
        // PHP goes on unheard.
        drop(p.handle);
        assert!(!p.responder.is_aborted());
    }
}

#[test]
fn patience_ends_where_many_are_waited_for_in_vain() {
    let disk = Arc::<Disk>::default();
    let files = Arc::into_inner(spill(&disk, 64 << 20)).unwrap();
    let spill = Spill { patience: Duration::from_millis(32), ..files };
    let mut seen = Vec::new();
    for in_vain in [true, true, false, true, true, true, true, true, false, false, false, false, false, false] {
        spill.has_waited(in_vain);
        seen.push(spill.patience().as_millis());
    }
    assert_eq!(seen, [16, 8, 16, 8, 4, 2, 1, 1, 2, 4, 8, 16, 32, 32]);
}
