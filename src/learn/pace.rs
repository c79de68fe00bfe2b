//! The trainer's leash: pause and cancel, looked at between any two kernels.
//!
//! The worker and the daemon hold one end, the trainer the other. Waiting is a condition variable, not a loop.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::TrainError;

/// A shared switch. Clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    shared: Arc<(Mutex<Wish>, Condvar)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Wish {
    #[default]
    Run,
    Pause,
    Cancel,
}

impl Pace {
    /// Makes the trainer stop between two kernels until [`Pace::resume`]. A cancelled run stays cancelled.
    pub fn pause(&self) {
        self.wish(Wish::Pause);
    }

    pub fn resume(&self) {
        self.wish(Wish::Run);
    }

    /// Makes the step in flight end with [`TrainError::Cancelled`], and every later one.
    pub fn cancel(&self) {
        self.wish(Wish::Cancel);
    }

    /// Returns at once, or waits while paused. Called between kernels.
    pub fn check(&self) -> Result<(), TrainError> {
        let (wish, changed) = &*self.shared;
        let mut wish = wish.lock().unwrap_or_else(PoisonError::into_inner);
        while *wish == Wish::Pause {
            wish = changed.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        if *wish == Wish::Cancel { Err(TrainError::Cancelled) } else { Ok(()) }
    }

    fn wish(&self, new: Wish) {
        let (wish, changed) = &*self.shared;
        let mut wish = wish.lock().unwrap_or_else(PoisonError::into_inner);
        if *wish != Wish::Cancel {
            *wish = new;
        }
        changed.notify_all();
    }
}
