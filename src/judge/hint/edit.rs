//! What an edit of the answer says: the words that changed between what was proposed and what was used. Pure.

use super::{Hint, command};

/// Programs that do another's work: enough to see a replacement where no argument is shared.
const REPLACES: &[(&str, &str)] = &[
    ("ls", " eza exa lsd dir "),
    ("cat", " bat less more "),
    ("top", " htop btop "),
    ("df", " duf "),
    ("du", " dust ncdu "),
    ("ps", " procs "),
    ("vim", " nvim vi hx nano "),
    ("nano", " micro vim nvim "),
    ("python", " python3 ipython "),
    ("ifconfig", " ip "),
    ("netstat", " ss "),
    ("tree", " broot eza "),
];
/// A longer insertion is another text, not a change of this one.
const MAX_CHANGED: usize = 3;

/// The hint in an edit; `None`: nothing changed, too much did, or it means nothing for another time.
pub(super) fn hint(answer: &str, edited: &str) -> Option<Hint> {
    let edited = edited.trim();
    match (command::line(answer), command::perhaps(edited)) {
        (Some(proposed), Some(used)) => of_command(proposed, used),
        _ => of_prose(answer, edited),
    }
}

fn of_command(proposed: &str, used: &str) -> Option<Hint> {
    of_root(proposed, used).or_else(|| of_words(proposed, used))
}

fn of_words(proposed: &str, used: &str) -> Option<Hint> {
    let change = Change::between(proposed, used);
    let [removed, added] = [change.removed(), change.added()];
    let all_flags = |words: &[&str]| {
        (1..=MAX_CHANGED).contains(&words.len()) && words.iter().all(|w| command::is_flag(w))
    };
    if removed.is_empty() && all_flags(added) {
        let program = command::governing(&change.new, change.start)?;
        return Some(about_flag(format!("use {} with {program}", added.join(" ")), &program));
    }
    if added.is_empty() && all_flags(removed) {
        let program = command::governing(&change.old, change.start)?;
        return Some(about_flag(format!("do not use {} with {program}", removed.join(" ")), &program));
    }
    if command::is_utility(&change.old, change.start) && command::is_utility(&change.new, change.start) {
        return change.swap();
    }
    match (removed, added) {
        ([old], [new]) => change.replaced(old, new),
        _ => None,
    }
}

fn about_flag(text: String, program: &str) -> Hint {
    let program = program.split(' ').next().map(str::to_owned);
    Hint { text, lasting: true, rule: "hint.flag".to_owned(), program }
}

/// `sudo` put in front or taken away, with all else as it was.
fn of_root(proposed: &str, used: &str) -> Option<Hint> {
    let (was, is) = (proposed.strip_prefix("sudo "), used.strip_prefix("sudo "));
    let hint = |text: String, program| Hint { text, lasting: true, rule: "hint.sudo".to_owned(), program };
    match (was, is) {
        (None, Some(rest)) if rest == proposed => {
            let program = command::program(rest)?;
            Some(hint(format!("use sudo with {program}"), Some(program.to_owned())))
        }
        (Some(rest), None) if rest == used => Some(hint("do not use sudo".to_owned(), None)),
        _ => None,
    }
}

fn of_prose(answer: &str, edited: &str) -> Option<Hint> {
    let change = Change::between(answer, edited);
    let (removed, added) = (change.removed(), change.added());
    let is_small = |words: &[&str]| (1..=MAX_CHANGED).contains(&words.len());
    if !is_small(removed) || !is_small(added) || change.start == 0 && change.kept_after == 0 {
        return None;
    }
    let bare = |words: &[&str]| {
        words.join(" ").trim_matches(['.', ',', '!', '?', ';', ':', '"', '(', ')']).to_owned()
    };
    let (old, new) = (bare(removed), bare(added));
    (!old.is_empty() && !new.is_empty() && old != new).then(|| value(&old, &new))
}

fn value(old: &str, new: &str) -> Hint {
    let [old, new] = [old, new].map(|text| text.trim_matches(['"', '\'', '`']));
    Hint {
        text: format!("use {new} instead of {old}"),
        lasting: false,
        rule: "hint.value".to_owned(),
        program: None,
    }
}

/// The one run of words in which two texts differ.
struct Change<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    start: usize,
    kept_after: usize,
}

impl<'a> Change<'a> {
    fn between(old: &'a str, new: &'a str) -> Self {
        let (old, new): (Vec<&str>, Vec<&str>) =
            (old.split_whitespace().collect(), new.split_whitespace().collect());
        let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - start;
        let kept_after =
            old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        Self { old, new, start, kept_after }
    }

    fn removed(&self) -> &[&'a str] {
        self.old.get(self.start..self.old.len() - self.kept_after).unwrap_or_default()
    }

    fn added(&self) -> &[&'a str] {
        self.new.get(self.start..self.new.len() - self.kept_after).unwrap_or_default()
    }

    /// Another program at the same place: a replacement when it works on the same things.
    fn swap(&self) -> Option<Hint> {
        let (old, new) = (*self.old.get(self.start)?, *self.new.get(self.start)?);
        let arguments = self.old.get(self.start + 1..).unwrap_or_default().iter();
        let later = self.new.get(self.start + 1..).unwrap_or_default();
        let shares = arguments
            .filter(|word| !command::is_flag(word) && !is_mark(word))
            .any(|word| later.contains(word));
        let is_replacement =
            REPLACES.iter().any(|(name, by)| *name == old && by.contains(&format!(" {new} ")));
        (old != new && (shares || is_replacement)).then(|| Hint {
            text: format!("use {new} instead of {old}"),
            lasting: true,
            rule: "hint.swap".to_owned(),
            program: Some(old.to_owned()),
        })
    }

    /// One word for another in a command that is otherwise the same.
    fn replaced(&self, old: &str, new: &str) -> Option<Hint> {
        let program = command::governing(&self.old, self.start)?;
        if !command::is_flag(old) || !command::is_flag(new) {
            // With nothing else in common it may be another command of the same program.
            return (self.start + self.kept_after > 1 || self.old.len() == 2).then(|| value(old, new));
        }
        let longer = new
            .strip_prefix(old)
            .filter(|more| !old.starts_with("--") && more.chars().all(|c| c.is_ascii_alphabetic()));
        Some(match longer {
            Some(more) => about_flag(format!("use -{more} with {program}"), &program),
            None => about_flag(format!("use {new} instead of {old}"), &program),
        })
    }
}

fn is_mark(word: &str) -> bool {
    word.chars().all(|c| !c.is_alphanumeric() && c != '.' && c != '~' && c != '/')
}
