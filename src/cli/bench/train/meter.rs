//! Clocks and memory of this process.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// What one step cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cost {
    pub(super) wall_s: f64,
    /// Of all threads together.
    pub(super) cpu_s: f64,
    /// The most memory that the process has had so far, where the system tells.
    pub(super) peak_rss_mib: Option<f64>,
}

/// What `work` returns, its wall seconds and its CPU seconds.
pub(in crate::cli::bench) fn metered<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (began, cpu) = (Instant::now(), cpu_s());
    let result = work();
    (result, began.elapsed().as_secs_f64(), cpu_s() - cpu)
}

fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of CPU time are few")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9;
    seconds
}

/// Makes the peak begin at what is used now, where the system can.
pub(super) fn forget_peak() {
    // Elsewhere the peak is that of the whole process, which is not less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

pub(super) fn peak_rss_mib() -> Option<f64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_in(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_from_the_status() {
        assert_eq!(peak_in("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2.0));
        assert_eq!(peak_in("Name:\tx\n"), None);
    }

    #[test]
    fn work_that_computes_costs_cpu_time() {
        let (sum, wall_s, cpu_s) =
            metered(|| (0..2_000_000_u64).fold(0, |sum: u64, n| sum.wrapping_mul(31) ^ n));
        assert!(sum != 0 && wall_s > 0.0 && cpu_s > 0.0, "{wall_s} {cpu_s}");
    }
}
