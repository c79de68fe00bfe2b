//! Secrets out of text, before it is stored, stands in a prompt or is learned from. Pure; may use nothing but `config`.
//!
//! What lives here: which texts are secrets (formats of tokens, what stands behind a telling name, arguments of commands,
//! passwords in URLs, cookies, private keys, values of the environment, names that the user lists), and the placeholders
//! that stand for them. What does not: when text is redacted; that is for those who store and send it.
//!
//! What always holds: the same text gives the same result in whatever pieces it arrives; a placeholder says by which rule
//! a secret was hidden, and nothing of its letters or length; the same secret has the same placeholder in one text;
//! redacting what was redacted changes nothing; UTF-8 stays UTF-8. A process that redacts nothing pays nothing: rules are
//! read at the first text, and an expression is compiled when a text first asks for it.
//!
//! ```text
//! text ─► lines ─► calls (one automaton) ─► rules look at what is around ─► spans ─► text with placeholders
//! ```

mod assigned;
mod flags;
mod key;
mod known;
mod line;
mod matcher;
mod names;
mod rules;
mod stream;
mod tokens;
mod values;
mod view;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

pub use known::Secrets;
pub use stream::{Piece, Stream};

use matcher::Matcher;

/// Hides secrets. Cheap to make; share one.
pub struct Redactor {
    secrets: Secrets,
    matcher: OnceLock<Matcher>,
}

/// A text without its secrets; borrowed if it had none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'a> {
    pub text: Cow<'a, str>,
    pub found: Vec<Found>,
}

/// What was hidden, by which rule, and where in bytes it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub rule: Rule,
    pub span: Range<usize>,
}

/// Why something was hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A rule of the table, or of this module: `github-token`, `password`.
    Secret(&'static str),
    /// The name with this number in the user's list; 1 is the first.
    Private(usize),
}

impl Redactor {
    /// Looks for what the rules know, and for `secrets`.
    pub fn new(secrets: &Secrets) -> Self {
        Self { secrets: secrets.clone(), matcher: OnceLock::new() }
    }

    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        let mut stream = self.stream();
        let mut whole = stream.push(text.as_bytes());
        let rest = stream.finish();
        whole.bytes.extend(rest.bytes);
        whole.found.extend(rest.found);
        if whole.found.is_empty() {
            return Redacted { text: Cow::Borrowed(text), found: Vec::new() };
        }
        // Secrets begin and end between characters: nothing is replaced here. Were that wrong, a mark would be.
        let text = String::from_utf8(whole.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Redacted { text: Cow::Owned(text), found: whole.found }
    }

    /// For text that arrives in pieces, be it UTF-8 or not: the pieces of the result together are the redacted whole.
    pub fn stream(&self) -> Stream<'_> {
        Stream::new(self.matcher.get_or_init(|| Matcher::new(&self.secrets)))
    }
}

impl Rule {
    /// What stands in the text. Plain letters, so that a small model of bytes can learn to write it.
    pub fn placeholder(&self) -> String {
        match self {
            Self::Secret(name) => format!("<secret:{name}>"),
            Self::Private(number) => format!("<private:{number}>"),
        }
    }

    /// The rule's name, as `chela redact --explain` shows it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Secret(name) => name,
            Self::Private(_) => "private",
        }
    }
}
