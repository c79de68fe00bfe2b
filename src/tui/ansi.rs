//! Styled text into bytes for the terminal, and foreign text made safe to show. Pure.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

use super::theme::Ink;

/// Appends one line without its end; the style is reset behind it.
pub(crate) fn write_line(out: &mut Vec<u8>, line: &Line<'_>, ink: Ink) {
    let mut current = Style::default();
    for span in &line.spans {
        let wanted = line.style.patch(span.style);
        if ink != Ink::None && wanted != current {
            write_style(out, wanted, ink);
            current = wanted;
        }
        out.extend_from_slice(span.content.as_bytes());
    }
    if current != Style::default() {
        out.extend_from_slice(b"\x1b[0m");
    }
}

fn write_style(out: &mut Vec<u8>, style: Style, ink: Ink) {
    out.extend_from_slice(b"\x1b[0");
    let emphasis = [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::ITALIC, ";3"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
        (Modifier::CROSSED_OUT, ";9"),
    ];
    for (modifier, code) in emphasis {
        if style.add_modifier.contains(modifier) {
            out.extend_from_slice(code.as_bytes());
        }
    }
    if ink == Ink::Full
        && let Some(code) = style.fg.and_then(foreground)
    {
        out.extend_from_slice(format!(";{code}").as_bytes());
    }
    out.push(b'm');
}

/// Indexed and RGB colours are not used anywhere and are drawn as the default colour.
fn foreground(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

/// Text that a model, a program or a file wrote, without anything the terminal would obey: escape sequences are
/// removed, tabs become four spaces, other control characters the replacement character. Newlines stay.
pub(crate) fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => skip_escape(&mut rest),
            '\n' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if c.is_control() => clean.push(char::REPLACEMENT_CHARACTER),
            c => clean.push(c),
        }
    }
    clean
}

fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
            rest.next_if(|c| matches!(c, '@'..='~'));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            while let Some(c) = rest.next_if(|c| *c != '\n') {
                if c == '\x07' || (c == '\x1b' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '#') => {
            rest.next();
            rest.next();
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{DIM, ERROR};
    use ratatui::text::Span;

    #[track_caller]
    fn check(ink: Ink, expected: &str) {
        let line = Line::from(vec![Span::raw("a "), Span::styled("b", DIM), Span::styled("c", ERROR)]);
        let mut out = Vec::new();
        write_line(&mut out, &line, ink);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn full_ink_has_colours_and_ends_with_a_reset() {
        check(Ink::Full, "a \x1b[0;2mb\x1b[0;31mc\x1b[0m");
    }

    #[test]
    fn no_colour_keeps_emphasis_only() {
        check(Ink::NoColour, "a \x1b[0;2mb\x1b[0mc\x1b[0m");
    }

    #[test]
    fn no_ink_is_bare_text() {
        check(Ink::None, "a bc");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor_or_set_the_title() {
        assert_eq!(
            harmless("a\x1b[2Jb\x1b]0;title\x07c\x1b]52;c;eA==\x1b\\d\x1b(Be\tf\r\ng\x08"),
            "abcde    f\ng\u{fffd}"
        );
    }

    #[test]
    fn an_unfinished_escape_swallows_no_line() {
        assert_eq!(harmless("\x1b]0;never ends\nnext"), "\nnext");
        assert_eq!(harmless("x\x1b"), "x");
    }
}
