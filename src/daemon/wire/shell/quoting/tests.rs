//! Quoting against the shells that do it, and against nonsense.

use std::io::Write;
use std::process::Command;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn shell(text: &str, expected: &[u8]) {
    assert_eq!(from_shell(text.as_bytes()).as_deref(), Ok(expected));
}

#[test]
fn plain_text_and_quotes_make_one_word() {
    shell("plain", b"plain");
    shell("'a b'", b"a b");
    shell(r"'it'\''s'", b"it's");
    shell(r"a\ b\;c", b"a b;c");
    shell("''", b"");
    shell("", b"");
}

#[test]
fn escapes_are_read() {
    shell(r"$'a\nb\tc'", b"a\nb\tc");
    shell(r"$'\E\e\033\x1b\a\b\f\r\v'", b"\x1b\x1b\x1b\x1b\x07\x08\x0c\r\x0b");
    shell(r#"$'\\\'\"\?'"#, b"\\'\"?");
    shell(r"$'\303\274\u00fc\U0001f980'", "üü\u{1f980}".as_bytes());
    shell(r"$'\C-a\M-a\M-\C-?\cb'", b"\x01\xe1\xff\x02");
    shell(r"a$'\n'b'c'", b"a\nbc");
    shell("$x", b"$x");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    assert_eq!(from_shell(b"'open"), Err(QuotingError::Unfinished(0)));
    assert_eq!(from_shell(b"ab$'open"), Err(QuotingError::Unfinished(2)));
    assert_eq!(from_shell(b"end\\"), Err(QuotingError::Unfinished(3)));
    assert_eq!(from_shell(br"$'\q'"), Err(QuotingError::UnknownEscape(2)));
    assert_eq!(from_shell(br"$'\ud800'"), Err(QuotingError::UnknownEscape(2)));
    assert_eq!(from_shell(br"$'\x'"), Err(QuotingError::UnknownEscape(2)));
    assert_eq!(from_url(b"%2"), Err(QuotingError::UnknownEscape(0)));
    assert_eq!(from_url(b"a%zz"), Err(QuotingError::UnknownEscape(1)));
}

#[test]
fn urls_are_read() {
    assert_eq!(from_url(b"/a%20b%3B%C3%BC%0a"), Ok("/a b;ü\n".as_bytes().to_vec()));
}

#[test]
fn only_a_bare_semicolon_separates() {
    let fields = split_fields(br"C;n=1;d='a;b';e=$'x\';y';f=p\;q;");
    let expected: [&[u8]; 6] = [b"C", b"n=1", b"d='a;b'", br"e=$'x\';y'", br"f=p\;q", b""];
    assert_eq!(fields, expected);
    assert_eq!(split_fields(b"a='open;b"), [b"a='open;b"]);
}

/// Texts with everything that is hard: every ASCII control character, quotes, bytes that are no UTF-8.
fn hard_texts() -> Vec<Vec<u8>> {
    let controls: Vec<u8> = (1..128).collect();
    let mut texts: Vec<Vec<u8>> =
        ["", "plain", "it's; \"so\" $HOME `x` \\ !", "~", "a\nb\n", "ü\u{671c}\u{1f980}\u{85}", "%q 100%"]
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
    texts.push(controls);
    texts.push(b"\xff\xfe broken \xc3".to_vec());
    texts.push(b"'\x1b]133;D;0\x07'".to_vec());
    texts
}

/// Lets `program` quote each text, which it gets as an argument, and reads what comes back.
#[track_caller]
fn check_with(program: &[&str], read: fn(&[u8]) -> Result<Vec<u8>, QuotingError>) {
    use std::os::unix::ffi::OsStrExt;
    for locale in ["C", "C.UTF-8"] {
        for text in hard_texts() {
            let mut command = Command::new(program[0]);
            command.args(&program[1..]).arg(std::ffi::OsStr::from_bytes(&text)).env("LC_ALL", locale);
            let Ok(output) = command.output() else {
                writeln!(std::io::stdout().lock(), "skipped: {} is not installed", program[0]).unwrap();
                return;
            };
            let quoted = output.stdout;
            assert!(!quoted.contains(&0x07) && !quoted.contains(&0x1b), "{quoted:?}");
            assert_eq!(split_fields(&quoted).len(), 1, "{quoted:?}");
            assert_eq!(
                read(&quoted).as_ref(),
                Ok(&text),
                "{} in {locale}: {}",
                program[0],
                quoted.escape_ascii()
            );
        }
    }
}

#[test]
fn bash_is_understood() {
    check_with(&["bash", "--norc", "-c", r#"printf %s "${1@Q}""#, "bash"], from_shell);
}

#[test]
fn zsh_is_understood() {
    check_with(&["zsh", "-f", "-c", r#"printf %q "$1""#, "zsh"], from_shell);
}

#[test]
fn fish_is_understood() {
    check_with(&["fish", "--no-config", "-c", "printf %s (string escape --style=url -- $argv[1])"], from_url);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in any::<Vec<u8>>()) {
        let _ = from_shell(&text);
        let _ = from_url(&text);
        let fields = split_fields(&text);
        prop_assert_eq!(fields.join(&b';'), text);
    }

    #[test]
    fn nothing_in_an_escape_makes_it_panic(text in r"[$'\\a-zA-Z0-9?-]{0,24}") {
        let _ = from_shell(format!("$'{text}").as_bytes());
        let _ = from_shell(format!("$'{text}'").as_bytes());
    }

    #[test]
    fn single_quotes_keep_everything_but_themselves(text in "[^']{0,40}") {
        prop_assert_eq!(from_shell(format!("'{text}'").as_bytes()), Ok(text.into_bytes()));
    }
}
