//! Related requests out of one: the same wish with other names in it, so that a lesson from a single turn generalises.
//!
//! A name is what stands in both the request and its answer (`search for TODO in main.c` → `grep TODO main.c`), or what
//! looks like a file, a path or a number. The same name gets the same other name everywhere in one variation.

use super::about;
use super::everyday;
use crate::learn::shuffle::Draws;

/// Polite frames around a request that is an order. `{}` is the request.
const FRAMES: &[&str] = &["{}", "{}", "{}", "{} please", "please {}", "can you {}?", "I want to {}"];

/// Words that orders begin with. They are never names (`install jq` → `sudo apt install jq`), and only what begins with
/// one gets a frame: around anything else it would be bad English.
const VERBS: &[&str] = &[
    "search", "find", "list", "show", "count", "copy", "move", "rename", "delete", "remove", "make",
    "create", "print", "sort", "open", "edit", "unpack", "compress", "install", "start", "stop", "restart",
    "download", "run", "replace", "look", "get", "check", "kill", "build", "convert", "extract", "fetch",
    "send", "write", "add",
];

/// The request with other names in it; `None` where it has no name to exchange. `kept`: words that stay (the lesson's).
pub(super) fn vary(request: &str, answer: &str, kept: &[String], draws: &mut Draws) -> Option<String> {
    let names = names(request, answer, kept);
    if names.is_empty() {
        return None;
    }
    let pairs: Vec<(&str, String)> = names.into_iter().map(|name| (name, other(name, draws))).collect();
    let words: Vec<String> = request.split(' ').map(|word| exchanged(word, &pairs)).collect();
    Some(framed(&words.join(" "), draws))
}

/// Names in the request, each once.
fn names<'a>(request: &'a str, answer: &str, kept: &[String]) -> Vec<&'a str> {
    let answered: Vec<&str> = answer.split_whitespace().skip(1).map(bare).collect();
    let mut found: Vec<&str> = Vec::new();
    for word in request.split_whitespace().map(bare) {
        let is_shared =
            word.len() > 1 && answered.contains(&word) && !VERBS.contains(&word.to_lowercase().as_str());
        let is_name = looks_like_a_name(word) || is_shared;
        let stays = kept.contains(&word.to_lowercase()) || word.starts_with('-');
        if is_name && !stays && !found.contains(&word) {
            found.push(word);
        }
    }
    found
}

/// A file with an ending, a path, or a number.
fn looks_like_a_name(word: &str) -> bool {
    let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number || (word.len() > 2 && word.contains('/')) || ending(word).is_some()
}

/// `c` of `main.c`; up to five letters and digits behind the last dot.
fn ending(word: &str) -> Option<&str> {
    let (stem, ending) = word.rsplit_once('.')?;
    let is_ending =
        (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!stem.is_empty() && is_ending && !word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        .then_some(ending)
}

/// A word without the marks around it.
fn bare(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'', '`', ',', ';', '(', ')']);
    word.trim_end_matches(['?', '!', ':', '.'])
}

/// Another name of the same kind. Files keep their ending, because it often decides the command.
fn other(name: &str, draws: &mut Draws) -> String {
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return everyday::number(draws);
    }
    if name.contains("://") {
        return format!("https://example.org/{}", everyday::file(draws));
    }
    if let Some(ending) = ending(name) {
        let folder = name.rsplit_once('/').map_or(String::new(), |_| format!("{}/", everyday::folder(draws)));
        return format!("{folder}{}.{ending}", everyday::stem(draws));
    }
    if name.contains('/') {
        return everyday::folder(draws);
    }
    let word = everyday::word(draws);
    if name.bytes().all(|byte| byte.is_ascii_uppercase()) { word.to_uppercase() } else { word }
}

fn exchanged(word: &str, pairs: &[(&str, String)]) -> String {
    let name = bare(word);
    match pairs.iter().find(|(old, _)| *old == name && !name.is_empty()) {
        Some((old, new)) => word.replacen(old, new, 1),
        None => word.to_owned(),
    }
}

/// Some variations are said more politely; questions and long texts are left as they are.
fn framed(request: &str, draws: &mut Draws) -> String {
    let at = usize::try_from(draws.below(FRAMES.len() as u64)).unwrap_or(0);
    let is_order =
        about::words(request).count() <= 12 && !request.contains(['?', '\n']) && is_imperative(request);
    match FRAMES.get(at) {
        Some(frame) if is_order => frame.replace("{}", &lower_first(request.trim_end_matches(['.', '!']))),
        _ => request.to_owned(),
    }
}

/// Begins with one of [`VERBS`].
fn is_imperative(request: &str) -> bool {
    about::words(request).next().is_some_and(|first| VERBS.contains(&first.as_str()))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(request: &str, answer: &str, expected: &[&str]) {
        assert_eq!(names(request, answer, &["grep".into(), "rg".into()]), expected);
    }

    #[test]
    fn what_request_and_answer_share_is_a_name() {
        check("search for TODO in main.c", "grep TODO main.c", &["TODO", "main.c"]);
        check("is 'customer' in any file below src?", "grep -r customer src", &["customer", "src"]);
    }

    #[test]
    fn what_an_order_begins_with_is_no_name() {
        check("install jq", "sudo apt install jq", &["jq"]);
    }

    #[test]
    fn files_paths_and_numbers_are_names_whatever_was_answered() {
        check("first 20 lines of ~/notes/a.txt", "", &["20", "~/notes/a.txt"]);
        check("ping 10.0.0.7", "", &[]);
    }

    #[test]
    fn words_of_the_lesson_stay() {
        check("use grep on grep.txt to find rg", "grep rg grep.txt", &["grep.txt"]);
    }

    #[test]
    fn nothing_to_exchange_gives_nothing() {
        assert_eq!(vary("show hidden files", "ls -a", &[], &mut Draws::new(1)), None);
    }

    #[test]
    fn an_ending_stays() {
        let other = vary("what does report.pdf say?", "", &[], &mut Draws::new(1)).unwrap();
        assert!(other.starts_with("what does ") && other.ends_with(".pdf say?"), "{other}");
    }

    proptest! {
        #[test]
        fn any_request_can_be_varied_without_losing_its_plain_words(
            request in "(find|the|word [a-z]{3,8}|in|[a-z]{2,5}\\.txt| ){1,8}", seed: u64
        ) {
            if let Some(other) = vary(&request, "", &[], &mut Draws::new(seed)) {
                prop_assert!(!other.trim().is_empty());
                prop_assert!(other.contains(".txt"));
            }
        }
    }
}
