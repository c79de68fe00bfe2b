//! Words of a text as lessons are compared by them: split, lower-cased, stemmed, and told apart by weight.
//!
//! What does not live here: what the words mean for programs (`programs`) or as a claim (`claim`). Only `lesson` uses
//! this; the ledger's full-text search has its own tokens.

use std::collections::HashSet;

/// Longest text that is read, in characters: a request may be a pasted file, and its head says what is wanted.
const MAX_READ: usize = 4000;

/// A text's words in the forms that rules ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// Lower case, in their order; `,` `:` `;` `!` `?` stand for themselves.
    pub(super) tokens: Vec<String>,
    /// Stems of all tokens, and marks of their shape: `<file>`, `<path>`, `<url>`, `<number>`, `<option>`, `<time>`.
    pub(super) stems: HashSet<String>,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let mut stems: HashSet<String> = tokens.iter().map(|token| stem(token)).collect();
        for (before, token) in std::iter::once("").chain(tokens.iter().map(String::as_str)).zip(&tokens) {
            stems.extend(marks(before, token).map(str::to_owned));
        }
        Self { tokens, stems }
    }

    /// Whether the text has this word as it stands.
    pub(super) fn says(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token == word)
    }

    /// Whether these words, already lower-cased, follow each other in the text.
    pub(super) fn has_phrase(&self, phrase: &str) -> bool {
        let wanted: Vec<&str> = phrase.split(' ').collect();
        self.tokens.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(a, b)| a == b))
    }
}

/// Splits at spaces, keeps names whole (`app.log`, `--no-pager`, `kiwi-7.internal`), drops quotes.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let head: String = text.chars().take(MAX_READ).filter(|c| !matches!(c, '\'' | '’' | '`')).collect();
    let mut found = Vec::new();
    for chunk in head.split_whitespace() {
        let lower = chunk.to_lowercase();
        if matches!(lower.as_str(), "->" | "=>" | ">" | "=" | "→") {
            found.push(lower);
            continue;
        }
        let opened = lower.trim_start_matches(['"', '“', '„', '«', '(', '[', '¿', '¡', '*']);
        let word = opened.trim_end_matches(['"', '”', '“', '»', ')', ']', ',', ':', ';', '!', '?', '.', '*']);
        if !word.is_empty() {
            found.push(word.to_owned());
        }
        let rest = opened.get(word.len()..).unwrap_or_default();
        found.extend(rest.chars().filter(|c| matches!(c, ',' | ':' | ';' | '!' | '?')).map(String::from));
    }
    found
}

/// Marks of what kind of thing a token names.
fn marks(before: &str, token: &str) -> impl Iterator<Item = &'static str> {
    let starts_with_digit = token.starts_with(|c: char| c.is_ascii_digit());
    let is_number = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let is_clock = starts_with_digit
        && (token.ends_with("am") || token.ends_with("pm") || token.contains(':'))
        && token.len() <= 7;
    let is_half = matches!(token, "am" | "pm") && before.starts_with(|c: char| c.is_ascii_digit());
    let is_date = starts_with_digit && token.len() >= 8 && token.matches(['-', '.', '/']).count() == 2;
    let is_url = token.contains("://");
    [
        (has_extension(token), "<file>"),
        (!is_url && !is_date && token.contains('/'), "<path>"),
        (is_url, "<url>"),
        (is_number, "<number>"),
        (token.len() > 1 && token.starts_with('-') && token != "->", "<option>"),
        (is_clock || is_half, "<time>"),
        (is_date, "<date>"),
    ]
    .into_iter()
    .filter_map(|(holds, mark)| holds.then_some(mark))
}

/// `app.log`, `*.rs`; not `3.5` and not a host of many parts.
fn has_extension(token: &str) -> bool {
    token.rsplit_once('.').is_some_and(|(stem, ext)| {
        !stem.is_empty()
            && (1..=5).contains(&ext.len())
            && ext.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !ext.bytes().all(|byte| byte.is_ascii_digit())
            && !token.contains("://")
    })
}

/// Irregular forms of words that lessons are full of.
const IRREGULAR: &[(&str, &str)] = &[
    ("built", "build"),
    ("ran", "run"),
    ("sent", "send"),
    ("kept", "keep"),
    ("written", "writ"),
    ("wrote", "writ"),
    ("spelt", "spell"),
    ("shown", "show"),
];

/// Names that only look like forms of another word: `staging` is a server, `staged` is of git.
const WHOLE: &[&str] = &["staging", "string", "during", "nothing", "something", "everything", "anything"];

/// A word's stem, so that `deleting`, `deleted`, `delete` and `deletion` are one. Names stay as they are.
pub(super) fn stem(word: &str) -> String {
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    if word.len() < 4 || !word.chars().all(char::is_alphabetic) || WHOLE.contains(&word) {
        return word.to_owned();
    }
    let singular = plural_off(word);
    let bare = ["ement", "ment", "ation", "ion", "ing", "ed", "er", "or", "ly"]
        .iter()
        .filter_map(|suffix| singular.strip_suffix(suffix))
        .find(|rest| rest.chars().count() >= 3 && rest.contains(is_vowel));
    let stem =
        bare.map_or(
            singular.clone(),
            |rest| if rest.ends_with('i') { singular_y(rest) } else { undoubled(rest) },
        );
    stem.strip_suffix('e').filter(|rest| rest.len() >= 3).map_or(stem.clone(), str::to_owned)
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y') || !c.is_ascii()
}

fn plural_off(word: &str) -> String {
    if let Some(rest) = word.strip_suffix("ies").filter(|rest| rest.len() >= 2) {
        return format!("{rest}y");
    }
    for ending in ["sses", "shes", "ches", "xes"] {
        if let Some(rest) = word.strip_suffix(ending) {
            return format!("{rest}{}", ending.trim_end_matches("es"));
        }
    }
    let is_plural = word.ends_with('s') && !["ss", "us"].iter().any(|ending| word.ends_with(ending));
    if is_plural { word.trim_end_matches('s').to_owned() } else { word.to_owned() }
}

fn singular_y(rest: &str) -> String {
    format!("{}y", rest.trim_end_matches('i'))
}

/// `runn` → `run`; `fall` stays.
fn undoubled(rest: &str) -> String {
    let mut backwards = rest.chars().rev();
    match (backwards.next(), backwards.next()) {
        (Some(last), Some(before))
            if last == before && !matches!(last, 'l' | 's' | 'z') && last.is_ascii() =>
        {
            rest.chars().take(rest.chars().count() - 1).collect()
        }
        _ => rest.to_owned(),
    }
}

/// Words that say nothing about the matter at hand, in the languages that the starter model was trained with.
const STOP: &str = "a an the this that these those it its is are was were be been am do does did doing done has have had \
    having will would shall should can could may might must to of in on at by for from with without as into onto up \
    down over under and or but not no nor so if then than too very just only also again please pls plz i me my mine \
    we us our ours you your yours he she they them their his her who what which when where why how there here all any \
    each every some such other another more most never always dont doesnt didnt isnt arent wont cant cannot use using \
    used uses want wants wanted like let lets get gets need needs instead rather prefer prefers preferred take make \
    sure remember note ok okay yes yeah thanks thank now today next time whenever whatever one ones thing things way \
    der die das den dem des ein eine einen einem einer und oder aber nicht kein keine mit ohne von zu im in am um auf \
    für bitte immer nie niemals ich du sie wir ihr es ist sind war mir mich mein meine statt anstelle nimm benutze \
    verwende nutze sondern le la les un une des du de et ou mais pas ne jamais toujours avec sans pour dans sur est \
    sont je tu il elle nous vous mon ma mes utilise plait s'il te el los las y o pero nunca siempre con sin para en \
    por favor es son yo tú usa usar mi mis , : ; ! ? -> => > = →";

/// Words that many requests share: they help to rank, but are no evidence that a lesson is meant.
const WEAK: &str = "file files folder folders directory directories dir command commands run show list print give tell \
    server host machine box computer system project repo repository code name named called call new old number first \
    last line lines word words text write start user team work open set add put change find look see check current \
    main local default long short answer answers reply datei dateien ordner zeige fichier fichiers archivo archivos";

fn table(words: &'static str) -> HashSet<String> {
    words.split_whitespace().map(stem).chain(words.split_whitespace().map(str::to_owned)).collect()
}

/// Whether a word, or a stem, says nothing about the matter.
pub(super) fn is_stop(word: &str) -> bool {
    static TABLE: std::sync::LazyLock<HashSet<String>> = std::sync::LazyLock::new(|| table(STOP));
    TABLE.contains(word) || word.starts_with('<')
}

/// Whether a word, or a stem, is one that many requests share.
pub(super) fn is_weak(word: &str) -> bool {
    static TABLE: std::sync::LazyLock<HashSet<String>> = std::sync::LazyLock::new(|| table(WEAK));
    TABLE.contains(word) || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Stems of the words that say something, in their order, each once.
pub(super) fn content(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    tokens(text)
        .iter()
        .filter(|token| !is_stop(token))
        .map(|token| stem(token))
        .filter(|stem| !is_stop(stem) && seen.insert(stem.clone()))
        .collect()
}

/// What a later request may share with this one, so that a lesson drawn from it is found again: the plain words, without
/// names of files, numbers and options. At most 12.
pub fn trigger_words(request: &str) -> Vec<String> {
    content(request)
        .into_iter()
        .filter(|stem| stem.chars().count() > 1 && stem.chars().all(char::is_alphabetic))
        .take(12)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_tokens(text: &str, expected: &str) {
        assert_eq!(tokens(text).join(" "), expected);
    }

    #[track_caller]
    fn check_stem(words: &str, expected: &str) {
        for word in words.split(' ') {
            assert_eq!(stem(word), expected, "{word}");
        }
    }

    #[test]
    fn names_stay_whole_and_quotes_go() {
        check_tokens("Use `rg`, not \"grep\"!", "use rg , not grep !");
        check_tokens("search app.log for --no-pager.", "search app.log for --no-pager");
        check_tokens("don't; ping 10.0.0.1:80", "dont ; ping 10.0.0.1:80");
        check_tokens("grep -> rg", "grep -> rg");
        check_tokens("  \n\t ", "");
    }

    #[test]
    fn forms_of_a_word_share_a_stem() {
        check_stem("delete deletes deleted deleting deletion", "delet");
        check_stem("run runs running runner", "run");
        check_stem("copy copies copied copying", "copy");
        check_stem("commit commits committed committing", "commit");
        check_stem("search searches searching", "search");
        check_stem("edit editor edits editing", "edit");
        check_stem("ls", "ls");
        check_stem("app.log", "app.log");
    }

    #[test]
    fn shapes_are_marked() {
        for (text, mark) in [
            ("app.log", "<file>"),
            ("~/src", "<path>"),
            ("https://a.example/x", "<url>"),
            ("20", "<number>"),
            ("-v", "<option>"),
            ("15:30", "<time>"),
            ("at 3 pm", "<time>"),
            ("2026-01-31", "<date>"),
        ] {
            assert!(Words::of(text).stems.contains(mark), "{text} is no {mark}");
        }
        assert!(!Words::of("3.5").stems.contains("<file>"));
    }

    #[test]
    fn triggers_are_plain_words() {
        assert_eq!(trigger_words("please search app.log for Timeout 30"), ["search", "timeout"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC*") {
            let words = Words::of(&text);
            proptest::prop_assert!(words.tokens.iter().all(|token| !token.is_empty() && !token.contains(' ')));
            proptest::prop_assert!(trigger_words(&text).len() <= 12);
        }
    }
}
