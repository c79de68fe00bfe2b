//! Where the power comes from: `/sys/class/power_supply` (Linux) or `pmset -g batt` (macOS).

use std::path::Path;

use super::{folders_in, text};
use crate::learn::when::Power;

/// One entry of `/sys/class/power_supply`, in the kernel's words; what it does not tell is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Supply {
    /// `Battery`, `UPS`, or what charges: `Mains`, `USB`, `Wireless`.
    kind: String,
    /// `Device`: it feeds a mouse or a headset, not the machine.
    scope: String,
    /// `0`: nothing is plugged in.
    online: String,
    /// `Charging`, `Discharging`, `Not charging`, `Full`, `Unknown`.
    status: String,
    capacity: String,
    /// `0`: an empty bay.
    present: String,
}

impl Supply {
    fn read(folder: &Path) -> Self {
        let word = |name: &str| text(&folder.join(name));
        Self {
            kind: word("type"),
            scope: word("scope"),
            online: word("online"),
            status: word("status"),
            capacity: word("capacity"),
            present: word("present"),
        }
    }

    fn is_the_machines(&self) -> bool {
        self.scope != "Device" && self.present != "0" && !self.kind.is_empty()
    }

    fn is_battery(&self) -> bool {
        matches!(self.kind.as_str(), "Battery" | "UPS")
    }
}

/// Unknown when the folder is not there, as in many containers.
pub(super) fn of_supplies(folder: &Path) -> Power {
    if !folder.is_dir() {
        return Power::Unknown;
    }
    let supplies: Vec<Supply> = folders_in(folder).iter().map(|folder| Supply::read(folder)).collect();
    power(&supplies)
}

fn power(supplies: &[Supply]) -> Power {
    let ours = supplies.iter().filter(|supply| supply.is_the_machines());
    let (batteries, chargers): (Vec<&Supply>, Vec<&Supply>) = ours.partition(|supply| supply.is_battery());
    let is_any = |states: &[&str]| batteries.iter().any(|battery| states.contains(&battery.status.as_str()));
    // USB says 1 or 2, by the kind of charger.
    let is_plugged_in = chargers.iter().any(|charger| matches!(charger.online.as_str(), "1" | "2"));
    if batteries.is_empty() || is_plugged_in {
        return Power::Mains;
    }
    if is_any(&["Discharging"]) {
        return Power::Battery { percent: mean_charge(&batteries) };
    }
    if is_any(&["Charging", "Full", "Not charging"]) {
        return Power::Mains;
    }
    // Nothing is said of the battery, but nothing feeds it either.
    if chargers.iter().any(|charger| charger.online == "0") {
        return Power::Battery { percent: mean_charge(&batteries) };
    }
    Power::Unknown
}

fn mean_charge(batteries: &[&Supply]) -> Option<u8> {
    let charges: Vec<u32> = batteries.iter().filter_map(|battery| battery.capacity.parse().ok()).collect();
    let n = u32::try_from(charges.len()).ok()?;
    let sum = charges.iter().fold(0_u32, |sum, charge| sum.saturating_add(*charge));
    sum.checked_div(n).and_then(|mean| u8::try_from(mean.min(100)).ok())
}

/// From `pmset -g batt`, whose first line says what is drawn from.
pub(super) fn of_pmset(said: &str) -> Power {
    let source = said.lines().find_map(|line| line.strip_prefix("Now drawing from "));
    match source.map(|source| source.trim().trim_matches('\'')) {
        Some("AC Power") => Power::Mains,
        Some("Battery Power" | "UPS Power") => Power::Battery { percent: percent_in(said) },
        // A machine without a battery says so, or nothing.
        None if said.contains("No batteries available") => Power::Mains,
        _ => Power::Unknown,
    }
}

/// The first `NN%`.
fn percent_in(said: &str) -> Option<u8> {
    let (before, _) = said.split_once('%')?;
    let digits = before.rsplit(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|percent| *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn battery(status: &str, capacity: &str) -> Supply {
        Supply {
            kind: "Battery".into(),
            status: status.into(),
            capacity: capacity.into(),
            present: "1".into(),
            ..Supply::default()
        }
    }

    fn charger(kind: &str, online: &str) -> Supply {
        Supply { kind: kind.into(), online: online.into(), ..Supply::default() }
    }

    fn at(percent: u8) -> Power {
        Power::Battery { percent: Some(percent) }
    }

    #[track_caller]
    fn check(supplies: &[Supply], expected: Power) {
        assert_eq!(power(supplies), expected);
    }

    #[test]
    fn a_machine_without_a_battery_is_at_the_mains() {
        check(&[], Power::Mains);
        check(&[charger("Mains", "1")], Power::Mains);
        check(&[charger("USB", "0")], Power::Mains);
    }

    #[test]
    fn a_charger_that_is_plugged_in_counts_whatever_the_battery_says() {
        check(&[battery("Charging", "40"), charger("Mains", "1")], Power::Mains);
        check(&[battery("Discharging", "99"), charger("Mains", "1")], Power::Mains);
        check(&[charger("USB", "0"), charger("USB", "2"), battery("Unknown", "")], Power::Mains);
    }

    #[test]
    fn a_battery_that_empties_is_where_the_power_comes_from() {
        check(&[charger("Mains", "0"), battery("Discharging", "81")], at(81));
        check(&[battery("Discharging", "7")], at(7));
        check(&[battery("Discharging", "")], Power::Battery { percent: None });
        check(&[charger("Mains", "0"), battery("Unknown", "55")], at(55));
        let ups = Supply { kind: "UPS".into(), ..battery("Discharging", "90") };
        check(&[ups], at(90));
    }

    #[test]
    fn two_batteries_are_one_charge() {
        check(&[battery("Discharging", "20"), battery("Unknown", "100")], at(60));
    }

    #[test]
    fn a_battery_that_does_not_empty_is_fed_by_something() {
        check(&[battery("Full", "100")], Power::Mains);
        check(&[battery("Not charging", "80")], Power::Mains);
        check(&[battery("Unknown", "80")], Power::Unknown);
    }

    #[test]
    fn the_battery_of_a_mouse_is_not_the_machines() {
        let mouse = Supply { scope: "Device".into(), ..battery("Discharging", "30") };
        check(&[mouse.clone(), charger("Mains", "1")], Power::Mains);
        check(&[mouse], Power::Mains);
        check(&[Supply { present: "0".into(), ..battery("Unknown", "") }], Power::Mains);
    }

    #[test]
    fn an_empty_folder_is_a_desktop_and_none_is_unknown() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(of_supplies(home.path()), Power::Mains);
        assert_eq!(of_supplies(&home.path().join("none")), Power::Unknown);
    }

    #[track_caller]
    fn check_pmset(said: &str, expected: Power) {
        assert_eq!(of_pmset(said), expected);
    }

    #[test]
    fn macos_says_what_is_drawn_from() {
        check_pmset(
            "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=22675555)\t97%; discharging; 4:09 remaining present: true\n",
            at(97),
        );
        check_pmset(
            "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=22806627)\t100%; discharging; (no estimate) present: true\n",
            at(100),
        );
        check_pmset(
            "Now drawing from 'AC Power'\n -InternalBattery-0 (id=28442723)\t7%; AC attached; not charging present: true\n",
            Power::Mains,
        );
        check_pmset("Now drawing from 'AC Power'\n", Power::Mains);
        check_pmset("Now drawing from 'Battery Power'\n", Power::Battery { percent: None });
        check_pmset("No batteries available.\n", Power::Mains);
        check_pmset("", Power::Unknown);
        check_pmset("pmset: command failed\n", Power::Unknown);
    }
}
