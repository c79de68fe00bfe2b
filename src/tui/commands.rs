//! The `/` commands: their names, what they say about themselves, and finding the one that was meant. Pure.

/// What a `/` command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    New,
    Resume,
    Model,
    Status,
    Edit,
    Teach,
    Good,
    Bad,
    Undo,
    Lessons,
    Review,
    Why,
    Learn,
    RollBack,
    Off,
    On,
    Forget,
    Copy,
    Export,
    Transcript,
    Theme,
    Plain,
    Clear,
    Quit,
}

pub(crate) struct Entry {
    pub name: &'static str,
    pub argument: &'static str,
    pub about: &'static str,
    pub command: Command,
}

const fn entry(name: &'static str, argument: &'static str, about: &'static str, command: Command) -> Entry {
    Entry { name, argument, about, command }
}

pub(crate) const COMMANDS: &[Entry] = &[
    entry("help", "", "keys and commands", Command::Help),
    entry("new", "", "start a new session", Command::New),
    entry("resume", "", "continue an earlier session", Command::Resume),
    entry("model", "[name]", "list models, switch to another one", Command::Model),
    entry("status", "", "model, context, memory, where things are", Command::Status),
    entry("edit", "", "change the previous message and branch off there", Command::Edit),
    entry("teach", "sentence", "a lesson that holds from the next answer on", Command::Teach),
    entry("good", "[why]", "the last answer was right", Command::Good),
    entry("bad", "[why]", "the last answer was wrong; the reason may become a lesson", Command::Bad),
    entry("undo", "", "take back the newest lesson", Command::Undo),
    entry("lessons", "", "what was taught and understood", Command::Lessons),
    entry("review", "", "each thing that was learned, its proof, and taking it back", Command::Review),
    entry("why", "", "what followed the last answer and what came of it", Command::Why),
    entry("learn", "", "move lessons into the weights now", Command::Learn),
    entry("rollback", "", "answer with the version before", Command::RollBack),
    entry("off", "", "what follows is kept nowhere and teaches nothing; again ends it", Command::Off),
    entry("on", "", "back on the record", Command::On),
    entry(
        "forget",
        "[yes]",
        "what would go with the last answer; yes takes it out of everything",
        Command::Forget,
    ),
    entry("copy", "[code]", "copy the last answer, or its last code block", Command::Copy),
    entry("export", "[file]", "write the conversation as Markdown", Command::Export),
    entry("transcript", "", "the whole conversation, full screen", Command::Transcript),
    entry("theme", "[light|dark|none]", "colours for light or dark backgrounds, or none", Command::Theme),
    entry("plain", "", "linear text without redrawing, on or off", Command::Plain),
    entry("clear", "", "clear the screen; the conversation goes on", Command::Clear),
    entry("quit", "", "leave", Command::Quit),
];

/// A composer text as a command: its entry and argument; `Err` is the unknown name.
pub(crate) fn parse(text: &str) -> Option<Result<(Command, &str), &str>> {
    let line = text.strip_prefix('/')?;
    if line.contains('\n') {
        return None;
    }
    let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
    // A path is not a command.
    if name.is_empty() || name.contains('/') {
        return None;
    }
    let aliased = match name {
        "exit" | "q" => "quit",
        "?" => "help",
        name => name,
    };
    let found = COMMANDS.iter().find(|entry| entry.name == aliased);
    Some(found.map(|entry| (entry.command, argument.trim())).ok_or(name))
}

/// Entries whose name contains the letters in order, best first: beginnings before gaps.
pub(crate) fn matching(typed: &str) -> Vec<&'static Entry> {
    let mut found: Vec<(usize, &Entry)> =
        COMMANDS.iter().filter_map(|entry| fuzzy(entry.name, typed).map(|gaps| (gaps, entry))).collect();
    found.sort_by_key(|(gaps, _)| *gaps);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// How many letters of `text` are skipped until all of `typed` was seen in order; `None` when it is not in it.
pub(crate) fn fuzzy(text: &str, typed: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let mut letters = text.chars();
    let mut gaps = 0;
    for wanted in typed.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        loop {
            if letters.next()? == wanted {
                break;
            }
            gaps += 1;
        }
    }
    Some(gaps)
}

/// The command whose name is nearest to a mistyped one.
pub(crate) fn nearest(typed: &str) -> &'static str {
    let nearest = COMMANDS.iter().min_by_key(|entry| distance(entry.name, typed));
    nearest.map_or("help", |entry| entry.name)
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (idx, from) in a.chars().enumerate() {
        let mut diagonal = idx;
        let mut left = idx + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(from != *to)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = idx + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Result<(Command, &str), &str>>) {
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn commands_and_what_only_looks_like_one() {
        check("/help", Some(Ok((Command::Help, ""))));
        check("/export  notes.md ", Some(Ok((Command::Export, "notes.md"))));
        check("/exit", Some(Ok((Command::Quit, ""))));
        check("/hlep me", Some(Err("hlep")));
        check("/usr/bin/env is where?", None);
        check("/help\nmore", None);
        check("hello", None);
    }

    #[test]
    fn the_palette_prefers_beginnings() {
        let names = |typed: &str| matching(typed).iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(names("re")[0], "resume");
        assert_eq!(names("tr")[0], "transcript");
        assert_eq!(names("zz"), Vec::<&str>::new());
        assert_eq!(names("").len(), COMMANDS.len());
    }

    #[test]
    fn a_mistyped_name_has_a_nearest() {
        assert_eq!(nearest("hlep"), "help");
        assert_eq!(nearest("modle"), "model");
        assert_eq!(nearest("statsu"), "status");
    }

    #[test]
    fn letters_match_in_order_only() {
        assert_eq!(fuzzy("help", "hp"), Some(2));
        assert_eq!(fuzzy("help", "ph"), None);
        assert_eq!(fuzzy("help", "helpp"), None);
    }
}
