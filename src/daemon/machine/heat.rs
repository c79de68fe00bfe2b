//! Whether the processor is at its limit: thermal zones and the processor's own sensors (Linux), or `pmset -g therm`
//! (macOS).

use std::path::Path;

use super::{folders_in, text};

/// A critical temperature is where machines switch off: the limit lies so far below, in thousandths of a degree.
const BELOW_CRITICAL: i64 = 5_000;
/// What was hot must cool by so much, in thousandths of a degree.
const COOLED: i64 = 10_000;
/// Firmware that means nothing by a trip point writes 0, or absolute zero, or a temperature of a warm hand.
const PLAUSIBLE: std::ops::RangeInclusive<i64> = 60_000..=130_000;
/// Sensors of processors, by the name of their driver. Disks and radios have limits too, but no part in learning.
const OF_PROCESSORS: &[&str] = &["coretemp", "k10temp", "zenpower", "cpu_thermal", "scpi_sensors"];
const MOST_TRIP_POINTS: usize = 32;

/// A temperature and the one that is not to be exceeded, in thousandths of a degree Celsius.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sensor {
    now: i64,
    limit: i64,
}

/// All sensors below `/sys/class` that have a limit.
pub(super) fn sensors(devices: &Path) -> Vec<Sensor> {
    let zones = folders_in(&devices.join("thermal"));
    let monitors = folders_in(&devices.join("hwmon"));
    let of_zones = zones.iter().filter_map(|zone| zone_sensor(zone));
    of_zones.chain(monitors.iter().flat_map(|monitor| monitor_sensors(monitor))).collect()
}

/// `None` when no sensor is known.
pub(super) fn is_hot(sensors: &[Sensor], was_hot: bool) -> Option<bool> {
    let margin = if was_hot { COOLED } else { 0 };
    (!sensors.is_empty()).then(|| sensors.iter().any(|sensor| sensor.now >= sensor.limit - margin))
}

fn zone_sensor(zone: &Path) -> Option<Sensor> {
    let now = text(&zone.join("temp")).parse().ok()?;
    let trip = |n: usize| {
        let kind = text(&zone.join(format!("trip_point_{n}_type")));
        let at = text(&zone.join(format!("trip_point_{n}_temp"))).parse().ok();
        (!kind.is_empty()).then_some((kind, at))
    };
    let trips = (0..MOST_TRIP_POINTS).map_while(trip).filter_map(|(kind, at)| Some((kind, at?)));
    Some(Sensor { now, limit: limit(trips)? })
}

/// From here on the system slows the processor down. Where only fans begin to turn it is not hot yet.
fn limit(trips: impl Iterator<Item = (String, i64)>) -> Option<i64> {
    let plausible = trips.filter(|(_, at)| PLAUSIBLE.contains(at));
    let limits = plausible.filter_map(|(kind, at)| match kind.as_str() {
        "passive" | "hot" => Some(at),
        "critical" => Some(at - BELOW_CRITICAL),
        _ => None,
    });
    limits.min()
}

fn monitor_sensors(monitor: &Path) -> Vec<Sensor> {
    if !OF_PROCESSORS.contains(&text(&monitor.join("name")).as_str()) {
        return Vec::new();
    }
    // They are numbered with gaps: by core.
    let files = folders_in(monitor);
    let names = files.iter().filter_map(|file| file.file_name()?.to_str()?.strip_suffix("_crit"));
    let number = |name: String| text(&monitor.join(name)).parse::<i64>().ok();
    let sensor = |name: &str| {
        let critical = number(format!("{name}_crit")).filter(|at| PLAUSIBLE.contains(at))?;
        Some(Sensor { now: number(format!("{name}_input"))?, limit: critical - BELOW_CRITICAL })
    };
    names.filter_map(sensor).collect()
}

/// From `pmset -g therm`: whether the system slows the processor down, or has warned.
pub(super) fn of_pmset(said: &str) -> Option<bool> {
    let value = |line: &str| line.split_once('=').and_then(|(_, value)| value.trim().parse::<u32>().ok());
    let mut hot = None;
    for line in said.lines().map(str::to_ascii_lowercase) {
        let found = if line.contains("cpu_speed_limit") {
            value(&line).map(|percent| percent < 100)
        } else if line.contains("thermal warning level") {
            // Without a number: none has been recorded. 255: unknown.
            Some(value(&line).is_some_and(|level| (1..255).contains(&level)))
        } else {
            None
        };
        hot = found.map(|found| found || hot == Some(true)).or(hot);
    }
    hot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_limit(trips: &[(&str, i64)], expected: Option<i64>) {
        assert_eq!(limit(trips.iter().map(|(kind, at)| ((*kind).to_owned(), *at))), expected);
    }

    #[test]
    fn the_limit_is_where_the_system_slows_down() {
        check_limit(&[("critical", 100_000), ("passive", 85_000), ("active", 55_000)], Some(85_000));
        check_limit(&[("critical", 105_000), ("hot", 95_000)], Some(95_000));
        check_limit(&[("critical", 100_000)], Some(95_000));
    }

    #[test]
    fn trip_points_that_mean_nothing_are_no_limit() {
        check_limit(&[], None);
        check_limit(&[("active", 70_000)], None);
        check_limit(&[("passive", 0), ("passive", -274_000), ("critical", 20_800)], None);
        check_limit(&[("passive", -274_000), ("critical", 110_000)], Some(105_000));
    }

    #[track_caller]
    fn check_hot(sensors: &[(i64, i64)], was_hot: bool, expected: Option<bool>) {
        let sensors: Vec<Sensor> = sensors.iter().map(|&(now, limit)| Sensor { now, limit }).collect();
        assert_eq!(is_hot(&sensors, was_hot), expected);
    }

    #[test]
    fn one_sensor_at_its_limit_is_enough() {
        check_hot(&[], false, None);
        check_hot(&[(84_999, 85_000)], false, Some(false));
        check_hot(&[(40_000, 85_000), (95_000, 95_000)], false, Some(true));
        check_hot(&[(75_000, 85_000)], true, Some(true));
        check_hot(&[(74_999, 85_000)], true, Some(false));
    }

    #[test]
    fn sensors_are_found_in_zones_and_processors_and_others_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        // A cooling device lies among the zones, and a zone may be switched off.
        put("thermal/cooling_device0/type", "Processor\n");
        put("thermal/thermal_zone0/temp", "27800\n");
        put("thermal/thermal_zone0/trip_point_0_type", "active\n");
        put("thermal/thermal_zone0/trip_point_0_temp", "71000\n");
        put("thermal/thermal_zone0/trip_point_1_type", "passive\n");
        put("thermal/thermal_zone0/trip_point_1_temp", "95000\n");
        put("thermal/thermal_zone1/temp", "\n");
        put("thermal/thermal_zone1/trip_point_0_type", "passive\n");
        put("thermal/thermal_zone1/trip_point_0_temp", "90000\n");
        put("hwmon/hwmon0/name", "nvme\n");
        put("hwmon/hwmon0/temp1_crit", "84850\n");
        put("hwmon/hwmon0/temp1_input", "80850\n");
        put("hwmon/hwmon4/name", "coretemp\n");
        put("hwmon/hwmon4/temp1_crit", "100000\n");
        put("hwmon/hwmon4/temp1_input", "61000\n");
        put("hwmon/hwmon4/temp42_crit", "100000\n");
        put("hwmon/hwmon4/temp42_input", "58000\n");
        put("hwmon/hwmon4/temp43_input", "58000\n");
        let expected = [(27_800, 95_000), (61_000, 95_000), (58_000, 95_000)];
        assert_eq!(sensors(home.path()), expected.map(|(now, limit)| Sensor { now, limit }));
    }

    #[track_caller]
    fn check_pmset(said: &str, expected: Option<bool>) {
        assert_eq!(of_pmset(said), expected);
    }

    #[test]
    fn macos_says_when_it_slows_the_processor_down() {
        let slowed = "\
Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
2020-11-24 13:10:40 +0100 CPU Power notify
\tCPU_Scheduler_Limit \t= 100
\tCPU_Available_CPUs \t= 8
\tCPU_Speed_Limit \t= 35
";
        check_pmset(slowed, Some(true));
        check_pmset(&slowed.replace("= 35", "= 100"), Some(false));
        check_pmset("Note: No thermal warning level has been recorded\n", Some(false));
        check_pmset("Thermal Warning Level = 5\n", Some(true));
        check_pmset("Thermal Warning Level = 0\n", Some(false));
        check_pmset("", None);
    }
}
