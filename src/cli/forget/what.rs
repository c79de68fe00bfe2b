//! What is to be forgotten, as a person names it. Pure.

use std::path::Path;

use jiff::{Timestamp, ToSpan, Zoned, civil};

use crate::daemon::wire::LessonId;
use crate::daemon::wire::forgetting::Forget;
use crate::turn::{SessionId, TurnId};

/// How it is named, for a refusal.
const FORMS: &str = "say turn N, lesson N, session ID, project [DIR], since TIME, matching TEXT, or all";

/// What else a wish is read with.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) cwd: &'a Path,
    pub(super) now: &'a Zoned,
}

/// The wish that the words say.
pub(super) fn wish(words: &[String], around: &Around<'_>) -> Result<Forget, String> {
    let empty = Forget { rebuild: true, ..Forget::default() };
    let Some((first, rest)) = words.split_first() else { return Err(FORMS.to_owned()) };
    let text = rest.join(" ");
    let named = || if rest.is_empty() { Err(format!("{first} what? {FORMS}")) } else { Ok(()) };
    match first.as_str() {
        "turn" | "turns" => {
            named()?;
            let turns = rest.iter().map(|word| number(word, "turn").map(TurnId)).collect::<Result<_, _>>()?;
            Ok(Forget { turns, ..empty })
        }
        "lesson" | "lessons" => {
            named()?;
            let lessons = rest.iter().map(|word| number(word, "lesson").map(LessonId));
            Ok(Forget { lessons: lessons.collect::<Result<_, _>>()?, ..empty })
        }
        "session" | "sessions" => {
            named()?;
            Ok(Forget { sessions: rest.iter().map(|name| SessionId(name.clone())).collect(), ..empty })
        }
        "project" => project(rest, around.cwd).map(|folder| Forget { project: Some(folder), ..empty }),
        "since" => {
            named()?;
            since(&text, around.now).map(|at| Forget { since: Some(at.as_millisecond()), ..empty })
        }
        "matching" => {
            named()?;
            Ok(Forget { matching: Some(text), ..empty })
        }
        "all" if rest.is_empty() => Ok(Forget { all: true, ..empty }),
        _ => short_forms(words, empty),
    }
}

/// `3`, `#3`, `lesson:3`, `turn:17`: several, and mixed.
fn short_forms(words: &[String], mut wish: Forget) -> Result<Forget, String> {
    for word in words {
        match word.split_once(':') {
            Some(("turn", digits)) => wish.turns.push(TurnId(number(digits, "turn")?)),
            Some(("lesson", digits)) => wish.lessons.push(LessonId(number(digits, "lesson")?)),
            _ => match word.strip_prefix('#').unwrap_or(word).parse() {
                Ok(lesson) => wish.lessons.push(LessonId(lesson)),
                Err(_) => return Err(format!("\"{word}\" names nothing; {FORMS}")),
            },
        }
    }
    Ok(wish)
}

fn number(word: &str, kind: &str) -> Result<i64, String> {
    let digits = word.strip_prefix('#').unwrap_or(word);
    let number = digits.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("\"{word}\" is no {kind}'s number; `chela {kind}s` shows them"))
}

/// The folder with its whole name, as turns have it.
fn project(rest: &[String], cwd: &Path) -> Result<String, String> {
    let folder = match rest {
        [] => cwd.to_path_buf(),
        [folder] => cwd.join(folder),
        _ => return Err("project takes one folder; quote a name with blanks".to_owned()),
    };
    // A folder that is gone by now may be meant all the same.
    let folder = std::fs::canonicalize(&folder).or_else(|_| std::path::absolute(&folder));
    let folder = folder.map_err(|err| format!("{}: {err}", rest.join(" ")))?;
    folder.into_os_string().into_string().map_err(|_| "the folder's name is not UTF-8".to_owned())
}

/// `2h`, `yesterday`, `2026-11-20`, `2026-11-20T10:00`, or a whole time with its zone.
fn since(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let at = named_day(text, now)
        .or_else(|| ago(text, now))
        .or_else(|| text.parse().ok())
        .or_else(|| in_zone(text, now))
        .ok_or_else(|| {
            format!("\"{text}\" is no time; say 2h, 3d, today, yesterday, 2026-11-20 or 2026-11-20T10:00")
        })?;
    if at > now.timestamp() {
        return Err(format!("{text} is still to come"));
    }
    Ok(at)
}

fn named_day(text: &str, now: &Zoned) -> Option<Timestamp> {
    let day = match text {
        "today" => now.clone(),
        "yesterday" => now.yesterday().ok()?,
        _ => return None,
    };
    day.start_of_day().ok().map(|start| start.timestamp())
}

fn ago(text: &str, now: &Zoned) -> Option<Timestamp> {
    let unit = text.chars().next_back()?;
    let n: i64 = text.strip_suffix(unit)?.trim().parse().ok().filter(|n| (0..=100_000).contains(n))?;
    let span = match unit {
        's' => n.seconds(),
        'm' => n.minutes(),
        'h' => n.hours(),
        'd' => n.days(),
        'w' => n.weeks(),
        _ => return None,
    };
    now.checked_sub(span).ok().map(|then| then.timestamp())
}

fn in_zone(text: &str, now: &Zoned) -> Option<Timestamp> {
    let at: civil::DateTime = match text.split_once(['T', ' ']) {
        Some(_) => text.parse().ok()?,
        None => text.parse::<civil::Date>().ok()?.to_datetime(civil::Time::midnight()),
    };
    at.to_zoned(now.time_zone().clone()).ok().map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-23T12:30:00[Europe/Berlin]".parse().unwrap()
    }

    fn read(words: &[&str]) -> Result<Forget, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        wish(&words, &Around { cwd: Path::new("/nowhere/here"), now: &now() })
    }

    #[track_caller]
    fn check(words: &[&str], expected: Forget) {
        assert_eq!(read(words), Ok(Forget { rebuild: true, ..expected }));
    }

    #[track_caller]
    fn check_refused(words: &[&str], says: &str) {
        let reason = read(words).unwrap_err();
        assert!(reason.contains(says), "{reason}");
    }

    #[test]
    fn lessons_and_turns_are_named_by_their_numbers() {
        check(&["3"], Forget { lessons: vec![LessonId(3)], ..Forget::default() });
        check(
            &["lesson", "#3", "4"],
            Forget { lessons: vec![LessonId(3), LessonId(4)], ..Forget::default() },
        );
        check(&["turn", "17"], Forget { turns: vec![TurnId(17)], ..Forget::default() });
        let both = Forget { lessons: vec![LessonId(3)], turns: vec![TurnId(17)], ..Forget::default() };
        check(&["#3", "turn:17"], both.clone());
        check(&["turn:17", "lesson:3"], both);
        check_refused(&["three"], "\"three\" names nothing; say turn N");
        check_refused(&["turn", "x"], "no turn's number; `chela turns`");
        check_refused(&["turn:"], "no turn's number");
        check_refused(&["turn"], "turn what?");
    }

    #[test]
    fn sessions_projects_texts_and_all() {
        check(&["session", "a1"], Forget { sessions: vec![SessionId("a1".into())], ..Forget::default() });
        check(
            &["matching", "two", "words"],
            Forget { matching: Some("two words".into()), ..Forget::default() },
        );
        check(&["all"], Forget { all: true, ..Forget::default() });
        check_refused(&["all", "of", "it"], "\"all\" names nothing");
        let folder = |folder: &str| Forget { project: Some(folder.into()), ..Forget::default() };
        check(&["project"], folder("/nowhere/here"));
        check(&["project", "sub"], folder("/nowhere/here/sub"));
        check(&["project", "/"], folder("/"));
        check_refused(&["project", "a", "b"], "one folder");
    }

    #[track_caller]
    fn check_since(text: &str, expected: &str) {
        let found = since(text, &now()).unwrap();
        assert_eq!(found.to_string(), expected, "{text}");
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        check_since("2h", "2026-11-23T09:30:00Z");
        check_since("30m", "2026-11-23T11:00:00Z");
        check_since("3d", "2026-11-20T11:30:00Z");
        check_since("1w", "2026-11-16T11:30:00Z");
        check_since("today", "2026-11-22T23:00:00Z");
        check_since("yesterday", "2026-11-21T23:00:00Z");
        check_since("2026-11-20", "2026-11-19T23:00:00Z");
        check_since("2026-11-20T10:00", "2026-11-20T09:00:00Z");
        check_since("2026-11-20 10:00", "2026-11-20T09:00:00Z");
        check_since("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z");
        check_since("2026-07-20T10:00", "2026-07-20T08:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["soon", "h", "2x", "-2h", "2026-13-01", "tomorrow"] {
            assert!(since(text, &now()).unwrap_err().contains("is no time"), "{text}");
        }
        assert_eq!(since("2026-11-24", &now()), Err("2026-11-24 is still to come".to_owned()));
    }
}
