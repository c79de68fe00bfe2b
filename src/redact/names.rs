//! Whether a name holds a secret: `AWS_SECRET_ACCESS_KEY` does, `primary_key` and `max_tokens` do not. Pure.

use super::rules::{Names, rules};

/// What a name promises, and so how much its value must look like a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person chose it: any word may be one.
    Password,
    /// A machine made it.
    Token,
    /// A machine made it, if it is one: the name is not enough.
    Perhaps,
}

/// `None`: the name promises no secret.
pub(super) fn kind(name: &str) -> Option<Kind> {
    let names = &rules().names;
    let mut words = words(name);
    while words.len() > 1 && words.last().is_some_and(|word| is_tail(word, names)) {
        words.pop();
    }
    let (last, before) = words.split_last()?;
    if before.last().is_some_and(|word| names.harmless.contains(word))
        || before.first().is_some_and(|word| names.questions.contains(word))
    {
        return None;
    }
    if is_password(last, names) {
        Some(Kind::Password)
    } else if is_token(last, names) {
        Some(Kind::Token)
    } else if last == "key" {
        key(name, before, names)
    } else {
        None
    }
}

/// Whether the name is written as variables of the environment are.
pub(super) fn is_capital(name: &str) -> bool {
    name.bytes().any(|byte| byte.is_ascii_uppercase()) && !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// The words of an identifier in small letters: `dbPassword` → `db`, `password`; `APIKey2` → `api`, `key`, `2`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() {
            let small_follows = characters.peek().is_some_and(|next| next.is_lowercase());
            let begins = !before.is_alphanumeric()
                || (character.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()))
                || (character.is_uppercase() && before.is_uppercase() && small_follows)
                || (character.is_ascii_digit() && before.is_alphabetic());
            match words.last_mut() {
                Some(word) if !begins => word.extend(character.to_lowercase()),
                _ => words.push(character.to_lowercase().collect()),
            }
        }
        before = character;
    }
    words
}

fn is_tail(word: &str, names: &Names) -> bool {
    names.tails.contains(word) || word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_password(word: &str, names: &Names) -> bool {
    let ends = ["password", "passwd", "passphrase", "passwort", "pwd"];
    names.passwords.contains(word) || ends.iter().any(|end| word.ends_with(end))
}

fn is_token(word: &str, names: &Names) -> bool {
    let ends = ["token", "secret", "apikey", "accesskey", "secretkey", "privatekey"];
    names.tokens.contains(word) || ends.iter().any(|end| word.ends_with(end))
}

fn key(name: &str, before: &[String], names: &Names) -> Option<Kind> {
    let word = before.last()?;
    if names.keys.contains(word) {
        Some(Kind::Token)
    } else if before.iter().any(|word| names.public.contains(word)) {
        None
    } else if is_capital(name) || before.iter().any(|word| names.services.contains(word)) {
        Some(Kind::Token)
    } else {
        Some(Kind::Perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<Kind>) {
        assert_eq!(kind(name), expected, "{name}");
    }

    #[test]
    fn names_of_passwords() {
        for name in ["password", "DB_PASSWORD", "dbPassword", "PGPASSWORD", "spring.datasource.password"] {
            check(name, Some(Kind::Password));
        }
        for name in ["MYSQL_PWD", "smtp-pass", "userPw", "password2", "ROOT_PASSWORD_PROD", "WLAN_PSK"] {
            check(name, Some(Kind::Password));
        }
    }

    #[test]
    fn names_of_tokens() {
        for name in
            ["GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "apiKey", "X-Api-Key", "client_secret", "GH_PAT"]
        {
            check(name, Some(Kind::Token));
        }
        for name in ["DATADOG_KEY", "AccountKey", "_authToken", "apikey", "SECRET_KEY_BASE64", "sessionid"] {
            check(name, Some(Kind::Token));
        }
    }

    #[test]
    fn a_key_of_something_else_is_perhaps_one() {
        check("shop_key", Some(Kind::Perhaps));
        check("datadog_key", Some(Kind::Token));
    }

    #[test]
    fn names_that_promise_nothing() {
        for name in ["key", "primary_key", "PUBLIC_KEY", "max_tokens", "tokens", "next_token", "csrfToken"] {
            check(name, None);
        }
        for name in
            ["token_count", "password_field", "keyboard", "monkey", "is_secret", "secret_name", "author"]
        {
            check(name, None);
        }
        for name in ["compass", "bypass", "passed", "", "_", "2"] {
            check(name, None);
        }
    }

    #[test]
    fn words_are_cut_where_people_read_them() {
        assert_eq!(words("dbPassword"), ["db", "password"]);
        assert_eq!(words("APIKey2"), ["api", "key", "2"]);
        assert_eq!(words("aws.secret-access_KEY"), ["aws", "secret", "access", "key"]);
        assert_eq!(words("contraseña"), ["contraseña"]);
    }
}
