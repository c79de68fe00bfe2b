//! Redaction from outside: figures on a labelled set, and what must hold for any text in any pieces.

mod labelled;

use std::fs;
use std::path::{Path, PathBuf};

use chela::redact::{Found, Redactor, Secrets};
use labelled::{Case, Dice, harmless_cases, secret_cases};
use proptest::prelude::*;

fn redactor() -> Redactor {
    Redactor::new(&Secrets::default())
}

/// Whether the text shows the secret, or half of it.
fn shows(text: &str, secret: &str) -> bool {
    let half: String = secret.chars().take(secret.chars().count().div_ceil(2).max(4)).collect();
    text.contains(secret) || text.contains(&half)
}

/// Whether what was found lies on a secret, but for a few letters around it.
fn is_on_secret(case: &Case, found: &Found) -> bool {
    let span = &found.span;
    case.secrets.iter().any(|secret| {
        case.text.match_indices(secret.as_str()).any(|(at, _)| at < span.end && span.start < at + secret.len())
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
        let shown: Vec<&String> = case.secrets.iter().filter(|secret| shows(&redacted.text, secret)).collect();
        figures.n_hidden += case.secrets.len() - shown.len();
        if !shown.is_empty() {
            figures.missed.push(format!("{}: {:?} from {:?}", case.what, redacted.text, case.text));
        }
        for found in &redacted.found {
            figures.n_found += 1;
            if is_on_secret(&case, found) {
                figures.n_right += 1;
            } else {
                figures.wrong.push(format!("{}: {:?} in {:?}", found.rule.name(), &case.text[found.span.clone()], case.text));
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
    if std::env::args().any(|argument| argument == "--nocapture") {
        println!("missed:\n{}\nwrong:\n{}", figures.missed.join("\n"), figures.wrong.join("\n"));
    }
}
