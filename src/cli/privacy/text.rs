//! The report as people read it. Pure, but for the zone that dates are shown in.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Report, RulesInForce};
use crate::cli::output;
use crate::config::Dial;
use crate::store::{Holdings, StateKind};

pub(super) fn page(report: &Report) -> String {
    let mut page = String::from("All of this is on this machine, and nothing of it leaves it.\n\nKept\n");
    page.push_str(&places(report));
    if let Some(ledger) = &report.ledger {
        holdings(&mut page, ledger);
    } else {
        let problem = report.ledger_problem.as_ref().map(|problem| format!("cannot be read: {problem}"));
        section(&mut page, "In the ledger", vec![problem.unwrap_or_else(|| "nothing yet".to_owned())]);
    }
    section(&mut page, "Rules", rules(&report.rules, report.ledger.as_ref()));
    section(&mut page, "Encrypted on the disk", report.at_rest.lines());
    let told = match &report.consent {
        None => "you were not asked yet: a first chat, question or shell at a terminal does".to_owned(),
        Some(consent) => {
            let said = match consent.learning {
                Some(true) => "learning was agreed to",
                Some(false) => "learning was declined",
                None => "learning was not asked about",
            };
            format!("you were told what is kept on {}; {said}", day(consent.at * 1000))
        }
    };
    section(&mut page, "Consent", vec![told]);
    if report.places.is_empty() {
        return page.trim_end().to_owned();
    }
    let removing = report.places.iter().map(|place| format!("{}: {}", place.what, place.remove));
    section(&mut page, "To remove it", removing.collect());
    page.trim_end().to_owned()
}

fn section(page: &mut String, title: &str, lines: Vec<String>) {
    let _ = write!(page, "\n{title}\n");
    for line in lines {
        let _ = writeln!(page, "  {line}");
    }
}

fn places(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .places
        .iter()
        .map(|place| {
            vec![
                format!("  {}", place.what),
                n_of(place.files, "file"),
                output::size(place.bytes),
                between(place.oldest, place.newest),
                place.path.display().to_string(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "  no file yet\n".to_owned();
    }
    let mut text = output::table(&rows);
    text.push('\n');
    for place in &report.places {
        let _ = writeln!(text, "  {}: {}", place.what, place.holds);
    }
    text
}

fn holdings(page: &mut String, ledger: &Holdings) {
    let sources = ledger.turns.iter().map(|count| format!("{} {}", output::word(count.source), count.n));
    let sources: Vec<String> = sources.collect();
    let mut lines = vec![format!(
        "{} in {}{}{}",
        n_of(ledger.n_turns(), "turn"),
        n_of(ledger.sessions, "session"),
        if sources.is_empty() { String::new() } else { format!(" ({})", sources.join(", ")) },
        ledger
            .oldest
            .zip(ledger.newest)
            .map_or_else(String::new, |(oldest, newest)| format!(", {}", between(oldest, newest))),
    )];
    lines.push(format!("{}, {}", n_of(ledger.next_states, "next state"), n_of(ledger.verdicts, "verdict")));
    let lessons: Vec<String> =
        ledger.lessons.iter().map(|(state, n)| format!("{n} {}", word(*state))).collect();
    lines.push(if lessons.is_empty() {
        "no lessons".to_owned()
    } else {
        format!("lessons: {}", lessons.join(", "))
    });
    section(page, "In the ledger", lines);
    let learned = ledger
        .learned
        .iter()
        .map(|one| format!("{} holds lesson {}: {}", one.version, one.lesson.0, output::harmless(&one.text)));
    section(page, "Learned by the weights", or_none(learned.collect()));
    let hidden = ledger.hidden.iter().map(|(rule, n)| format!("{rule}: {n}"));
    section(page, "Hidden before it was kept", or_none(hidden.collect()));
}

fn or_none(lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { vec!["nothing".to_owned()] } else { lines }
}

fn rules(rules: &RulesInForce, ledger: Option<&Holdings>) -> Vec<String> {
    let list =
        |entries: &[String]| if entries.is_empty() { "nothing".to_owned() } else { entries.join(", ") };
    let mut lines = vec![
        match rules.learning {
            Dial::Off => "learning is off (learn.dial)".to_owned(),
            dial => format!("learning is {} (learn.dial)", dial.name()),
        },
        format!("not recorded: {} (privacy.ignore)", list(&rules.ignore)),
        format!("never learned from: {} (privacy.never_learn)", list(&rules.never_learn)),
        match rules.keep_days {
            0 => "turns are kept until they are forgotten (privacy.keep_days)".to_owned(),
            days => format!("turns go after {days} days (privacy.keep_days)"),
        },
        format!("{} hidden besides secrets (privacy.hide)", n_of(rules.hidden_names, "name")),
    ];
    if let Some(ledger) = ledger {
        let projects = if ledger.excluded_projects.is_empty() {
            String::new()
        } else {
            format!(" ({})", ledger.excluded_projects.join(", "))
        };
        lines.push(format!(
            "taken out of learning: {}, {}, {}{projects}",
            n_of(ledger.excluded_turns, "turn"),
            n_of(ledger.excluded_sessions, "session"),
            n_of(ledger.excluded_projects.len(), "project"),
        ));
    }
    if rules.off_record_here {
        lines.push("this shell is off the record (CHELA_OFF)".to_owned());
    }
    lines
}

fn n_of(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn word(state: StateKind) -> String {
    output::word(state)
}

/// One day, or two.
fn between(oldest: i64, newest: i64) -> String {
    let (oldest, newest) = (day(oldest), day(newest));
    if oldest == newest { oldest } else { format!("{oldest} to {newest}") }
}

/// The day of a moment in Unix milliseconds, as the person's calendar has it.
fn day(moment: i64) -> String {
    let zoned = Timestamp::from_millisecond(moment).map(|moment| moment.to_zoned(TimeZone::system()));
    zoned.map_or_else(|_| "-".to_owned(), |zoned| zoned.date().to_string())
}
