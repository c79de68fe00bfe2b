//! Code with colours: syntect finds what each piece is, the theme's few tones say how it looks.
//!
//! The syntaxes are unpacked at the first code block (or by [`warm_up`] on a thread), never before the first frame.

use std::sync::LazyLock;

use ratatui::text::{Line, Span};
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

use super::theme::{self, Background, Tone};

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// From general to particular; the last one that fits a scope counts.
static TONES: LazyLock<Vec<(Scope, Tone)>> = LazyLock::new(|| {
    let tones = [
        ("comment", Tone::Comment),
        ("string", Tone::Text),
        ("constant", Tone::Literal),
        ("variable.parameter.option", Tone::Literal),
        ("keyword", Tone::Keyword),
        ("keyword.operator", Tone::Keyword),
        ("storage", Tone::Keyword),
        ("entity.name", Tone::Name),
        ("support.function", Tone::Name),
        ("variable.function", Tone::Name),
    ];
    tones.into_iter().filter_map(|(name, tone)| Some((Scope::new(name).ok()?, tone))).collect()
});

/// A longer line is shown without colours: some syntaxes need minutes for it.
const MAX_LINE: usize = 2000;

/// Unpacks the syntaxes, so that the first code block does not wait for it.
pub(crate) fn warm_up() {
    LazyLock::force(&SYNTAXES);
    LazyLock::force(&TONES);
}

/// The state of one code block, line after line.
#[derive(Debug, Clone)]
pub(crate) struct Highlighter {
    /// `None`: a language that we do not know.
    parser: Option<(ParseState, ScopeStack)>,
    background: Background,
}

impl Highlighter {
    pub(crate) fn new(language: &str, background: Background) -> Self {
        let token = alias(language.split([' ', ',', '{']).next().unwrap_or_default());
        let syntax = if token.is_empty() { None } else { SYNTAXES.find_syntax_by_token(token) };
        let parser = syntax.map(|syntax| (ParseState::new(syntax), ScopeStack::new()));
        Self { parser, background }
    }

    /// One line without its end.
    pub(crate) fn line(&mut self, line: &str) -> Line<'static> {
        let plain = || Line::from(line.to_owned());
        let Some((state, stack)) = &mut self.parser else { return plain() };
        if line.len() > MAX_LINE {
            return plain();
        }
        let Ok(changes) = state.parse_line(&format!("{line}\n"), &SYNTAXES) else {
            self.parser = None;
            return plain();
        };
        let mut spans = Vec::new();
        let mut from = 0;
        for (at, change) in changes {
            push(&mut spans, line.get(from..at.min(line.len())), stack, self.background);
            from = at;
            if stack.apply(&change).is_err() {
                break;
            }
        }
        push(&mut spans, line.get(from..), stack, self.background);
        Line::from(spans)
    }
}

fn push(spans: &mut Vec<Span<'static>>, text: Option<&str>, stack: &ScopeStack, background: Background) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        let style = tone_of(stack).map_or(theme::PLAIN, |tone| theme::tone(tone, background));
        spans.push(Span::styled(text.to_owned(), style));
    }
}

fn tone_of(stack: &ScopeStack) -> Option<Tone> {
    let fits = |scope: &Scope| {
        TONES.iter().rev().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, tone)| *tone)
    };
    stack.as_slice().iter().rev().find_map(fits)
}

/// Names that people write for languages that syntect knows under another one.
fn alias(language: &str) -> &str {
    match language {
        "shell" | "zsh" | "console" | "shell-session" | "fish" => "bash",
        "typescript" | "ts" | "tsx" | "jsx" => "js",
        "python3" => "python",
        "golang" => "go",
        "c++" => "cpp",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_strings_and_comments_differ_and_no_text_is_lost() {
        let mut highlighter = Highlighter::new("rust", Background::Light);
        let line = highlighter.line("let x = \"s\"; // why");
        assert_eq!(line.to_string(), "let x = \"s\"; // why");
        let style_of = |text: &str| line.spans.iter().find(|span| span.content.contains(text)).unwrap().style;
        assert_eq!(style_of("let"), theme::tone(Tone::Keyword, Background::Light));
        assert_eq!(style_of("s"), theme::tone(Tone::Text, Background::Light));
        assert_eq!(style_of("why"), theme::tone(Tone::Comment, Background::Light));
    }

    #[test]
    fn a_block_comment_lasts_over_lines() {
        let mut highlighter = Highlighter::new("c", Background::Dark);
        highlighter.line("/* one");
        assert_eq!(highlighter.line("two").spans[0].style, theme::DIM);
    }

    #[test]
    fn an_unknown_language_is_plain() {
        assert_eq!(Highlighter::new("klingon", Background::Dark).line("nuqneH"), Line::from("nuqneH"));
        assert_eq!(Highlighter::new("", Background::Dark).line("x = 1"), Line::from("x = 1"));
    }
}
