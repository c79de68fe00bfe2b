//! What the machine is busy with: where its power comes from, how much other programs compute, whether it is hot.
//!
//! What lives here: reading it, on Linux from `/proc` and `/sys`, on macOS from what `pmset` and `ps` say. What does
//! not: what follows from it (`learn::when`).
//!
//! What always holds: a look never fails; what cannot be read is unknown.

mod heat;
mod load;
mod power;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::learn::when::Power;
use load::Ticks;

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MachineFacts {
    pub(super) power: Power,
    /// Work of other programs since the look before, in percent of all cores. On macOS about the last minute's.
    pub(super) load_percent: Option<u8>,
    /// A sensor is at its limit, or was and has not cooled by some degrees since.
    pub(super) hot: Option<bool>,
}

/// The machine, and what the last look at it left.
#[derive(Debug)]
pub(super) struct Machine {
    system: System,
    ticks: Option<Ticks>,
    load_percent: Option<u8>,
    was_hot: bool,
}

#[derive(Debug)]
enum System {
    Linux {
        /// `/proc`.
        processes: PathBuf,
        /// `/sys/class`.
        devices: PathBuf,
    },
    Mac,
}

impl Machine {
    /// Notes the processor's counters, so that the first look has something to compare with.
    pub(super) fn new() -> Self {
        Self::of(if cfg!(target_os = "macos") {
            System::Mac
        } else {
            System::Linux { processes: "/proc".into(), devices: "/sys/class".into() }
        })
    }

    fn of(system: System) -> Self {
        let mut machine = Self { system, ticks: None, load_percent: None, was_hot: false };
        machine.look();
        machine
    }

    /// Reads some dozen small files, or on macOS starts three programs: not for a thread that must not wait.
    pub(super) fn look(&mut self) -> MachineFacts {
        let facts = match &self.system {
            System::Linux { processes, devices } => {
                let ticks = load::ticks(&text(&processes.join("stat")), &text(&processes.join("self/stat")));
                let (kept, load_percent) = load::since(self.ticks, ticks, self.load_percent);
                self.ticks = kept;
                MachineFacts {
                    power: power::of_supplies(&devices.join("power_supply")),
                    load_percent,
                    hot: heat::is_hot(&heat::sensors(devices), self.was_hot),
                }
            }
            System::Mac => MachineFacts {
                power: power::of_pmset(&said("/usr/bin/pmset", &["-g", "batt"])),
                load_percent: load::of_ps(
                    &said("/bin/ps", &["-A", "-o", "pid=,%cpu="]),
                    std::process::id(),
                    num_cpus::get(),
                ),
                hot: heat::of_pmset(&said("/usr/bin/pmset", &["-g", "therm"])),
            },
        };
        self.load_percent = facts.load_percent;
        self.was_hot = facts.hot == Some(true);
        facts
    }
}

/// A small file as text without the line's end; empty when it cannot be read.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).map(|text| text.trim_end().to_owned()).unwrap_or_default()
}

/// The folders in a folder, in the order of their names; none when it cannot be read.
fn folders_in(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders
}

/// What a program printed; empty when it could not run.
fn said(program: &str, args: &[&str]) -> String {
    // A decimal comma of the user's language would not be a number here.
    let ran = Command::new(program)
        .args(args)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    ran.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine made of files.
    struct Files(tempfile::TempDir);

    impl Files {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }

        /// The processor's counters: work of all programs, idle time, and of the first what this process did.
        fn put_ticks(&self, busy: u64, idle: u64, own: u64) {
            self.put("proc/stat", &format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0"));
            self.put("proc/self/stat", &format!("7 (chela) S 1 7 7 0 -1 0 0 0 0 0 {own} 0 0 0 20 0 9 0 1"));
        }

        fn machine(&self) -> Machine {
            let root = self.0.path();
            Machine::of(System::Linux { processes: root.join("proc"), devices: root.join("sys") })
        }
    }

    #[test]
    fn a_look_tells_power_load_and_heat() {
        let files = Files::new();
        files.put("sys/power_supply/AC/type", "Mains");
        files.put("sys/power_supply/AC/online", "0");
        files.put("sys/power_supply/BAT0/type", "Battery");
        files.put("sys/power_supply/BAT0/status", "Discharging");
        files.put("sys/power_supply/BAT0/capacity", "81");
        files.put("sys/thermal/thermal_zone0/temp", "45000");
        files.put("sys/thermal/thermal_zone0/trip_point_0_type", "passive");
        files.put("sys/thermal/thermal_zone0/trip_point_0_temp", "85000");
        files.put_ticks(1000, 5000, 200);
        let mut machine = files.machine();
        files.put_ticks(1500, 5500, 400);
        let expected = MachineFacts {
            power: Power::Battery { percent: Some(81) },
            load_percent: Some(30),
            hot: Some(false),
        };
        assert_eq!(machine.look(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let mut machine = Files::new().machine();
        let unknown = MachineFacts { power: Power::Unknown, load_percent: None, hot: None };
        assert_eq!(machine.look(), unknown);
    }

    #[test]
    fn the_load_is_that_since_the_last_look() {
        let files = Files::new();
        files.put_ticks(0, 0, 0);
        let mut machine = files.machine();
        files.put_ticks(1000, 0, 0);
        assert_eq!(machine.look().load_percent, Some(100));
        files.put_ticks(1000, 1000, 0);
        assert_eq!(machine.look().load_percent, Some(0));
    }

    #[test]
    fn a_look_too_soon_repeats_the_last_word_and_the_next_one_counts_from_before() {
        let files = Files::new();
        files.put_ticks(0, 0, 0);
        let mut machine = files.machine();
        files.put_ticks(500, 500, 0);
        assert_eq!(machine.look().load_percent, Some(50));
        files.put_ticks(550, 500, 0);
        assert_eq!(machine.look().load_percent, Some(50));
        files.put_ticks(600, 500, 0);
        assert_eq!(machine.look().load_percent, Some(100));
    }

    #[test]
    fn a_hot_machine_is_hot_until_it_has_cooled_by_some_degrees() {
        let files = Files::new();
        files.put("sys/hwmon/hwmon3/name", "coretemp");
        files.put("sys/hwmon/hwmon3/temp1_crit", "100000");
        files.put("sys/hwmon/hwmon3/temp1_input", "40000");
        let mut machine = files.machine();
        let mut hot_at = |degrees: u32| {
            files.put("sys/hwmon/hwmon3/temp1_input", &format!("{degrees}000"));
            machine.look().hot
        };
        let seen = [94, 95, 94, 86, 84, 90].map(&mut hot_at);
        assert_eq!(seen, [false, true, true, true, false, false].map(Some));
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let facts = Machine::new().look();
        assert!(facts.load_percent.is_none_or(|percent| percent <= 100), "{facts:?}");
    }

    #[test]
    fn a_program_that_is_not_there_says_nothing() {
        assert_eq!(said("/nonexistent/pmset", &["-g"]), "");
    }
}
