//! What a hint may rest on: whose words it repeats, and what must not be in it. Pure.

use super::Refusal;
use super::meaning;
use crate::judge::Case;

/// A run of letters and digits this long that mixes kinds is a key, not a word.
const KEY_LEN: usize = 20;
/// Letters that two words must share to be forms of one word (`delete`, `deleting`).
const STEM: usize = 4;

/// The person's own part of a message: without code blocks, quoted lines and pasted prompts.
pub(super) fn own_words(text: &str) -> String {
    let mut is_block = false;
    let mut kept: Vec<&str> = Vec::new();
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            is_block = !is_block;
        } else if !is_block && !start.starts_with(['>', '|']) && !start.starts_with("$ ") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

/// Refuses a sentence that nobody's words carry.
pub(super) fn check(hint: &str, own: &str, case: &Case<'_>) -> Result<(), Refusal> {
    let said = [words(own), words(case.request), words(case.answer)];
    let [own, request, _] = &said;
    let content: Vec<String> = words(hint).into_iter().filter(|word| !meaning::is_frame(word)).collect();
    if let Some(word) =
        content.iter().find(|word| !said.iter().any(|by| holds(by, word)) && !meant(own, word))
    {
        return Err(Refusal::Invented(word.clone()));
    }
    let frame: Vec<String> = words(hint).into_iter().filter(|word| word.chars().count() >= STEM).collect();
    let carrying = if content.is_empty() { &frame } else { &content };
    if !carrying.iter().any(|word| holds(own, word) || meant(own, word)) {
        return Err(Refusal::Unasked);
    }
    let is_contrast = [" instead of ", "never ", "not "].iter().any(|mark| hint.contains(mark));
    if !is_contrast && words(hint).iter().all(|word| holds(request, word)) {
        return Err(Refusal::RepeatsRequest);
    }
    Ok(())
}

/// Refuses `use NEW instead of OLD` where nobody asked for NEW, or where the answer did so already.
pub(super) fn check_swap(hint: &str, own: &str, case: &Case<'_>) -> Result<(), Refusal> {
    let swap = hint.strip_prefix("use ").and_then(|rest| rest.split_once(" instead of "));
    let Some((new, old)) = swap else { return Ok(()) };
    let (own, answer, request) = (words(own), words(case.answer), words(case.request));
    let all_in = |said: &[String], text: &str| {
        words(text).iter().all(|word| meaning::is_frame(word) || holds(said, word) || meant(said, word))
    };
    let is_wished = all_in(&own, new);
    let is_there = all_in(&own, old) || all_in(&answer, old) || all_in(&request, old);
    let is_done_already = all_in(&answer, new) && !all_in(&answer, old);
    if is_wished && is_there && !is_done_already { Ok(()) } else { Err(Refusal::Unasked) }
}

/// Words in small letters, without the marks around them.
pub(super) fn words(text: &str) -> Vec<String> {
    let marks = |c: char| !c.is_alphanumeric() && !"-/~_+.@".contains(c);
    let split = text.split(|c: char| c.is_whitespace() || ",;\"“”„«»`()[]{}".contains(c));
    let bare = split.map(|word| word.trim_start_matches(marks).trim_end_matches(|c| c == '.' || marks(c)));
    bare.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether the word was said, in this or a related form; names and options only exactly.
fn holds(said: &[String], word: &str) -> bool {
    let is_plain = |word: &str| word.chars().all(char::is_alphabetic);
    said.iter().any(|other| other == word || is_plain(word) && is_plain(other) && is_form_of(other, word))
}

fn is_form_of(one: &str, other: &str) -> bool {
    let shared = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let rest = |word: &str| word.chars().skip(shared).collect::<String>();
    shared >= STEM && meaning::is_ending(&rest(one)) && meaning::is_ending(&rest(other))
}

/// Whether the person said the same in another word or language (`auf Deutsch`: German).
fn meant(own: &[String], word: &str) -> bool {
    meaning::same_meaning(word).any(|other| holds(own, other))
}

/// Keys, tokens, passwords: nothing that could stand in a prompt from now on.
pub(super) fn holds_secret(text: &str) -> bool {
    let lower = text.to_lowercase();
    let names_secret = meaning::SECRET_NAMES.iter().any(|name| {
        lower.split(name).skip(1).any(|after| {
            let after = after.trim_start();
            after.starts_with(['=', ':']) || after.starts_with("is ") || after.starts_with("ist ")
        })
    });
    names_secret || text.split_whitespace().any(is_key) || text.contains("-----BEGIN")
}

fn is_key(word: &str) -> bool {
    if meaning::KEY_PREFIXES.iter().any(|prefix| word.contains(prefix) && word.len() >= prefix.len() + 8) {
        return true;
    }
    let runs = word.split(|c: char| !c.is_ascii_alphanumeric());
    let credentials_in_url = word.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    credentials_in_url.is_some_and(|host| host.split_once('@').is_some_and(|(user, _)| user.contains(':')))
        || runs.filter(|run| run.len() >= KEY_LEN).any(|run| {
            let has = |is: fn(char) -> bool| run.contains(is);
            has(|c| c.is_ascii_digit()) && has(|c| c.is_ascii_alphabetic())
        })
}
