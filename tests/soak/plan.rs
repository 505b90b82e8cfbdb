//! What the request of a number is: the seed decides, whoever sends it and whenever.

use crate::random::Random;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Hello,
    Classes,
    Session,
    Upload,
    Body,
    Large,
    Events,
    Sleep,
    Ending,
    TimeLimit,
    Finish,
    Children,
    Process,
    UserIni,
    Hints,
    File,
    Pipeline,
    /// Of HTTP/2.
    Streams,
    LeavesSending,
    LeavesWaiting,
    LeavesTaking,
    StopsInHead,
    Reset,
    Invalidate,
    /// Sleeps, loops, or waits for a child for too long.
    Stuck(&'static str),
    Reload,
    Rotate,
    /// Of PHP's threads, for a deployment.
    Restart,
}

/// What there is always some of, with its weight.
const COMMON: &[(Kind, usize)] = &[
    (Kind::Hello, 16),
    (Kind::Classes, 10),
    (Kind::Session, 4),
    (Kind::Upload, 5),
    (Kind::Body, 5),
    (Kind::Large, 3),
    (Kind::Events, 4),
    (Kind::Sleep, 3),
    (Kind::Ending, 8),
    (Kind::Finish, 4),
    (Kind::Children, 2),
    (Kind::Process, 4),
    (Kind::UserIni, 5),
    (Kind::Hints, 3),
    (Kind::File, 8),
    (Kind::Pipeline, 4),
    (Kind::Streams, 5),
    (Kind::LeavesSending, 4),
    (Kind::LeavesWaiting, 5),
    (Kind::LeavesTaking, 4),
];

/// What happens once in so many requests.
const PERIOD: u64 = 1_200;

/// What happens once in that time, and when. The child of 11 s comes back after `php.request_timeout`, that of 22 s when
/// another thread has taken the place of its own.
const RARE: &[(u64, Kind)] = &[
    (10, Kind::Stuck("child&seconds=22")),
    (30, Kind::Reset),
    (60, Kind::Reload),
    (90, Kind::Stuck("sleep")),
    (120, Kind::Rotate),
    (150, Kind::Reset),
    (180, Kind::Restart),
    (200, Kind::StopsInHead),
    (210, Kind::Invalidate),
    (240, Kind::Stuck("loop")),
    (300, Kind::TimeLimit),
    (330, Kind::Invalidate),
    (360, Kind::Reset),
    (390, Kind::Reload),
    (450, Kind::Reset),
    (510, Kind::Stuck("child&seconds=11")),
    (600, Kind::Rotate),
    (650, Kind::Invalidate),
    (700, Kind::Reset),
    (750, Kind::Reload),
    (800, Kind::Reset),
    (850, Kind::Invalidate),
    (870, Kind::Restart),
    (900, Kind::TimeLimit),
    (950, Kind::Reset),
    (1000, Kind::StopsInHead),
    (1100, Kind::Rotate),
];

/// What the request of this number is, and the choices that are left to it.
pub(crate) fn of(seed: u64, n: u64) -> (Kind, Random) {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n);
    if let Some((_, kind)) = RARE.iter().find(|(when, _)| *when == n % PERIOD) {
        return (*kind, random);
    }
    let mut choice = random.below(COMMON.iter().map(|(_, weight)| weight).sum());
    for (kind, weight) in COMMON {
        match choice.checked_sub(*weight) {
            Some(rest) => choice = rest,
            None => return (*kind, random),
        }
    }
    unreachable!("a choice below the sum of the weights")
}
