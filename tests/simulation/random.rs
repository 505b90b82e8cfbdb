//! Where a simulation's choices come from: a seed, or bytes that a fuzzer wrote.

use std::collections::VecDeque;

/// Choices that depend on the seed (or the bytes) alone: xorshift64*, scrambled at the start by splitmix64.
pub(crate) struct Random {
    state: u64,
    script: VecDeque<u8>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { state: (state ^ (state >> 31)) | 1, script: VecDeque::new() }
    }

    /// The bytes choose first, a byte a choice; when they are used up, numbers that follow from them.
    pub(crate) fn scripted(script: &[u8]) -> Self {
        let seed = script.iter().fold(1, |seed: u64, byte| seed.rotate_left(9) ^ u64::from(*byte));
        Self { script: script.iter().copied().collect(), ..Self::new(seed) }
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if let Some(byte) = self.script.pop_front() {
            return usize::from(byte) * bound.div_ceil(256) % bound;
        }
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
