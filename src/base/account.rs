//! Bytes of something that all threads together may have so many of.
//!
//! A share is counted as long as it lives, wherever it goes. Nobody waits for another: what finds no room is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes of all shares.
#[derive(Debug, Default)]
pub struct Account(AtomicU64);

/// Some of the bytes. They are given back when it is dropped.
#[derive(Debug, Default)]
pub struct Share {
    /// None while there is nothing to give back.
    account: Option<Arc<Account>>,
    bytes: u64,
}

impl Account {
    /// The bytes of all shares; of moments ago, if others are at it.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Share {
    /// Takes so many bytes more from `account`, which is the same each time. False, and nothing changes, if all shares
    /// would have more than `max` together.
    #[must_use]
    pub fn grow(&mut self, account: &Arc<Account>, bytes: u64, max: u64) -> bool {
        // Counts only: nothing else is read or written by their order.
        let before = account.0.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > max {
            account.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.account.get_or_insert_with(|| Arc::clone(account));
        self.bytes += bytes;
        true
    }

    /// Has so many bytes of `account`, which is the same each time, however many all shares have together.
    pub fn resize(&mut self, account: &Arc<Account>, bytes: u64) {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) => {
                account.0.fetch_add(more, Ordering::Relaxed);
                self.account.get_or_insert_with(|| Arc::clone(account));
                self.bytes = bytes;
            }
            None => self.shrink(self.bytes - bytes),
        }
    }

    /// Gives so many of its bytes back; it must have them.
    pub fn shrink(&mut self, bytes: u64) {
        debug_assert!(bytes <= self.bytes, "a share gives back what it does not have");
        if let Some(account) = &self.account {
            account.0.fetch_sub(bytes, Ordering::Relaxed);
            self.bytes -= bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_given_back() {
        let account = Arc::new(Account::default());
        let (mut one, mut other) = (Share::default(), Share::default());
        assert!(one.grow(&account, 6, 10) && other.grow(&account, 4, 10));
        assert!(!one.grow(&account, 1, 10) && one.grow(&account, 0, 10));
        assert_eq!(account.bytes(), 10);
        drop(one);
        assert_eq!(account.bytes(), 4);
        assert!(other.grow(&account, 6, 10));
        other.shrink(7);
        assert_eq!(account.bytes(), 3);
        other.resize(&account, 20);
        assert_eq!(account.bytes(), 20);
        other.resize(&account, 2);
        assert_eq!(account.bytes(), 2);
        drop((other, Share::default()));
        assert_eq!(account.bytes(), 0);
    }
}
