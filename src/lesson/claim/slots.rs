//! Slots: things that have one value at a time, so that a second value takes the place of the first.
//!
//! Closed slots have a known set of values (languages, tones, clocks); open ones are found by the word that they are
//! about (`editor`), or by a sentence that says that one thing is another.

use std::collections::BTreeSet;

use super::{Claim, FACT};
use crate::lesson::words::{Words, is_stop, stem};

/// Names of languages, each with the one name that stands for it.
const LANGUAGES: &[(&str, &str)] = &[
    ("english", "english"),
    ("englisch", "english"),
    ("anglais", "english"),
    ("inglés", "english"),
    ("german", "german"),
    ("deutsch", "german"),
    ("allemand", "german"),
    ("alemán", "german"),
    ("french", "french"),
    ("französisch", "french"),
    ("français", "french"),
    ("francés", "french"),
    ("spanish", "spanish"),
    ("spanisch", "spanish"),
    ("espagnol", "spanish"),
    ("español", "spanish"),
    ("italian", "italian"),
    ("italienisch", "italian"),
    ("italiano", "italian"),
    ("dutch", "dutch"),
    ("nederlands", "dutch"),
    ("polish", "polish"),
    ("polski", "polish"),
    ("portuguese", "portuguese"),
    ("português", "portuguese"),
    ("turkish", "turkish"),
    ("czech", "czech"),
    ("danish", "danish"),
    ("swedish", "swedish"),
    ("finnish", "finnish"),
    ("greek", "greek"),
    ("norwegian", "norwegian"),
    ("russian", "russian"),
    ("ukrainian", "ukrainian"),
    ("japanese", "japanese"),
    ("chinese", "chinese"),
    ("korean", "korean"),
    ("hindi", "hindi"),
    ("arabic", "arabic"),
    ("hebrew", "hebrew"),
    ("latin", "latin"),
]; // kept as pairs: it is a list of words
/// Words that go with a language and do not narrow where it holds.
const OF_LANGUAGE: &str = "answer reply respond speak talk write greet language only always everything antwort antworte \
    sprich rede schreib répond réponds parle respond responde habla user";
const SHORT: &[&str] =
    &["short", "shorter", "brief", "concise", "terse", "briefly", "kurz", "kurze", "knapp", "court"];
const LONG: &[&str] =
    &["long", "longer", "detail", "details", "detailed", "thorough", "elaborate", "ausführlich"];
const TONES: &[(&str, &str)] = &[
    ("formal", "formal"),
    ("formally", "formal"),
    ("polite", "formal"),
    ("casual", "casual"),
    ("informal", "casual"),
    ("friendly", "friendly"),
    ("relaxed", "casual"),
    ("serious", "serious"),
    ("duzen", "casual"),
    ("siezen", "formal"),
];
const NAMINGS: &[&str] = &[
    "snake_case",
    "kebab-case",
    "camelcase",
    "pascalcase",
    "screaming_snake_case",
    "snake-case",
    "camel-case",
];

/// A slot of the closed kinds.
pub(super) fn closed(words: &Words) -> Option<Claim> {
    language(words)
        .or_else(|| clock(words))
        .or_else(|| options(words))
        .or_else(|| naming(words))
        .or_else(|| indent(words))
        .or_else(|| tone(words))
        .or_else(|| length(words))
        .or_else(|| lines(words))
}

fn value(slot: impl Into<String>, value: impl Into<String>) -> Claim {
    Claim::Value { slot: slot.into(), value: BTreeSet::from([value.into()]) }
}

/// The slot's name, and the words that narrow it: `tone` of mails is not the `tone` of answers.
fn narrowed(slot: &str, words: &Words, known: &dyn Fn(&str) -> bool) -> String {
    let rest: BTreeSet<String> = words
        .tokens
        .iter()
        .filter(|token| !is_stop(token) && !known(token))
        .map(|token| stem(token))
        .filter(|stem| !is_stop(stem))
        .collect();
    std::iter::once(slot.to_owned()).chain(rest).collect::<Vec<_>>().join(" ")
}

fn among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|known| known == word || stem(known) == stem(word))
}

/// Position-aware: what stands behind `not`, `instead of` or `statt` is not what is wanted.
fn wanted<'a>(words: &'a Words, is_one: &dyn Fn(&str) -> bool) -> Option<&'a str> {
    let mut before = "";
    let mut found = None;
    for token in &words.tokens {
        let is_refused =
            matches!(before, "not" | "of" | "than" | "statt" | "never" | "no" | "nicht" | "pas" | "lieu");
        if is_one(token) && !is_refused && found.is_none() {
            found = Some(token.as_str());
        }
        before = token;
    }
    found
}

fn language(words: &Words) -> Option<Claim> {
    let name_of =
        |word: &str| LANGUAGES.iter().find(|(name, _)| *name == word).map(|(_, stands_for)| *stands_for);
    let language = name_of(wanted(words, &|word| name_of(word).is_some())?)?;
    let slot = narrowed("language", words, &|word| name_of(word).is_some() || among(OF_LANGUAGE, word));
    Some(value(slot, language))
}

fn clock(words: &Words) -> Option<Claim> {
    let has = |list: &[&str]| list.iter().any(|word| words.says(word));
    let names_halves = has(&["am", "pm", "am/pm"]) && !words.stems.contains("<time>");
    let refuses = has(&["no", "never", "not", "without", "dont", "avoid"]);
    if has(&["24-hour", "24h", "24-hours"]) || names_halves && refuses || words.has_phrase("24 hour") {
        return Some(value("clock", "24"));
    }
    (has(&["12-hour", "12h"]) || words.has_phrase("12 hour") || names_halves).then(|| value("clock", "12"))
}

fn options(words: &Words) -> Option<Claim> {
    let names_options = words.stems.contains("opt") || words.stems.contains("flag");
    if !names_options {
        return None;
    }
    let short =
        |word: &str| matches!(word, "short" | "single-letter" | "one-letter" | "abbreviate" | "abbreviated");
    let long =
        |word: &str| matches!(word, "long" | "full" | "readable" | "spell" | "spelled-out" | "--full-names");
    if wanted(words, &long).is_some() && !refused(words, &long) || refused(words, &short) {
        return Some(value("options", "long"));
    }
    (words.tokens.iter().any(|token| short(token)) || refused(words, &long))
        .then(|| value("options", "short"))
}

/// Whether a word stands right behind a negation, or one word further.
fn refused(words: &Words, is_one: &dyn Fn(&str) -> bool) -> bool {
    words.tokens.windows(3).any(|window| match window {
        [first, second, third] => {
            is_no(second) && is_one(third) || is_no(first) && is_one(third) || is_no(first) && is_one(second)
        }
        _ => false,
    })
}

fn is_no(word: &str) -> bool {
    matches!(word, "no" | "not" | "never" | "avoid" | "without" | "dont" | "of" | "than")
}

fn naming(words: &Words) -> Option<Claim> {
    let is_naming = |word: &str| NAMINGS.contains(&word);
    let style = wanted(words, &is_naming)?;
    Some(value(
        narrowed("naming", words, &|word| is_naming(word) || among("name named naming use", word)),
        style,
    ))
}

fn indent(words: &Words) -> Option<Claim> {
    let is_unit = |word: &str| matches!(word, "tabs" | "tab" | "spaces" | "space");
    let both = words.stems.contains("tab") && words.stems.contains("spac");
    if !both && !words.stems.contains("indent") && !words.stems.contains("indentat") {
        return None;
    }
    let unit = stem(wanted(words, &is_unit)?);
    let width = words.tokens.iter().find(|token| token.bytes().all(|byte| byte.is_ascii_digit()));
    Some(value("indent", width.map_or(unit.clone(), |width| format!("{width} {unit}"))))
}

fn tone(words: &Words) -> Option<Claim> {
    let tone_of = |word: &str| TONES.iter().find(|(name, _)| *name == word).map(|(_, tone)| *tone);
    let tone = tone_of(wanted(words, &|word| tone_of(word).is_some())?)?;
    let slot = narrowed("tone", words, &|word| {
        tone_of(word).is_some()
            || among("tone style write be keep answer reply greeting stay sound more", word)
    });
    Some(value(slot, tone))
}

fn length(words: &Words) -> Option<Claim> {
    let of_length =
        "answer reply respond response explain explanation keep be text more give write detail message";
    let is_about = words.tokens.iter().any(|token| among(of_length, token));
    let is_short = wanted(words, &|word| SHORT.contains(&word)).is_some();
    let is_long = wanted(words, &|word| LONG.contains(&word)).is_some();
    if !is_about || is_short == is_long || words.stems.contains("<file>") {
        return None;
    }
    let slot = narrowed("length", words, &|word| {
        SHORT.contains(&word) || LONG.contains(&word) || among(of_length, word)
    });
    Some(value(slot, if is_short { "short" } else { "long" }))
}

/// `show at most 20 lines`.
fn lines(words: &Words) -> Option<Claim> {
    let limits = ["most", "limit", "cap", "more", "only", "first", "max", "maximum", "after", "than"];
    let says_limit = words.tokens.iter().any(|token| limits.contains(&token.as_str()));
    let number = words.tokens.windows(2).find_map(|window| match window {
        [number, unit] if unit.starts_with("line") && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(number)
        }
        _ => None,
    });
    number.filter(|_| says_limit).map(|number| value("lines", number.clone()))
}

/// Slots whose values are names: the slot, the stems of which one must be there, and words that are no value.
const OPEN: &[(&str, &str, &str)] = &[
    ("editor", "edit", "file open text favourite write everything code use with call"),
    ("pager", "pag", "file long read show page use"),
    ("browser", "brows", "page open web use"),
    ("default branch", "branch", "default main master work name call current everything merged into we ours"),
    ("git remote", "remot", "git push name use call origin"),
    ("tests", "test", "run start command suite runner use call"),
    ("build", "build compil", "run command use project call"),
    ("deploy", "deploy", "run command use release ship call"),
    ("formatter", "format", "code run use"),
    ("linter", "lint", "code run use"),
    ("package manager", "packag", "manager install use software system"),
    ("database", "databas", "name call use"),
    ("namespace", "namespac", "kubernetes name use kubectl everything run pod live call"),
];

/// A slot of the open kinds, where the lesson says do and not don't.
pub(super) fn open(words: &Words) -> Option<Claim> {
    if !super::is_wanted(words) {
        return None;
    }
    named(words).or_else(|| port(words)).or_else(|| fact(words))
}

/// A slot that has a word of its own (editor, tests, default branch).
pub(super) fn named_by_word(words: &Words) -> Option<Claim> {
    if super::is_wanted(words) && !words.stems.contains("<number>") { known(words) } else { None }
}

/// What the user is called, and how mails are signed.
fn named(words: &Words) -> Option<Claim> {
    let phrases = [
        "call me",
        "my name is",
        "the name is",
        "i go by",
        "call the user",
        "user is called",
        "users name is",
        "nenn mich",
        "ich heiße",
        "address me as",
        "greet me as",
        "je mappelle",
        "name :",
        "name =",
    ];
    let phrase = phrases.iter().find(|phrase| words.has_phrase(phrase));
    let signs = words.stems.contains("sign") || words.stems.contains("signatur");
    let slot = if signs { "signature" } else { phrase.map(|_| "name")? };
    let dropped = "call called user users name greet mappelle address heiße nenn sign signature mail mails letter letters put under end go";
    let who: BTreeSet<String> =
        words.tokens.iter().filter(|token| !is_stop(token) && !among(dropped, token)).cloned().collect();
    (1..=3).contains(&who.len()).then(|| Claim::Value { slot: slot.to_owned(), value: who })
}

/// `use port 2222 for ssh`: the words beside the number say whose port it is.
fn port(words: &Words) -> Option<Claim> {
    let number = words
        .tokens
        .iter()
        .find(|token| token.len() >= 2 && token.bytes().all(|byte| byte.is_ascii_digit()))?;
    if !words.stems.contains("port") {
        return None;
    }
    let slot = narrowed("port", words, &|word| {
        word == number || among("port run listen server use connect our set number sshd", word)
    });
    Some(value(slot, number.clone()))
}

/// A slot that is named by its word, with a value of one to four words.
fn known(words: &Words) -> Option<Claim> {
    let connects = [
        "is", "with", ":", "=", "as", "called", "named", "use", "by", "in", "on", "heißt", "ist", "to", "mit",
    ];
    if !words.tokens.iter().any(|token| connects.contains(&token.as_str())) {
        return None;
    }
    let (slot, markers, dropped) = OPEN
        .iter()
        .find(|(_, markers, _)| markers.split_whitespace().any(|marker| words.stems.contains(marker)))?;
    let said = words.tokens.iter().filter(|token| {
        !is_stop(token)
            && !among(dropped, token)
            && !markers.split_whitespace().any(|marker| stem(token) == marker)
    });
    let found: BTreeSet<String> = said.cloned().collect();
    (1..=6).contains(&found.len()).then(|| Claim::Value { slot: (*slot).to_owned(), value: found })
}

/// Words that say what kind of thing the fact is about, not which one.
const KINDS: &str = "server host machine box project repo repository folder directory code checkout name address path \
    file account command";

/// `staging is kiwi-7`, `project atlas lives in ~/work/a`, `"ship it" means make all`.
fn fact(words: &Words) -> Option<Claim> {
    let says_is = |token: &str| {
        matches!(
            token,
            "is" | "are"
                | "="
                | ":"
                | "lives"
                | "live"
                | "means"
                | "sits"
                | "moved"
                | "listens"
                | "ist"
                | "heißt"
                | "liegt"
                | "est"
                | "es"
                | "runs"
                | "->"
                | "=>"
        )
    };
    let at = words.tokens.iter().position(|token| says_is(token)).filter(|at| *at > 0)?;
    let (key, told) = words.tokens.split_at_checked(at)?;
    let asks = |token: &String| {
        matches!(token.as_str(), "what" | "that" | "how" | "where" | "which" | "if" | "when")
    };
    if key.iter().any(asks) {
        return None;
    }
    let told: BTreeSet<String> = told
        .iter()
        .filter(|token| {
            !is_stop(token) && !says_is(token) && !among("called named lives located checked", token)
        })
        .cloned()
        .collect();
    let all: BTreeSet<String> = key.iter().filter(|token| !is_stop(token)).map(|token| stem(token)).collect();
    let telling: BTreeSet<String> = all.iter().filter(|stem| !among(KINDS, stem)).cloned().collect();
    let key = if telling.is_empty() { all } else { telling };
    let is_short = (1..=4).contains(&key.len()) && (1..=6).contains(&told.len());
    let slot = || format!("{FACT}{}", key.iter().cloned().collect::<Vec<_>>().join(" "));
    is_short.then(|| Claim::Value { slot: slot(), value: told })
}
