//! How people word plain directives, in English, German, French and Spanish: what a slot takes and the words
//! around a directive. Pure tables and look-ups; the rows are in `rows` and `wishes`, `directive` applies them.

use super::command;
use super::words::Word;

/// After these a new part begins.
pub(super) const BUT: &[&str] =
    &["but", "however", "except", "aber", "sondern", "nur", "mais", "pero", "just", "though"];

/// What may introduce a directive.
const LEADS: &[&str] = &[
    "no",
    "nope",
    "nah",
    "non",
    "nein",
    "wrong",
    "sorry",
    "hm",
    "hmm",
    "ugh",
    "argh",
    "oops",
    "well",
    "ok",
    "okay",
    "great",
    "good",
    "nice",
    "perfect",
    "thanks",
    "thank you",
    "thx",
    "cool",
    "almost",
    "close",
    "not quite",
    "yes",
    "ja",
    "oui",
    "sí",
    "si",
    "please",
    "pls",
    "bitte",
    "por favor",
    "but",
    "aber",
    "mais",
    "pero",
    "and",
    "so",
    "then",
    "also",
    "just",
    "nur",
    "stop",
    "wait",
    "hey",
    "hi",
    "danke",
    "merci",
    "gracias",
    "for the record",
    "remember",
    "remember to",
    "remember that",
    "note",
    "important",
    "btw",
    "rule",
    "hint",
    "from now on",
    "in future",
    "in the future",
    "for the future",
    "next time",
    "ab jetzt",
    "in zukunft",
    "nächstes mal",
    "künftig",
    "désormais",
    "à l'avenir",
    "la prochaine fois",
    "a partir de ahora",
    "la próxima vez",
    "you should",
    "you must",
    "you have to",
    "i'd like you to",
    "i want you to",
    "that's wrong",
    "that is wrong",
    "merk dir",
    "as i said",
    "one thing",
    "my mistake",
    "one small thing",
    "actually",
    "again",
    "in general",
];

/// What may follow one.
const TAILS: &[&str] = &[
    "please",
    "pls",
    "thanks",
    "thank you",
    "thx",
    "ok",
    "bitte",
    "danke",
    "merci",
    "gracias",
    "por favor",
    "s'il te plaît",
    "s'il te plait",
    "s'il vous plaît",
    "svp",
    "instead",
    "here",
    "for that",
    "for this",
    "there",
    "now",
    "too",
    "next time",
    "in future",
    "in the future",
    "from now on",
    "always",
    "at all",
    "everywhere",
    "by the way",
    "btw",
    "stattdessen",
    "immer",
    "künftig",
    "in zukunft",
    "la prochaine fois",
    "la próxima vez",
    "siempre",
    "toujours",
    "on this machine",
    "in this project",
    "in this repo",
    "in this team",
    "when you can",
    "this time",
    "then",
];

/// Only behind these a question asks for something to be done.
const CAN_YOU: &[&str] = &[
    "can you please",
    "could you please",
    "would you please",
    "can you",
    "could you",
    "would you",
    "will you",
    "kannst du bitte",
    "könntest du bitte",
    "kannst du",
    "könntest du",
    "peux-tu",
    "pourrais-tu",
    "puedes",
    "podrías",
];

/// Said for more than this once.
const FOR_GOOD: &[&str] = &[
    "always",
    "never",
    "from now on",
    "in future",
    "in the future",
    "next time",
    "every time",
    "immer",
    "nie",
    "niemals",
    "ab jetzt",
    "in zukunft",
    "künftig",
    "nächstes mal",
    "toujours",
    "jamais",
    "désormais",
    "la prochaine fois",
    "siempre",
    "nunca",
    "a partir de ahora",
    "la próxima vez",
];

/// Words that point at something instead of naming it.
const POINTING: &[&str] =
    &["that", "this", "it", "them", "these", "those", "das", "dies", "ça", "eso", "esto"];
/// Behind `always` and `never` one of these says that it is about what to do, and not a complaint (`never mind`).
const RULE_VERBS: &[&str] = &[
    "use",
    "run",
    "add",
    "ask",
    "answer",
    "write",
    "give",
    "show",
    "put",
    "make",
    "keep",
    "start",
    "end",
    "begin",
    "check",
    "test",
    "include",
    "explain",
    "sign",
    "format",
    "quote",
    "prefer",
    "call",
    "list",
    "sort",
    "create",
    "commit",
    "push",
    "delete",
    "remove",
    "touch",
    "change",
    "edit",
    "install",
    "send",
    "overwrite",
    "print",
    "name",
    "mention",
    "pass",
    "prefix",
    "open",
    "save",
    "store",
    "copy",
    "move",
    "rename",
    "wrap",
    "indent",
    "leave",
    "avoid",
    "apologize",
];
/// Longest rule in somebody's own words: a longer sentence tells a story.
const MAX_RULE_WORDS: usize = 14;
const MIN_RULE_WORDS: usize = 3;

const LANGUAGES: &[(&str, &str)] = &[
    ("German", " german deutsch allemand alemán aleman "),
    ("French", " french französisch franzoesisch français francais francés frances "),
    ("Spanish", " spanish spanisch espagnol español espanol "),
    ("English", " english englisch anglais inglés ingles "),
    ("Italian", " italian italienisch italien italiano "),
    ("Dutch", " dutch niederländisch néerlandais holandés "),
    ("Polish", " polish polnisch polonais polaco "),
    ("Portuguese", " portuguese portugiesisch portugais portugués "),
    ("Turkish", " turkish türkisch turc turco "),
    ("Czech", " czech tschechisch tchèque checo "),
    ("Danish", " danish dänisch danois danés "),
    ("Swedish", " swedish schwedisch suédois sueco "),
    ("Finnish", " finnish finnisch finnois finlandés "),
    ("Greek", " greek griechisch grec griego "),
    ("Russian", " russian russisch russe ruso "),
    ("Japanese", " japanese japanisch japonais japonés "),
    ("Chinese", " chinese chinesisch chinois chino "),
];

/// Words that a slot never takes: they carry the sentence, or point at something instead of naming it.
const NOT_A_THING: &str = " i you he she we they it it's its that that's this these those them me my your our his a an the \
    instead of without not no never always use using used is are was be been better worse wrong right and or but than to with for \
    from in on at by as if when why how what which who there here then so do don't dont does did can could should would \
    must will one more less some any all another other something anything nothing else please next time now again too \
    nicht statt anstatt kein keine ist das der die den dem ein eine es und oder aber mit ohne auf mais pas que au lieu de \
    le la les un une et ou avec sans en vez lugar no el los las una y o con sin pero ever only just already like think \
    know sure mind immer nie niemals toujours jamais siempre nunca pls thx \
    thanks thank bitte danke merci gracias nur still however non nein nope nah hm hmm ugh argh called \
    sorry actually rather great good nice perfect ok okay yes well wait almost ";
/// Plain nouns that look like programs in `use …`.
const NOT_A_PROGRAM: &str = " tabs spaces quotes colors colours commas names words caution care less more english json \
    yaml xml csv html markdown bullets emojis german french spanish plain short long full relative absolute singular \
    plural uppercase lowercase capitals common sense caps both either root mine yours numbers digits letters lists tables \
    paragraphs sentences headings metric celsius euros dollars utf-8 utc it this that them everything ";

pub(super) fn language(word: &str) -> Option<&'static str> {
    let name = format!(" {} ", word.trim());
    LANGUAGES.iter().find(|(_, names)| names.contains(&name)).map(|(language, _)| *language)
}

/// Whether these words only carry a sentence and name nothing, as in `use right`.
pub(super) fn is_no_thing(words: &str) -> bool {
    let mut words = words.split_whitespace().peekable();
    words.peek().is_some() && words.all(|word| NOT_A_THING.contains(&format!(" {} ", word.to_lowercase())))
}

/// Whether a slot takes these words. A, B: things; V: a value; Q: one program; P: a program, perhaps with its verb; X: an
/// option; K: a program that is known; D: a path; H: a host; M: a port; N: a name; R, W: one word; L: a language.
pub(super) fn fits(slot: char, words: &[Word<'_>]) -> bool {
    let [first, rest @ ..] = words else { return false };
    let is_in = |table: &str, word: &Word<'_>| table.contains(&format!(" {} ", word.folded));
    let is_thing = |word: &Word<'_>| !is_in(NOT_A_THING, word);
    // A pause inside would join two things into one.
    let is_joined = words.iter().rev().skip(1).all(|word| !word.pauses);
    let is_one = rest.is_empty();
    let is_name =
        |word: &Word<'_>| word.text.chars().next().is_some_and(char::is_uppercase) && is_thing(word);
    match slot {
        'A' | 'B' => {
            is_joined && words.iter().all(is_thing) && !command::is_flag(first.text)
                || is_one && command::is_flag(first.text)
        }
        'V' => is_joined && words.iter().all(is_thing),
        'Q' => is_one && is_thing(first) && is_program_like(first),
        'K' => is_one && command::is_known(first.text) && is_program_like(first),
        'P' => {
            is_joined
                && words.len() <= 2
                && words.iter().all(|word| is_thing(word) && command::is_program_name(word.text))
                && (is_one || command::is_known(first.text))
        }
        'X' => is_one && command::is_flag(first.text),
        'D' => is_one && (first.text.contains('/') || first.text.starts_with('~')),
        'H' => is_one && first.text.contains(|c: char| c.is_ascii_digit() || ['.', '-'].contains(&c)),
        'M' => is_one && first.text.len() <= 5 && first.text.chars().all(|c| c.is_ascii_digit()),
        'N' => is_joined && words.len() <= 2 && words.iter().all(is_name),
        'L' => is_one && language(&first.folded).is_some(),
        'R' | 'W' => is_one && is_thing(first),
        _ => false,
    }
}

fn is_program_like(word: &Word<'_>) -> bool {
    command::is_program_name(word.text)
        && !NOT_A_PROGRAM.contains(&format!(" {} ", word.folded))
        && language(&word.folded).is_none()
}

/// Whether a text holds words that make it hold for later too.
pub(super) fn is_for_good(text: &str) -> bool {
    let lower = text.to_lowercase();
    let flat: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let flat = format!(" {} ", flat.join(" "));
    FOR_GOOD.iter().any(|phrase| flat.contains(&format!(" {phrase} ")))
}

/// What stands behind `can you`.
pub(super) fn without_can_you<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    CAN_YOU.iter().find_map(|phrase| after(words, phrase))
}

pub(super) fn without_lead<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    LEADS.iter().filter_map(|phrase| after(words, phrase)).min_by_key(|rest| rest.len())
}

pub(super) fn without_tail<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    let before = |phrase: &&str| {
        let n = phrase.split(' ').count();
        let (rest, tail) = words.split_at_checked(words.len().checked_sub(n)?)?;
        tail.iter().map(|word| word.folded.as_str()).eq(phrase.split(' ')).then_some(rest)
    };
    TAILS.iter().filter_map(before).min_by_key(|rest| rest.len())
}

fn after<'a, 'b>(words: &'b [Word<'a>], phrase: &str) -> Option<&'b [Word<'a>]> {
    let (lead, rest) = words.split_at_checked(phrase.split(' ').count())?;
    lead.iter().map(|word| word.folded.as_str()).eq(phrase.split(' ')).then_some(rest)
}

/// The words themselves, when they are a rule: `always run the tests first`. What points at something that only the
/// message knows (`never do that again`) is none, nor is a complaint (`immer noch falsch`).
pub(super) fn rule_words<'a, 'b>(words: &'b [Word<'a>]) -> Option<&'b [Word<'a>]> {
    let [first, second, .., last] = words else { return None };
    let is_order = match first.folded.as_str() {
        "always" | "never" => RULE_VERBS.contains(&second.folded.as_str()),
        "immer" | "nie" | "niemals" => second.folded != "noch" && last.folded.ends_with("en"),
        "toujours" | "siempre" | "nunca" => {
            ["er", "ir", "ar", "re"].iter().any(|end| second.folded.ends_with(end))
        }
        _ => false,
    };
    let points = |word: &Word<'_>| POINTING.contains(&word.folded.as_str());
    let is_rule =
        is_order && !words.iter().any(points) && (MIN_RULE_WORDS..=MAX_RULE_WORDS).contains(&words.len());
    is_rule.then_some(words)
}
