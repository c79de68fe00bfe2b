//! Whether a value looks like a secret, from the value alone: how it varies, of which words it is made, whether it only
//! stands for one (`$TOKEN`, `<password>`, `your-key-here`). Pure.

use std::collections::HashSet;

use super::names::words;
use super::rules::rules;

/// Bits per byte: 0 for `aaaa`, about 4.5 for forty random letters and digits.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    let bits = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

/// Whether the text stands for a value instead of being one: a variable, a template, a mark of what was taken out.
pub(super) fn is_reference(value: &str) -> bool {
    let after_dollar = value.strip_prefix('$').and_then(|rest| rest.chars().next());
    value.starts_with('{')
        || after_dollar.is_some_and(|next| next.is_ascii_alphabetic() || "_{(@*1".contains(next))
        || ["${", "{{", "$(", "#{", "<%", "%(", "<secret:", "<private:", "%s", "%v", "\\("]
            .iter()
            .any(|mark| value.contains(mark))
        || [('<', '>'), ('[', ']'), ('{', '}'), ('%', '%'), ('@', '@'), ('(', ')'), ('`', '`')]
            .iter()
            .any(|(open, close)| value.len() > 1 && value.starts_with(*open) && value.ends_with(*close))
}

/// Whether the text is what people write into examples: `changeme`, `your-token-here`, `xxxxxxxx`, `…`.
pub(super) fn is_placeholder(value: &str) -> bool {
    let different: HashSet<char> = value.chars().collect();
    if different.len() <= 2 || value.starts_with("...") || value.ends_with("...") {
        return true;
    }
    let parts: Vec<String> = value
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let placeholders = &rules().names.placeholders;
    let is_one = |part: &String| {
        let small = part.to_lowercase();
        placeholders.contains(&small)
            || (part.chars().all(char::is_alphabetic)
                && words(part).iter().all(|word| placeholders.contains(word)))
    };
    !parts.is_empty() && parts.iter().all(is_one)
}

/// Whether a long value is an example after all: made with the eye, not by a machine.
pub(super) fn is_example(value: &str) -> bool {
    let small = value.to_ascii_lowercase();
    let patterns =
        ["example", "xxxxx", "*****", "abcdefgh", "12345678", "placeholder", "changeme", ".....", "0000000"];
    patterns.iter().any(|pattern| small.contains(pattern))
}

/// Whether a machine made it: at least `least` characters of a token's alphabet, varied, and not a row of words.
pub(super) fn is_random(value: &str, least: usize) -> bool {
    let body = value.trim_end_matches('=');
    let in_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"_+/=.~-:%!@#^&*$".contains(&byte);
    if value.len() < least || !value.bytes().all(in_alphabet) || is_example(value) || is_version(body) {
        return false;
    }
    let (letters, digits) = (count(body, |b| b.is_ascii_alphabetic()), count(body, |b| b.is_ascii_digit()));
    let is_hex = body.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_hex {
        return letters > 0 && digits > 0 && entropy(body.as_bytes()) >= 2.7;
    }
    let varies = entropy(body.as_bytes()) >= if body.len() < 20 { 2.9 } else { 3.2 };
    varies && letters > 0 && (digits > 0 || switches(body) >= 5) && !is_row_of_words(body)
}

/// `2f1c…-…`: as long as a UUID and cut where a UUID is.
pub(super) fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether it is a path or an address, which are named by their places and hold secrets elsewhere.
pub(super) fn is_place(value: &str) -> bool {
    let begins = ["http://", "https://", "file:", "./", "../", "~/", "C:\\"];
    begins.iter().any(|begin| value.starts_with(begin))
        || (value.starts_with('/') && value.len() > 1 && is_row_of_words(value))
}

/// `self.password`, `config.auth.token`, `Option`: what a program calls something.
pub(super) fn is_dotted_name(value: &str, most_digits: usize) -> bool {
    let is_ident = |part: &str| {
        part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    value.contains('.')
        && value.split('.').all(is_ident)
        && count(value, |byte| byte.is_ascii_digit()) <= most_digits
}

/// Words, versions and short numbers, with marks between them.
fn is_row_of_words(value: &str) -> bool {
    let is_word = |part: &str| {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let n_digits = part.len() - letters.len();
        if letters.is_empty() {
            return n_digits <= 4;
        }
        letters.bytes().all(|byte| byte.is_ascii_alphabetic())
            && n_digits <= 3
            && switches(letters) * 3 <= letters.len()
    };
    value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).all(is_word)
        || is_mostly_words(value)
}

/// `X509CertificateTemplateFlag`: three words or more, which are most of it. Random letters rarely make a long one.
fn is_mostly_words(value: &str) -> bool {
    let words = words(value);
    let is_long = |word: &&String| word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let in_words: usize = words.iter().filter(is_long).map(String::len).sum();
    words.len() >= 3 && in_words * 10 >= value.len() * 6
}

/// `1.2.3-beta.4`, `v10`: begins with numbers between points.
fn is_version(value: &str) -> bool {
    let numbers = value.trim_start_matches('v');
    let first: Vec<&str> = numbers.splitn(3, '.').collect();
    first.len() >= 2
        && first.iter().take(2).all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// How often small and capital letters follow each other: words begin with a capital, random letters do not care.
fn switches(value: &str) -> usize {
    let bytes = value.as_bytes();
    bytes
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if (a.is_ascii_lowercase() && b.is_ascii_uppercase()) || (a.is_ascii_uppercase() && b.is_ascii_lowercase())))
        .count()
}

fn count(value: &str, is_counted: impl Fn(u8) -> bool) -> usize {
    value.bytes().filter(|byte| is_counted(*byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_random(value: &str, expected: bool) {
        assert_eq!(is_random(value, 12), expected, "{value} has {:.2} bits", entropy(value.as_bytes()));
    }

    #[test]
    fn what_a_machine_made_is_random() {
        check_random(&["9f86d081", "884c7d659a2f"].concat(), true);
        check_random(&["wJalrXUtn", "FEMIK7MDENGbPx"].concat(), true);
        check_random(&["dXNlcjpo", "dW50ZXIyMg=="].concat(), true);
    }

    #[test]
    fn what_people_name_is_not() {
        for value in
            ["my-secret-token-2024", "production_v2_cluster", "ContinuationTokenRequest", "1.23.456-alpha.7"]
        {
            check_random(value, false);
        }
        for value in
            ["application/json", "deadbeefcafe", "123456789012345", "refs/heads/main-2", "xxxxxxxxxxxx1a"]
        {
            check_random(value, false);
        }
    }

    #[track_caller]
    fn check_placeholder(value: &str, expected: bool) {
        assert_eq!(is_placeholder(value) || is_reference(value), expected, "{value}");
    }

    #[test]
    fn what_stands_for_a_value_is_none() {
        for value in
            ["changeme", "your-token-here", "YOUR_API_KEY", "********", "xxxx", "<password>", "$PASS", "${X}"]
        {
            check_placeholder(value, true);
        }
        for value in
            ["{{ vault.pw }}", "%s", "test", "[redacted]", "...", "<secret:jwt>", "apiKeyHere", "test-token"]
        {
            check_placeholder(value, true);
        }
    }

    #[test]
    fn what_a_person_chose_is_one() {
        for value in ["hunter2", "swordfish", "Tr0ub4dor&3", "pa$$word", "password1234", "correct-horse"] {
            check_placeholder(value, false);
        }
    }

    #[test]
    fn paths_and_members_have_names_of_their_own() {
        assert!(is_place("/etc/ssl/private/server.key") && is_place("https://example.org/x"));
        assert!(!is_place(&["/9j4AAQ", "SkZJRgABAQ+x1"].concat()));
        assert!(is_dotted_name("self.password", 0) && !is_dotted_name("sunny.hunter2", 0));
    }
}
