//! Where the time of a step goes, by kind of work. Costs two clock readings per kernel.

use std::time::{Duration, Instant};

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Read,
    Pack,
    Gemm,
    Lora,
    Attention,
    Norm,
    Swiglu,
    Head,
    Loss,
    Optimizer,
}

impl Work {
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Pack,
        Self::Gemm,
        Self::Lora,
        Self::Attention,
        Self::Norm,
        Self::Swiglu,
        Self::Head,
        Self::Loss,
        Self::Optimizer,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read weights",
            Self::Pack => "pack",
            Self::Gemm => "gemm",
            Self::Lora => "lora",
            Self::Attention => "attention",
            Self::Norm => "norm, rope",
            Self::Swiglu => "swiglu",
            Self::Head => "head",
            Self::Loss => "loss",
            Self::Optimizer => "optimizer",
        }
    }
}

/// Wall time per kind of work since the last reset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    spent: [Duration; Work::ALL.len()],
}

impl Profile {
    pub fn spent(&self, work: Work) -> Duration {
        self.spent.get(work as usize).copied().unwrap_or_default()
    }

    pub(super) fn time<T>(&mut self, work: Work, task: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = task();
        if let Some(spent) = self.spent.get_mut(work as usize) {
            *spent += start.elapsed();
        }
        result
    }
}
