//! What a round of learning costs: time on the clock, computing time of the daemon, energy where the machine tells it.
//!
//! Computing time is the whole daemon's while the round ran: practice answers are drawn by the threads that serve, so
//! what is answered meanwhile is in it. Energy is that of the processor packages, whoever used them (RAPL).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// Where Linux keeps the counters of energy.
const POWERCAP: &str = "/sys/class/powercap";
/// No package takes more: a counter that could have come around at this rate since the last look says nothing.
const MOST_WATTS: f64 = 1000.0;

/// From a round's beginning on.
pub(super) struct Meter {
    began: Instant,
    cpu: Duration,
    packages: Vec<Package>,
}

impl Meter {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), cpu: cpu_time(), packages: packages(Path::new(POWERCAP)) }
    }

    /// What was spent so far, as the ledger keeps it beside the other counts of a round. Energy is absent where it
    /// cannot be read (most systems let only root).
    pub(super) fn spent(&self) -> Value {
        let wall = self.began.elapsed();
        let cpu = cpu_time().saturating_sub(self.cpu);
        let mut spent = json!({ "wall_s": seconds(wall), "cpu_s": seconds(cpu) });
        let joules = energy(&self.packages, &packages(Path::new(POWERCAP)), wall);
        if let (Some(joules), Some(fields)) = (joules, spent.as_object_mut()) {
            fields.insert("package_joules".to_owned(), json!(joules.round()));
        }
        spent
    }
}

/// With three digits behind the point.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let part = |n: i64| u64::try_from(n).unwrap_or_default();
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// The counter of one processor package.
#[derive(Debug, Clone, PartialEq)]
struct Package {
    folder: PathBuf,
    /// Millionths of a joule.
    energy: u64,
    /// Where the counter begins again.
    range: u64,
}

/// In the order of their names; empty where one of them cannot be read: half of the energy is none.
fn packages(powercap: &Path) -> Vec<Package> {
    let entries = std::fs::read_dir(powercap).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_package(path)).collect();
    folders.sort();
    let read = |folder: PathBuf| {
        let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
        Some(Package {
            energy: number("energy_uj")?,
            range: number("max_energy_range_uj")?,
            folder: folder.clone(),
        })
    };
    folders.into_iter().map(read).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Parts of a package (cores, memory) are counted in it.
fn is_package(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("name")).is_ok_and(|name| name.trim().starts_with("package"))
}

/// Joules between two looks.
fn energy(before: &[Package], after: &[Package], between: Duration) -> Option<f64> {
    if before.is_empty() || before.len() != after.len() {
        return None;
    }
    let mut sum = 0.0;
    for (before, after) in before.iter().zip(after) {
        if before.folder != after.folder || between.as_secs_f64() * MOST_WATTS > joules(before.range) {
            return None;
        }
        let used = if after.energy >= before.energy {
            after.energy - before.energy
        } else {
            before.range.saturating_sub(before.energy).saturating_add(after.energy)
        };
        sum += joules(used);
    }
    Some(sum)
}

#[expect(clippy::cast_precision_loss, reason = "a counter's millionths of a joule, shown as whole joules")]
fn joules(microjoules: u64) -> f64 {
    microjoules as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Path, zone: &str, files: &[(&str, &str)]) {
        let zone = folder.join(zone);
        std::fs::create_dir_all(&zone).unwrap();
        for (name, text) in files {
            std::fs::write(zone.join(name), format!("{text}\n")).unwrap();
        }
    }

    fn package(energy: u64) -> Vec<Package> {
        vec![Package { folder: "p".into(), energy, range: 262_143_328_850 }]
    }

    #[track_caller]
    fn check(before: u64, after: u64, seconds: u64, expected: Option<f64>) {
        assert_eq!(energy(&package(before), &package(after), Duration::from_secs(seconds)), expected);
    }

    #[test]
    fn energy_is_what_the_counter_went_on() {
        check(1_000_000, 5_000_000, 60, Some(4.0));
        check(262_142_328_850, 2_000_000, 60, Some(3.0));
    }

    #[test]
    fn a_counter_that_may_have_come_around_more_than_once_says_nothing() {
        check(1_000_000, 5_000_000, 600, None);
        assert_eq!(energy(&[], &[], Duration::ZERO), None);
    }

    #[test]
    fn only_whole_packages_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let of = |energy| [("energy_uj", energy), ("max_energy_range_uj", "1000")];
        put(folder.path(), "intel-rapl:0", &[&of("7")[..], &[("name", "package-0")]].concat());
        put(folder.path(), "intel-rapl:0:0", &[&of("5")[..], &[("name", "core")]].concat());
        let found = packages(folder.path());
        assert_eq!(found.iter().map(|package| package.energy).collect::<Vec<_>>(), [7]);
        put(folder.path(), "intel-rapl:1", &[("name", "package-1")]);
        assert_eq!(packages(folder.path()), []);
        assert_eq!(packages(&folder.path().join("absent")), []);
    }
}
