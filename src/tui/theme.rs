//! Colours and emphasis: what each kind of text looks like. Only the 16 ANSI colours, so that the user's own
//! colour scheme decides; never colour alone.

use ratatui::style::{Color, Modifier, Style};

/// How light the terminal's background is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Background {
    #[default]
    Unknown,
    Light,
    Dark,
}

/// How much of a style reaches the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Colours and emphasis.
    Full,
    /// Bold and dim, no colours (`NO_COLOR`, `theme = "none"`).
    NoColour,
    /// No escape sequence at all (pipes, `TERM=dumb`).
    None,
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
pub(crate) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub(crate) const HINT: Style = Style::new().fg(Color::Cyan);
pub(crate) const OK: Style = Style::new().fg(Color::Green);
pub(crate) const ERROR: Style = Style::new().fg(Color::Red);
pub(crate) const BRAND: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
pub(crate) const CODE: Style = Style::new().fg(Color::Cyan);
pub(crate) const SELECTED: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);

/// What a piece of code is, as far as colour is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Comment,
    Text,
    Literal,
    Keyword,
    Name,
}

/// Yellow and white vanish on light backgrounds and dark blue on dark ones, so neither is used there.
pub(crate) fn tone(tone: Tone, background: Background) -> Style {
    let dark = background == Background::Dark;
    match tone {
        Tone::Comment => DIM,
        Tone::Text => OK,
        Tone::Literal => HINT,
        Tone::Keyword if dark => Style::new().fg(Color::LightMagenta),
        Tone::Keyword => Style::new().fg(Color::Magenta),
        Tone::Name if dark => Style::new().fg(Color::LightBlue),
        Tone::Name if background == Background::Light => Style::new().fg(Color::Blue),
        Tone::Name => BOLD,
    }
}
