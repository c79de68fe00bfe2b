//! When chela may learn by itself: the rules of `[learn]` over what is known of the machine and its user. Pure.
//!
//! What lives here: the rules, their order, and the sentence that the status line shows while one of them holds. What
//! does not: reading the machine and the clock (the daemon), stopping within 50 ms for an answer (`pace`).
//!
//! What always holds: what is unknown is no reason to wait; a rule that stopped a run lets it go on only with a margin,
//! so that learning does not flap. A person who says `chela learn now` has decided: such a run waits for no idle time,
//! load, heat, battery or budget, only for the dial, a pause and something to learn.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{Dial, Learning, When};

/// A battery below this, in percent, is left to its user even where learning on battery is allowed.
const LOW_BATTERY: u8 = 20;
/// A run that stopped for a low battery goes on from here, in percent.
const ENOUGH_BATTERY: u8 = 30;

/// What the rules look at. The settings are given beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// There is something that the weights do not hold yet.
    pub has_work: bool,
    /// `chela learn now`: a person wants this run.
    pub asked: bool,
    /// `chela learn pause`. Who asks for a run after that resumes first.
    pub paused: bool,
    /// Since the last request ended, or the daemon started; zero while one runs.
    pub since_request: Duration,
    pub power: Power,
    /// Work of other programs, in percent of all cores; `None`: unknown.
    pub load_percent: Option<u8>,
    /// The processor is at its limit, or was and has not cooled yet; `None`: unknown.
    pub hot: Option<bool>,
    /// On this day of the user's calendar.
    pub learned_today: Duration,
}

/// Where the machine's power comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    Mains,
    Battery {
        /// Charge, 0 to 100.
        percent: Option<u8>,
    },
    Unknown,
}

/// Why learning waits. As text it is what the status line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Wait {
    /// The dial is off.
    Off,
    /// Paused by a person.
    Paused,
    NothingNew,
    /// Learns only when asked.
    NotAsked,
    Hot,
    OnBattery,
    LowBattery {
        percent: u8,
        /// From here on it goes on.
        enough: u8,
    },
    DayFull {
        minutes: u64,
    },
    Load {
        percent: u8,
        /// At most so much lets it go on.
        at_most: u8,
    },
    InUse {
        /// So long nobody may have used the model.
        minutes: u64,
        /// What is left of it.
        left_s: u64,
    },
}

/// Whether a run may begin.
pub fn may_begin(facts: &Facts, settings: &Learning) -> Result<(), Wait> {
    if settings.dial != Dial::Off && !facts.paused && !facts.has_work {
        return Err(Wait::NothingNew);
    }
    may_go_on(facts, settings, None)
}

/// Whether a run that has begun may go on. `waits`: what it is stopped for, as the last look said; `None` while it runs.
pub fn may_go_on(facts: &Facts, settings: &Learning, waits: Option<Wait>) -> Result<(), Wait> {
    let decided = [dial(settings), pause(facts)];
    // From the rule that lasts longest to the one that lasts shortest: the first is what a person wants to know.
    let by_itself = || {
        [
            unasked(settings),
            budget(facts, settings),
            power(facts, settings, waits),
            heat(facts),
            load(facts, settings, waits),
            idle(facts, settings),
        ]
    };
    let of_the_machine = (!facts.asked).then(by_itself);
    let reasons = decided.into_iter().chain(of_the_machine.into_iter().flatten());
    reasons.flatten().next().map_or(Ok(()), Err)
}

fn dial(settings: &Learning) -> Option<Wait> {
    (settings.dial == Dial::Off).then_some(Wait::Off)
}

fn pause(facts: &Facts) -> Option<Wait> {
    facts.paused.then_some(Wait::Paused)
}

fn unasked(settings: &Learning) -> Option<Wait> {
    (settings.when == When::Asked).then_some(Wait::NotAsked)
}

fn budget(facts: &Facts, settings: &Learning) -> Option<Wait> {
    let minutes = settings.max_minutes_per_day;
    let is_spent = minutes > 0 && facts.learned_today >= in_minutes(minutes);
    is_spent.then_some(Wait::DayFull { minutes })
}

fn power(facts: &Facts, settings: &Learning, waits: Option<Wait>) -> Option<Wait> {
    let Power::Battery { percent } = facts.power else { return None };
    if !settings.on_battery {
        return Some(Wait::OnBattery);
    }
    let is_charging_up = matches!(waits, Some(Wait::LowBattery { .. }));
    let enough = if is_charging_up { ENOUGH_BATTERY } else { LOW_BATTERY };
    percent.filter(|percent| *percent < enough).map(|percent| Wait::LowBattery { percent, enough })
}

/// The margin is in the fact already: it is in degrees, which only the reader of the machine knows.
fn heat(facts: &Facts) -> Option<Wait> {
    (facts.hot == Some(true)).then_some(Wait::Hot)
}

fn load(facts: &Facts, settings: &Learning, waits: Option<Wait>) -> Option<Wait> {
    let most = settings.max_load_percent;
    // A fifth below the limit, so that a load around it does not start and stop a run with every look.
    let at_most = if matches!(waits, Some(Wait::Load { .. })) { most - most / 5 } else { most };
    facts.load_percent.filter(|percent| *percent > at_most).map(|percent| Wait::Load { percent, at_most })
}

/// Needs no margin of its own: after each request the whole idle time passes again.
fn idle(facts: &Facts, settings: &Learning) -> Option<Wait> {
    if settings.when != When::Idle {
        return None;
    }
    let minutes = settings.idle_minutes;
    let left = in_minutes(minutes).checked_sub(facts.since_request).filter(|left| !left.is_zero())?;
    let left_s = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    Some(Wait::InUse { minutes, left_s })
}

fn in_minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes.saturating_mul(60))
}

impl Wait {
    /// After this long another look is worth it, though nothing rang before. Between one second and ten minutes, but
    /// for [`Wait::InUse`], which knows.
    pub fn look_again(self) -> Duration {
        match self {
            Self::InUse { left_s, .. } => Duration::from_secs(left_s.max(1)),
            Self::Load { .. } => Duration::from_secs(15),
            Self::Hot | Self::OnBattery | Self::LowBattery { .. } => Duration::from_secs(30),
            Self::NothingNew => Duration::from_mins(1),
            // Midnight is not worth an exact wait, and the others end with a command.
            Self::DayFull { .. } | Self::Off | Self::Paused | Self::NotAsked => Duration::from_mins(10),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => write!(out, "learning is off (learn.dial)"),
            Self::Paused => write!(out, "paused (`chela learn resume` goes on)"),
            Self::NothingNew => write!(out, "nothing new to learn"),
            Self::NotAsked => write!(out, "waits for `chela learn now` (learn.when = \"asked\")"),
            Self::Hot => write!(out, "the processor is hot"),
            Self::OnBattery => write!(out, "on battery (learn.on_battery = true lets it)"),
            Self::LowBattery { percent, enough } => {
                write!(out, "the battery has {percent} % left (goes on from {enough} %, or plugged in)")
            }
            Self::DayFull { minutes } => {
                write!(out, "{} learned today (learn.max_minutes_per_day)", were(*minutes))
            }
            Self::Load { percent, at_most } => {
                write!(out, "other programs use {percent} % of the processor (goes on at {at_most} %)")
            }
            Self::InUse { minutes, .. } => {
                write!(out, "waits until nobody has used the model for {}", counted(*minutes))
            }
        }
    }
}

fn were(minutes: u64) -> String {
    let verb = if minutes == 1 { "was" } else { "were" };
    format!("{} {verb}", counted(minutes))
}

fn counted(minutes: u64) -> String {
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    format!("{minutes} {unit}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything speaks for learning.
    fn calm() -> Facts {
        Facts {
            has_work: true,
            asked: false,
            paused: false,
            since_request: in_minutes(60),
            power: Power::Mains,
            load_percent: Some(0),
            hot: Some(false),
            learned_today: Duration::ZERO,
        }
    }

    fn usual() -> Learning {
        Learning::default()
    }

    fn on_battery(percent: impl Into<Option<u8>>) -> Facts {
        Facts { power: Power::Battery { percent: percent.into() }, ..calm() }
    }

    fn loaded(percent: u8) -> Facts {
        Facts { load_percent: Some(percent), ..calm() }
    }

    fn idle_for(seconds: u64) -> Facts {
        Facts { since_request: Duration::from_secs(seconds), ..calm() }
    }

    fn learned(minutes: u64) -> Facts {
        Facts { learned_today: in_minutes(minutes), ..calm() }
    }

    /// What both a run that would begin and one that runs are told.
    #[track_caller]
    fn check(facts: Facts, settings: &Learning, expected: Option<Wait>) {
        assert_eq!(may_begin(&facts, settings).err(), expected, "to begin");
        assert_eq!(may_go_on(&facts, settings, None).err(), expected, "to go on");
    }

    /// What a run is told that stopped for `waits`.
    #[track_caller]
    fn check_stopped(waits: Wait, facts: Facts, settings: &Learning, expected: Option<Wait>) {
        assert_eq!(may_go_on(&facts, settings, Some(waits)).err(), expected);
    }

    #[test]
    fn on_a_calm_machine_it_learns() {
        check(calm(), &usual(), None);
    }

    #[test]
    fn what_is_unknown_is_no_reason_to_wait() {
        check(Facts { power: Power::Unknown, load_percent: None, hot: None, ..calm() }, &usual(), None);
    }

    #[test]
    fn off_is_off_even_for_who_asks() {
        let off = Learning { dial: Dial::Off, ..usual() };
        check(calm(), &off, Some(Wait::Off));
        check(Facts { asked: true, ..calm() }, &off, Some(Wait::Off));
    }

    #[test]
    fn a_pause_holds_until_it_is_taken_back() {
        check(Facts { paused: true, ..calm() }, &usual(), Some(Wait::Paused));
        check(Facts { paused: true, asked: true, ..calm() }, &usual(), Some(Wait::Paused));
    }

    #[test]
    fn without_anything_new_no_run_begins_and_one_that_runs_ends_by_itself() {
        let facts = Facts { has_work: false, ..calm() };
        assert_eq!(may_begin(&facts, &usual()), Err(Wait::NothingNew));
        assert_eq!(may_begin(&Facts { asked: true, ..facts }, &usual()), Err(Wait::NothingNew));
        assert_eq!(may_go_on(&facts, &usual(), None), Ok(()));
    }

    #[test]
    fn who_wants_to_be_asked_is_asked() {
        let asked = Learning { when: When::Asked, ..usual() };
        check(calm(), &asked, Some(Wait::NotAsked));
        check(Facts { asked: true, ..calm() }, &asked, None);
    }

    #[test]
    fn nobody_may_have_used_the_model_for_the_idle_time() {
        let in_use = |left_s| Some(Wait::InUse { minutes: 3, left_s });
        check(idle_for(0), &usual(), in_use(180));
        check(idle_for(179), &usual(), in_use(1));
        check(idle_for(180), &usual(), None);
        check(Facts { since_request: Duration::from_millis(179_999), ..calm() }, &usual(), in_use(1));
        check(idle_for(0), &Learning { idle_minutes: 0, ..usual() }, None);
        check(idle_for(0), &Learning { when: When::Always, ..usual() }, None);
    }

    #[test]
    fn nothing_is_taken_from_a_battery_unless_told() {
        check(on_battery(100), &usual(), Some(Wait::OnBattery));
        check(on_battery(None), &usual(), Some(Wait::OnBattery));
        check(on_battery(100), &Learning { when: When::Always, ..usual() }, Some(Wait::OnBattery));
        let told = Learning { on_battery: true, ..usual() };
        check(on_battery(20), &told, None);
        check(on_battery(None), &told, None);
        check(on_battery(19), &told, Some(Wait::LowBattery { percent: 19, enough: 20 }));
    }

    #[test]
    fn after_a_low_battery_it_goes_on_with_a_margin_or_at_the_mains() {
        let told = Learning { on_battery: true, ..usual() };
        let low = |percent, enough| Wait::LowBattery { percent, enough };
        check_stopped(low(19, 20), on_battery(25), &told, Some(low(25, 30)));
        check_stopped(low(25, 30), on_battery(29), &told, Some(low(29, 30)));
        check_stopped(low(29, 30), on_battery(30), &told, None);
        check_stopped(low(19, 20), calm(), &told, None);
        check_stopped(Wait::OnBattery, calm(), &usual(), None);
    }

    #[test]
    fn it_waits_for_other_programs() {
        check(loaded(50), &usual(), None);
        check(loaded(51), &usual(), Some(Wait::Load { percent: 51, at_most: 50 }));
        check(loaded(100), &Learning { max_load_percent: 100, ..usual() }, None);
        check(
            loaded(1),
            &Learning { max_load_percent: 0, ..usual() },
            Some(Wait::Load { percent: 1, at_most: 0 }),
        );
        check(loaded(0), &Learning { max_load_percent: 0, ..usual() }, None);
    }

    #[test]
    fn after_a_load_it_goes_on_with_a_margin() {
        let load = |percent, at_most| Wait::Load { percent, at_most };
        check_stopped(load(51, 50), loaded(45), &usual(), Some(load(45, 40)));
        check_stopped(load(45, 40), loaded(41), &usual(), Some(load(41, 40)));
        check_stopped(load(41, 40), loaded(40), &usual(), None);
        check_stopped(Wait::Hot, loaded(45), &usual(), None);
    }

    #[test]
    fn a_load_around_the_limit_stops_a_run_once() {
        let mut waits = None;
        let mut stops = 0;
        for percent in [49, 51, 48, 52, 47, 53, 46, 50, 49, 51] {
            let now = may_go_on(&loaded(percent), &usual(), waits).err();
            stops += usize::from(waits.is_none() && now.is_some());
            waits = now;
        }
        assert_eq!((stops, waits), (1, Some(Wait::Load { percent: 51, at_most: 40 })));
    }

    #[test]
    fn it_waits_until_a_hot_processor_has_cooled() {
        check(Facts { hot: Some(true), ..calm() }, &usual(), Some(Wait::Hot));
        check_stopped(Wait::Hot, calm(), &usual(), None);
    }

    #[test]
    fn a_day_has_its_minutes() {
        check(learned(59), &usual(), None);
        check(learned(60), &usual(), Some(Wait::DayFull { minutes: 60 }));
        check(learned(10_000), &Learning { max_minutes_per_day: 0, ..usual() }, None);
        check_stopped(Wait::DayFull { minutes: 60 }, learned(0), &usual(), None);
    }

    #[test]
    fn who_asks_has_decided() {
        let asked = Facts {
            asked: true,
            since_request: Duration::ZERO,
            power: Power::Battery { percent: Some(3) },
            load_percent: Some(100),
            hot: Some(true),
            learned_today: in_minutes(1000),
            ..calm()
        };
        for when in [When::Asked, When::Idle, When::Always] {
            check(asked, &Learning { when, ..usual() }, None);
        }
    }

    #[test]
    fn the_reason_that_lasts_longest_is_told() {
        let all = Facts {
            since_request: Duration::ZERO,
            power: Power::Battery { percent: Some(3) },
            load_percent: Some(100),
            hot: Some(true),
            learned_today: in_minutes(1000),
            ..calm()
        };
        check(all, &usual(), Some(Wait::DayFull { minutes: 60 }));
        let all = Facts { learned_today: Duration::ZERO, ..all };
        check(all, &usual(), Some(Wait::OnBattery));
        let all = Facts { power: Power::Mains, ..all };
        check(all, &usual(), Some(Wait::Hot));
        let all = Facts { hot: None, ..all };
        check(all, &usual(), Some(Wait::Load { percent: 100, at_most: 50 }));
        let all = Facts { load_percent: None, ..all };
        check(all, &usual(), Some(Wait::InUse { minutes: 3, left_s: 180 }));
    }

    #[track_caller]
    fn check_said(wait: Wait, expected: &str) {
        assert_eq!(wait.to_string(), expected);
        let json = serde_json::to_string(&wait).unwrap();
        assert_eq!(serde_json::from_str::<Wait>(&json).unwrap(), wait, "{json}");
        assert!(wait.look_again() >= Duration::from_secs(1), "a look must not spin");
    }

    #[test]
    fn each_reason_says_what_would_change_it() {
        check_said(Wait::Off, "learning is off (learn.dial)");
        check_said(Wait::Paused, "paused (`chela learn resume` goes on)");
        check_said(Wait::NothingNew, "nothing new to learn");
        check_said(Wait::NotAsked, "waits for `chela learn now` (learn.when = \"asked\")");
        check_said(Wait::Hot, "the processor is hot");
        check_said(Wait::OnBattery, "on battery (learn.on_battery = true lets it)");
        check_said(
            Wait::LowBattery { percent: 12, enough: 20 },
            "the battery has 12 % left (goes on from 20 %, or plugged in)",
        );
        check_said(
            Wait::DayFull { minutes: 60 },
            "60 minutes were learned today (learn.max_minutes_per_day)",
        );
        check_said(Wait::DayFull { minutes: 1 }, "1 minute was learned today (learn.max_minutes_per_day)");
        check_said(
            Wait::Load { percent: 73, at_most: 50 },
            "other programs use 73 % of the processor (goes on at 50 %)",
        );
        check_said(
            Wait::InUse { minutes: 3, left_s: 0 },
            "waits until nobody has used the model for 3 minutes",
        );
        check_said(
            Wait::InUse { minutes: 1, left_s: 9 },
            "waits until nobody has used the model for 1 minute",
        );
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        let power = prop_oneof![
            Just(Power::Mains),
            Just(Power::Unknown),
            proptest::option::of(0..=100u8).prop_map(|percent| Power::Battery { percent }),
        ];
        let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<Option<bool>>());
        let numbers = (0..600u64, proptest::option::of(0..=100u8), 0..200u64);
        (flags, numbers, power).prop_map(|((has_work, asked, paused, hot), (since, load, learned), power)| {
            Facts {
                has_work,
                asked,
                paused,
                hot,
                power,
                since_request: Duration::from_secs(since),
                load_percent: load,
                learned_today: in_minutes(learned),
            }
        })
    }

    proptest! {
        /// A run that may begin is not stopped by the next look at the same machine, and what a run waits for it still
        /// waits for when nothing has changed.
        #[test]
        fn the_same_machine_gives_the_same_word(facts in any_facts(), on_battery: bool, most in 0..=100u8) {
            let settings = Learning { on_battery, max_load_percent: most, ..usual() };
            if may_begin(&facts, &settings).is_ok() {
                prop_assert_eq!(may_go_on(&facts, &settings, None), Ok(()));
            }
            if let Err(wait) = may_go_on(&facts, &settings, None) {
                let again = may_go_on(&facts, &settings, Some(wait)).unwrap_err();
                prop_assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&wait));
            }
        }
    }
}
