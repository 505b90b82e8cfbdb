use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn seats<const N: usize>(inside: [u8; N]) -> [bool; N] {
    inside.map(|inside| inside == 1)
}

#[test]
fn nobody_asks_for_anything() {
    let mut restart = Restart::new(2, None);
    assert_eq!(restart.judge(Instant::now(), &seats([1, 1])), Verdict::Go);
    assert!(restart.is_idle());
}

#[test]
fn the_last_to_leave_is_alone_and_others_are_held() {
    let now = Instant::now();
    let mut restart = Restart::new(3, None);
    restart.want(now, true);
    let until = now + OPCACHE_PAUSE_FIRST;
    assert_eq!(restart.judge(now, &seats([0, 1, 1])), Verdict::Hold(Some(until)));
    assert_eq!(restart.judge(now, &seats([0, 0, 1])), Verdict::Hold(Some(until)));
    assert_eq!(restart.judge(now, &seats([0, 0, 0])), Verdict::Alone);
    assert_eq!(restart.judge(now, &seats([0, 0, 0])), Verdict::Hold(None), "there is one already");
    assert_eq!(restart.done(now + SECOND), SECOND);
    assert_eq!(restart.judge(now + SECOND, &seats([0, 0, 0])), Verdict::Go);
}

#[test]
fn nobody_is_held_while_the_cause_may_still_run() {
    let now = Instant::now();
    let mut restart = Restart::new(2, None);
    restart.want(now, false);
    assert_eq!(restart.judge(now, &seats([1, 0])), Verdict::Go);
    restart.want(now, true);
    assert!(matches!(restart.judge(now, &seats([0, 1])), Verdict::Hold(Some(_))), "it is over");
    let mut restart = Restart::new(2, None);
    restart.want(now, false);
    assert_eq!(restart.judge(now, &seats([0, 0])), Verdict::Alone, "there is nobody to wait for");
    let mut restart = Restart::new(2, None);
    restart.want(now, false);
    let later = now + OPCACHE_RESTART_INTERVAL;
    assert!(matches!(restart.judge(later, &seats([1, 0])), Verdict::Hold(Some(_))), "it has taken too long");
}

#[test]
fn a_script_that_goes_on_and_on_holds_others_once() {
    let now = Instant::now();
    let mut restart = Restart::new(2, None);
    restart.want(now, true);
    restart.judge(now, &seats([1, 0]));
    let over = now + OPCACHE_PAUSE_FIRST;
    let vain = Verdict::GiveUp { pause: OPCACHE_PAUSE_FIRST, stragglers: 1 };
    assert_eq!(restart.judge(over, &seats([1, 0])), vain);
    for seconds in 0..10_000 {
        assert_eq!(restart.judge(over + seconds * SECOND, &seats([1, 1])), Verdict::Go);
    }
    let ended = over + 10_000 * SECOND;
    assert_eq!(restart.judge(ended, &seats([0, 0])), Verdict::Alone, "nobody had to wait");
    restart.done(ended);
    restart.want(ended + SECOND, true);
    let until = ended + SECOND + OPCACHE_PAUSE_FIRST;
    assert_eq!(restart.judge(ended + SECOND, &seats([1, 0])), Verdict::Hold(Some(until)), "all is as at first");
}

#[test]
fn requests_that_are_slow_one_after_another_are_held_for_longer_each_time() {
    let mut now = Instant::now();
    let mut restart = Restart::new(2, None);
    restart.want(now, true);
    let mut inside = seats([1, 0]);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let Verdict::Hold(Some(until)) = restart.judge(now, &inside) else { panic!("{restart:?}") };
        let pause = until - now;
        pauses.push(pause / OPCACHE_PAUSE_FIRST.as_secs() as u32);
        assert_eq!(restart.judge(until, &inside), Verdict::GiveUp { pause, stragglers: 1 });
        // The next one has begun before this one ends.
        assert_eq!(restart.judge(until, &seats([1, 1])), Verdict::Go);
        inside.reverse();
        let almost = until + pause * OPCACHE_PAUSE_SHARE - SECOND;
        assert_eq!(restart.judge(almost, &inside), Verdict::Go);
        now = almost + SECOND;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 8, 8].map(|times| times * SECOND));
}

#[test]
fn resets_in_a_loop_leave_most_of_the_time_to_requests() {
    let begin = Instant::now();
    let mut now = begin;
    let mut restart = Restart::new(2, None);
    let (mut held, mut count) = (Duration::ZERO, 0);
    let pause = SECOND / 2;
    while now < begin + 100 * SECOND {
        restart.want(now, true);
        if let Verdict::Hold(_) = restart.judge(now, &seats([1, 0])) {
            now += pause;
            assert_eq!(restart.judge(now, &seats([0, 0])), Verdict::Alone);
            held += restart.done(now);
            count += 1;
        } else {
            now += SECOND / 100;
        }
    }
    assert!(held * (OPCACHE_PAUSE_SHARE + 1) <= 100 * SECOND + pause * OPCACHE_PAUSE_SHARE, "{held:?}");
    assert!(count > 10, "{count}");
}

#[test]
fn restarts_for_which_nobody_is_held_keep_their_distance_as_well() {
    let begin = Instant::now();
    let mut restart = Restart::new(1, None);
    let mut count = 0;
    for millis in 0..10_000 {
        let now = begin + Duration::from_millis(millis);
        restart.want(now, true);
        if restart.judge(now, &seats([0])) == Verdict::Alone {
            restart.done(now);
            count += 1;
        }
    }
    assert_eq!(count, 10);
}

#[test]
fn stragglers_are_ended_when_php_would_kill_them() {
    let now = Instant::now();
    let mut restart = Restart::new(3, Some(180 * SECOND));
    restart.want(now, true);
    restart.judge(now, &seats([1, 1, 0]));
    let over = now + OPCACHE_PAUSE_FIRST;
    restart.judge(over, &seats([1, 1, 0]));
    assert_eq!(restart.judge(over, &seats([1, 0, 1])), Verdict::Go);
    assert_eq!(restart.judge(now + 179 * SECOND, &seats([1, 1, 1])), Verdict::Go);
    let due = now + 180 * SECOND;
    let of_the_first = |first| Verdict::Interrupt { seats: vec![0], first };
    assert_eq!(restart.judge(due, &seats([1, 1, 1])), of_the_first(true), "the second has a new request");
    assert_eq!(restart.judge(due, &seats([1, 1, 1])), Verdict::Go, "it needs time");
    assert_eq!(restart.judge(due + OPCACHE_INTERRUPT_INTERVAL, &seats([1, 1, 1])), of_the_first(false));
    let ended = due + OPCACHE_INTERRUPT_INTERVAL + SECOND;
    assert!(matches!(restart.judge(ended, &seats([0, 1, 1])), Verdict::Hold(Some(_))));
    assert_eq!(restart.judge(ended, &seats([0, 0, 0])), Verdict::Alone);
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Enter(usize),
    Leave(usize),
    Want(bool),
    Done,
    Wait(Duration),
}

const EVENTS: [Event; 9] = [
    Event::Enter(0),
    Event::Enter(1),
    Event::Leave(0),
    Event::Leave(1),
    Event::Want(true),
    Event::Want(false),
    Event::Done,
    Event::Wait(OPCACHE_PAUSE_FIRST),
    Event::Wait(Duration::from_secs(30)),
];

/// Two threads that obey.
#[derive(Debug)]
struct World {
    restart: Restart,
    now: Instant,
    inside: [bool; 2],
    alone: bool,
    held_until: Option<Instant>,
}

impl World {
    /// What the rules say to it, if it can happen and they are asked.
    fn happen(&mut self, event: Event) -> Option<Verdict> {
        match event {
            Event::Enter(seat) if !self.inside[seat] => {}
            Event::Leave(seat) if self.inside[seat] => self.inside[seat] = false,
            Event::Done if self.alone => {
                self.alone = false;
                self.restart.done(self.now);
            }
            Event::Enter(_) | Event::Leave(_) | Event::Done => return None,
            Event::Want(cause_is_over) => {
                self.restart.want(self.now, cause_is_over);
                return None;
            }
            Event::Wait(time) => self.now += time,
        }
        Some(self.restart.judge(self.now, &self.inside))
    }

    fn obey(&mut self, event: Event, verdict: &Verdict) {
        match *verdict {
            Verdict::Alone => {
                assert!(!self.alone && self.inside == [false; 2], "{event:?} {self:?}");
                self.alone = true;
            }
            Verdict::Hold(None) => assert!(self.alone, "{event:?} {self:?}"),
            Verdict::Hold(Some(until)) => {
                assert!(self.inside.contains(&true), "held for nobody: {event:?} {self:?}");
                let before = *self.held_until.get_or_insert(until);
                assert!(before == until && until > self.now, "held for longer than was said: {event:?} {self:?}");
            }
            Verdict::Go | Verdict::GiveUp { .. } | Verdict::Interrupt { .. } => {
                assert!(!self.alone, "{event:?} {self:?}");
                if let Event::Enter(seat) = event {
                    self.inside[seat] = true;
                }
            }
        }
        if !matches!(verdict, Verdict::Hold(_)) {
            self.held_until = None;
        }
    }
}

#[test]
fn nobody_is_inside_with_one_who_is_alone_in_any_order_of_events() {
    let length = if cfg!(miri) { 3 } else { 6 };
    let mut alone_count = 0;
    for order in 0..EVENTS.len().pow(length) {
        let restart = Restart::new(2, Some(20 * SECOND));
        let mut world = World { restart, now: Instant::now(), inside: [false; 2], alone: false, held_until: None };
        let mut rest = order;
        for _ in 0..length {
            let event = EVENTS[rest % EVENTS.len()];
            rest /= EVENTS.len();
            if let Some(verdict) = world.happen(event) {
                world.obey(event, &verdict);
                alone_count += usize::from(verdict == Verdict::Alone);
            }
        }
    }
    assert!(alone_count > 0);
}
