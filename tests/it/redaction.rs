//! Redaction from outside: figures on a labelled set, and what must hold for any text in any pieces.

pub(crate) mod labelled;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use chela::redact::{Found, Redactor, Rule, Secrets};
use labelled::{Case, Dice, harmless_cases, secret_cases};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::cli::{Home, stderr, stdout};

pub(crate) fn redactor() -> Redactor {
    Redactor::new(&Secrets::default())
}

/// Whether the text shows the secret, or half of it.
pub(crate) fn shows(text: &str, secret: &str) -> bool {
    let half: String = secret.chars().take(secret.chars().count().div_ceil(2).max(4)).collect();
    text.contains(secret) || text.contains(&half)
}

/// Whether what was found lies on a secret, but for a few letters around it.
fn is_on_secret(case: &Case, found: &Found) -> bool {
    let span = &found.span;
    case.secrets.iter().any(|secret| {
        case.text
            .match_indices(secret.as_str())
            .any(|(at, _)| at < span.end && span.start < at + secret.len())
    })
}

#[derive(Default)]
struct Figures {
    n_secrets: usize,
    n_hidden: usize,
    n_found: usize,
    n_right: usize,
    missed: Vec<String>,
    wrong: Vec<String>,
}

fn measured() -> Figures {
    let redactor = redactor();
    let mut figures = Figures::default();
    for case in secret_cases() {
        let redacted = redactor.redact(&case.text);
        figures.n_secrets += case.secrets.len();
        let shown: Vec<&String> =
            case.secrets.iter().filter(|secret| shows(&redacted.text, secret)).collect();
        figures.n_hidden += case.secrets.len() - shown.len();
        if !shown.is_empty() {
            figures.missed.push(format!("{}: {:?} from {:?}", case.what, redacted.text, case.text));
        }
        for found in &redacted.found {
            figures.n_found += 1;
            if is_on_secret(&case, found) {
                figures.n_right += 1;
            } else {
                figures.wrong.push(format!(
                    "{}: {:?} in {:?}",
                    found.rule.name(),
                    &case.text[found.span.clone()],
                    case.text
                ));
            }
        }
    }
    for text in harmless_cases() {
        for found in redactor.redact(&text).found {
            figures.n_found += 1;
            figures.wrong.push(format!("{}: {:?} in {text:?}", found.rule.name(), &text[found.span.clone()]));
        }
    }
    figures
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "thousands")]
#[expect(clippy::print_stdout, reason = "the figures are asked for")]
fn secrets_of_the_labelled_set_are_hidden_and_nothing_else() {
    let figures = measured();
    let recall = figures.n_hidden as f64 / figures.n_secrets as f64;
    let precision = figures.n_right as f64 / figures.n_found as f64;
    println!(
        "recall {:.2} % of {} secrets, precision {:.2} % of {} findings, {} harmless texts",
        recall * 100.0,
        figures.n_secrets,
        precision * 100.0,
        figures.n_found,
        harmless_cases().len()
    );
    assert!(recall >= 0.98, "recall {recall:.4}; missed:\n{}", figures.missed.join("\n"));
    assert!(precision >= 0.95, "precision {precision:.4}; wrong:\n{}", figures.wrong.join("\n"));
    println!("missed: {:#?}\nwrong: {:#?}", figures.missed, figures.wrong);
}

/// Of what texts are made in which secrets stand, half stand, or seem to stand.
const FRAGMENTS: &[&str] = &[
    "password",
    "token",
    "api_key",
    "AWS_SECRET_ACCESS_KEY",
    "--password",
    "key",
    "=",
    ": ",
    " = ",
    "=\"",
    "\"",
    "'",
    "\\\"",
    " ",
    "\n",
    "\r\n",
    "\\\n",
    "\t",
    "\\n",
    ",",
    ";",
    "&",
    "|",
    "/",
    "@",
    ":",
    "://",
    "https://anna:",
    "@host ",
    "curl ",
    "mysql ",
    " -p",
    " -u ",
    "Cookie: a=",
    "Set-Cookie: ",
    "Authorization: Basic ",
    "Bearer ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "\n-----END RSA PRIVATE KEY-----\n",
    "<secret:password>",
    "<secret:",
    "<private:1>",
    ">",
    "<",
    "é",
    "日本",
    "🙂",
    "ghp_",
    "xoxb-",
    "AKIA",
    "eyJ",
    ".eyJ",
    ".",
    "-",
    "_",
    "%3D",
    "$",
    "{",
    "}",
    "(",
    ")",
    "the ",
    " is ",
    "hunter2",
    "swordfish",
    "Falcon",
    "value=",
    "<password>",
    "</password>",
    "$6$",
    "Q~",
    "_mmk",
    ":AA",
];

fn fragment() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(FRAGMENTS).prop_map(str::to_owned);
    let made = (
        any::<u64>(),
        1_usize..80,
        prop::sample::select(vec![labelled::HEX, labelled::ALNUM, labelled::BASE64]),
    )
        .prop_map(|(seed, length, alphabet)| Dice::new(seed).letters(alphabet, length));
    prop_oneof![6 => fixed, 3 => made, 1 => ".{0,12}"]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(fragment(), 0..40).prop_map(|parts| parts.concat())
}

/// A text with lines far longer than what a rule sees at once.
fn long_text() -> impl Strategy<Value = String> {
    let filling = (any::<u64>(), 1_usize..30_000, any::<bool>()).prop_map(|(seed, length, has_blanks)| {
        let letters = Dice::new(seed).letters(labelled::ALNUM, length);
        if has_blanks { letters.replace('a', " ").replace('b', ", ") } else { letters }
    });
    prop::collection::vec(prop_oneof![8 => fragment(), 1 => filling], 0..60).prop_map(|parts| parts.concat())
}

fn known() -> Redactor {
    let env = [("SHOP_PASSWORD", "swordfish"), ("SHOP_TOKEN", "a8Qz61mPw0"), ("HOME", "/home/anna")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Redactor::new(&Secrets::new(env, &["Falcon".to_owned(), "日本".to_owned()]))
}

/// The same texts in every run; more of them with `PROPTEST_CASES`, others with `PROPTEST_RNG_SEED`.
fn same_texts(cases: u32) -> ProptestConfig {
    let seed = std::env::vars_os().any(|(name, _)| name == "PROPTEST_RNG_SEED");
    let rng_seed = if seed { ProptestConfig::default().rng_seed } else { RngSeed::Fixed(7) };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// What a stream makes of the text when it is cut at these places.
fn in_pieces(redactor: &Redactor, text: &str, cuts: &[usize]) -> (Vec<u8>, Vec<Found>) {
    let mut stream = redactor.stream();
    let (mut bytes, mut found, mut from) = (Vec::new(), Vec::new(), 0);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.sort_unstable();
    for cut in cuts.into_iter().chain([text.len()]) {
        let piece = stream.push(&text.as_bytes()[from..cut]);
        bytes.extend(piece.bytes);
        found.extend(piece.found);
        from = cut;
    }
    let rest = stream.finish();
    bytes.extend(rest.bytes);
    found.extend(rest.found);
    (bytes, found)
}

#[track_caller]
fn check_pieces(redactor: &Redactor, text: &str, cuts: &[usize]) {
    let whole = redactor.redact(text);
    let (bytes, found) = in_pieces(redactor, text, cuts);
    assert_eq!(String::from_utf8(bytes).unwrap(), whole.text, "cut at {cuts:?}: {text:?}");
    assert_eq!(found, whole.found, "cut at {cuts:?}: {text:?}");
}

/// The text with a placeholder for each place that was found: what `redact` has to give.
fn replaced(text: &str, found: &[Found]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for one in found {
        out.push_str(&text[at..one.span.start]);
        out.push_str(&one.rule.placeholder());
        at = one.span.end;
    }
    out + &text[at..]
}

proptest! {
    #![proptest_config(same_texts(300))]

    #[test]
    fn pieces_give_what_the_whole_gives(text in text(), cuts in prop::collection::vec(any::<usize>(), 0..12)) {
        check_pieces(&known(), &text, &cuts);
    }

    #[test]
    fn what_is_redacted_stays_as_it_is(text in text()) {
        let redactor = known();
        let once = redactor.redact(&text).text.into_owned();
        let twice = redactor.redact(&once);
        prop_assert_eq!(&*twice.text, &*once, "from {:?}", text);
    }

    #[test]
    fn places_are_those_of_what_is_hidden(text in text()) {
        let redacted = known().redact(&text);
        prop_assert_eq!(replaced(&text, &redacted.found), redacted.text);
    }

    #[test]
    fn bytes_that_are_no_text_pass(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in any::<usize>()) {
        let redactor = known();
        let mut stream = redactor.stream();
        let cut = cut % (bytes.len() + 1);
        let mut out = stream.push(&bytes[..cut]).bytes;
        out.extend(stream.push(&bytes[cut..]).bytes);
        let rest = stream.finish();
        out.extend(rest.bytes);
        if rest.found.is_empty() && !out.windows(8).any(|window| window == b"<secret:") {
            prop_assert_eq!(out, bytes);
        }
    }
}

proptest! {
    #![proptest_config(same_texts(30))]

    #[test]
    fn pieces_of_long_lines_give_what_the_whole_gives(
        text in long_text(),
        cuts in prop::collection::vec(any::<usize>(), 0..40),
    ) {
        check_pieces(&known(), &text, &cuts);
    }

    #[test]
    fn long_lines_stay_as_they_are(text in long_text()) {
        let redactor = known();
        let once = redactor.redact(&text).text.into_owned();
        prop_assert_eq!(&*redactor.redact(&once).text, &*once);
    }
}

#[test]
fn any_cut_of_the_labelled_set_gives_what_the_whole_gives() {
    let redactor = redactor();
    for case in secret_cases().iter().step_by(17) {
        for cut in 0..=case.text.len() {
            check_pieces(&redactor, &case.text, &[cut]);
        }
        let every_byte: Vec<usize> = (0..case.text.len()).collect();
        check_pieces(&redactor, &case.text, &every_byte);
    }
}

#[test]
fn memory_does_not_grow_with_a_line() {
    let redactor = redactor();
    let mut stream = redactor.stream();
    let mut longest_wait = 0_i64;
    let mut waiting = 0_i64;
    for _ in 0..2_000 {
        waiting += 1_000;
        waiting -= i64::try_from(stream.push(&[b'x'; 1_000]).bytes.len()).unwrap();
        longest_wait = longest_wait.max(waiting);
    }
    assert!(longest_wait < 40_000, "{longest_wait} bytes wait");
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(known().redact(text).text, expected);
}

#[test]
fn a_placeholder_says_the_rule_and_nothing_of_the_secret() {
    check("mysql -uroot -psunny777 shop", "mysql -uroot -p<secret:password> shop");
    check("mysql -uroot -psunny-and-much-longer-777 shop", "mysql -uroot -p<secret:password> shop");
}

#[test]
fn secrets_of_the_environment_are_hidden_wherever_they_stand() {
    check("echo swordfish | nc db1 99", "echo <secret:env> | nc db1 99");
    check("cd /home/anna", "cd /home/anna");
}

#[test]
fn a_secret_with_marks_is_also_hidden_as_a_url_writes_it() {
    let env = [("APP_PASSWORD".to_owned(), "p@ss/w0rd".to_owned())];
    let redactor = Redactor::new(&Secrets::new(env, &[]));
    assert_eq!(redactor.redact("GET /?q=p%40ss%2Fw0rd").text, "GET /?q=<secret:env>");
}

#[test]
fn variables_that_are_no_secrets_are_not_looked_for() {
    let env = [
        ("EDITOR", "vimvimvim"),
        ("API_KEY_FILE", "/run/secrets/api-7"),
        ("PASSWORD", "changeme"),
        ("PWD", "/home/anna"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let redactor = Redactor::new(&Secrets::new(env, &[]));
    let text = "vimvimvim /run/secrets/api-7 changeme /home/anna";
    assert_eq!(redactor.redact(text).text, text);
}

#[test]
fn a_placeholder_is_no_name_of_what_follows_it() {
    let value = Dice::new(3).letters(labelled::ALNUM, 24);
    let text = format!("<secret:env> = \"{value}");
    check(&text, &text);
}

#[test]
fn names_to_hide_are_whole_words_in_capital_or_small_letters() {
    check("FALCON, falcon and Falcons", "<private:1>, <private:1> and Falcons");
    check("das 日本 team", "das <private:2> team");
    check("日本team", "<private:2>team");
}

#[test]
fn one_secret_has_one_placeholder() {
    let secret = Dice::new(5).letters(labelled::HEX, 40);
    let text = format!("API_TOKEN={secret}\nAuthorization: Bearer {secret}\n");
    let redacted = redactor().redact(&text).text.into_owned();
    assert_eq!(redacted, "API_TOKEN=<secret:token>\nAuthorization: Bearer <secret:token>\n");
}

#[test]
fn a_key_goes_as_a_whole_and_its_headlines_stay() {
    let lines: Vec<String> = (0..4).map(|seed| Dice::new(seed).letters(labelled::BASE64, 64)).collect();
    let text =
        format!("a\n-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\nb", lines.join("\n"));
    let redacted = redactor().redact(&text);
    let expected =
        "a\n-----BEGIN RSA PRIVATE KEY-----\n<secret:private-key>\n-----END RSA PRIVATE KEY-----\nb";
    assert_eq!(redacted.text, expected);
    assert_eq!(redacted.found.len(), 1);
    assert_eq!(text[redacted.found[0].span.clone()], lines.join("\n"));
}

#[test]
fn a_text_without_secrets_is_borrowed() {
    assert!(matches!(redactor().redact("ls -la").text, std::borrow::Cow::Borrowed("ls -la")));
}

/// Text of this repository: prose, checksums, program text without its tests.
fn natural_text() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![
        "README.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "deny.toml",
    ];
    files.extend(["assets/rehearsal/everyday.toml", "assets/config.toml", "scripts/check", "scripts/setup"]);
    let mut paths: Vec<_> = files.into_iter().map(|file| root.join(file)).collect();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
                paths.push(path);
            }
        }
    }
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    paths
        .iter()
        .map(|path| (path.display().to_string(), text(path)))
        .map(|(name, text)| (name, text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()))
        .collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are asked for")]
fn the_text_of_this_repository_holds_next_to_nothing() {
    let redactor = redactor();
    let (mut n_bytes, mut wrong) = (0, Vec::new());
    for (name, text) in natural_text() {
        n_bytes += text.len();
        let found = redactor.redact(&text).found;
        wrong.extend(
            found.iter().map(|one| format!("{name}: {}: {}", one.rule.name(), &text[one.span.clone()])),
        );
    }
    println!("{} findings in {n_bytes} bytes of this repository: {wrong:?}", wrong.len());
    assert!(n_bytes > 1_000_000);
    assert!(wrong.len() * 500_000 <= n_bytes, "{wrong:#?}");
}

/// `chela redact` with a text on stdin, and a variable that is a secret.
fn run_redact(home: &Home, args: &[&str], text: &[u8]) -> std::process::Output {
    let mut command = home.chela(&[&["redact"], args].concat());
    command
        .env("SHOP_PASSWORD", "swordfish")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_hides_on_stdout_and_says_nothing_unasked() {
    let output = run_redact(&Home::new(), &[], b"a\necho swordfish\n\xff\xfe");
    assert_eq!(output.stdout, b"a\necho <secret:env>\n\xff\xfe");
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
}

#[test]
fn the_command_explains_on_stderr_without_the_secret() {
    let output = run_redact(&Home::new(), &["--explain"], b"a\necho swordfish; curl -u anna:sunny777 x\n");
    assert_eq!(stdout(&output), "a\necho <secret:env>; curl -u anna:<secret:password> x\n");
    assert_eq!(stderr(&output), "line 2, columns 6-14: env\nline 2, columns 30-37: password\n");
}

#[test]
fn the_command_gives_places_as_json() {
    let output = run_redact(&Home::new(), &["--json"], b"a\necho swordfish\n");
    let place: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let expected = serde_json::json!({
        "rule": "env", "placeholder": "<secret:env>", "line": 2, "column": 6, "start": 7, "end": 16
    });
    assert_eq!(place, expected);
}

#[test]
fn the_command_hides_the_names_of_the_settings() {
    let home = Home::new();
    assert!(
        home.run(&["config", "set", "privacy.hide", r#"["Falcon", "anna@example.com"]"#]).status.success()
    );
    let output = run_redact(&home, &[], b"ask anna@example.com about falcon");
    assert_eq!(stdout(&output), "ask <private:2> about <private:1>");
}

#[test]
fn a_rule_has_a_name_and_a_placeholder() {
    assert_eq!(Rule::Secret("jwt").placeholder(), "<secret:jwt>");
    assert_eq!(
        (Rule::Private(2).name(), Rule::Private(2).placeholder()),
        ("private", "<private:2>".to_owned())
    );
}
