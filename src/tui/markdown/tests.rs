//! Markdown: what single constructs look like, and that chunks make no difference.

use super::*;
use crate::tui::theme::{self, Background};
use crate::tui::wrap::line_width;
use proptest::prelude::*;
use ratatui::style::Modifier;
use ratatui::text::Line;

fn look(columns: usize) -> Look {
    Look { columns, background: Background::Dark }
}

fn rendered(text: &str, columns: usize) -> Vec<String> {
    Stream::whole(text, look(columns)).iter().map(Line::to_string).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(rendered(text, 40), expected);
}

#[test]
fn headings_and_paragraphs() {
    check(
        "# Title\n\nSome *text*\nnext line.\n\n\n\nEnd.",
        &["Title", "", "Some text", "next line.", "", "End."],
    );
}

#[test]
fn lists_nest_and_wrap_below_their_text() {
    check(
        "1. one\n   - inner item that is long enough to wrap\n2. two\n\n   more of two",
        &["1. one", "   • inner item that is long enough to", "     wrap", "2. two", "", "   more of two"],
    );
}

#[test]
fn code_stays_as_it_is() {
    check(
        "```sh\nfind . -size +100M\n\n  x\n```\nafter",
        &["```sh", "find . -size +100M", "", "  x", "```", "after"],
    );
}

#[test]
fn code_below_a_list_item_is_indented_like_its_text() {
    check(
        "1. run\n\n   ```sh\n   ls\n   ```\n2. done",
        &["1. run", "", "   ```sh", "   ls", "   ```", "2. done"],
    );
}

#[test]
fn a_fence_that_is_never_closed_loses_nothing() {
    check("```\na\nb", &["```", "a", "b"]);
}

#[test]
fn quotes_links_and_rules() {
    check(
        "> said\n> twice\n\n---\n[docs](https://x.y) <https://z.w>",
        &["│ said", "│ twice", "", "────────────────────────", "docs (https://x.y) https://z.w"],
    );
}

#[test]
fn marks_without_a_partner_are_text() {
    check(
        "2 * 3 and *args, **kwargs and snake_case_name",
        &["2 * 3 and *args, **kwargs and", "snake_case_name"],
    );
    check("a < b && c <d> [x] ![", &["a < b && c <d> [x] !["]);
}

#[test]
fn emphasis_is_styled() {
    let line = Stream::whole("a **b** *c* `d` ~~e~~", look(40)).remove(0);
    let style = |text: &str| line.spans.iter().find(|span| span.content == text).unwrap().style;
    assert_eq!(style("b"), theme::BOLD);
    assert!(style("c").add_modifier.contains(Modifier::ITALIC));
    assert_eq!(style("d"), theme::CODE);
    assert!(style("e").add_modifier.contains(Modifier::CROSSED_OUT));
}

#[test]
fn a_table_that_fits() {
    check(
        "| Name | Size |\n|---|--:|\n| a | 1 |\n| long name | 1234 |\n",
        &["Name      │ Size", "──────────┼─────", "a         │    1", "long name │ 1234"],
    );
}

#[test]
fn a_table_with_long_cells_wraps_them() {
    check(
        "a | b\n--|--\nx | one two three four five six seven eight",
        &[
            "a │ b",
            "──┼─────────────────────────────────────",
            "x │ one two three four five six seven",
            "  │ eight",
        ],
    );
}

#[test]
fn a_table_that_cannot_fit_is_stacked() {
    let text = "|first column|second column|third column|\n|-|-|-|\n|1|2|3|\n|4|5|6|";
    assert_eq!(
        rendered(text, 20),
        [
            "first column: 1",
            "second column: 2",
            "third column: 3",
            "────────────────────",
            "first column: 4",
            "second column: 5",
            "third column: 6",
        ]
    );
}

#[test]
fn a_pipe_alone_makes_no_table() {
    check("use a | b\nand more", &["use a | b", "and more"]);
}

#[test]
fn what_a_model_writes_cannot_command_the_terminal() {
    check("a\x1b[2Jb\n```\n\x1b]0;x\x07c\n```", &["ab", "```", "c", "```"]);
}

#[test]
fn a_long_paragraph_goes_out_while_it_grows() {
    let mut stream = Stream::new(look(20));
    let sent = stream.push(&"word ".repeat(60));
    assert!(sent.len() >= 10, "{}", sent.len());
    assert!(stream.tail().len() <= 4);
}

#[test]
fn code_goes_out_line_by_line() {
    let mut stream = Stream::new(look(20));
    assert_eq!(stream.push("```py\nx = 1\ny =").len(), 2);
    assert_eq!(stream.tail()[0].to_string(), "y =");
}

#[test]
fn the_tail_shows_what_is_open() {
    let mut stream = Stream::new(look(40));
    stream.push("# He");
    assert_eq!(stream.tail()[0].to_string(), "He");
    stream.push("ad\n\ntext **bo");
    assert_eq!(stream.tail().iter().map(Line::to_string).collect::<Vec<_>>(), ["", "text **bo"]);
}

#[test]
fn a_new_width_applies_to_what_did_not_go_out() {
    let mut stream = Stream::new(look(20));
    let words: Vec<String> = (0..100).map(|n| format!("w{n}")).collect();
    let mut lines = stream.push(&words[..60].join(" "));
    stream.set_look(look(33));
    lines.extend(stream.push(&format!(" {}", words[60..].join(" "))));
    lines.extend(stream.finish());
    let text = lines.iter().map(Line::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(text, words.join(" "));
}

fn markdown() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("word ".to_owned()),
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("- item ".to_owned()),
        Just("\n- ".to_owned()),
        Just("\n  * ".to_owned()),
        Just("\n10. ".to_owned()),
        Just("\n```rust\n".to_owned()),
        Just("\n```\n".to_owned()),
        Just("let x = \"a\"; // c\n".to_owned()),
        Just("**".to_owned()),
        Just("*".to_owned()),
        Just("_".to_owned()),
        Just("`".to_owned()),
        Just("``".to_owned()),
        Just("~~".to_owned()),
        Just("[a](b)".to_owned()),
        Just("[".to_owned()),
        Just("](u) ".to_owned()),
        Just("<".to_owned()),
        Just("<b>".to_owned()),
        Just("\\".to_owned()),
        Just("&amp;".to_owned()),
        Just("\n| a | b |\n|--|--|\n| c | d |".to_owned()),
        Just("|".to_owned()),
        Just("\n> q ".to_owned()),
        Just("\n# h ".to_owned()),
        Just("\n---\n".to_owned()),
        Just("漢字かな".to_owned()),
        Just("👩‍👩‍👧 é ".to_owned()),
        Just("\n===\n".to_owned()),
        Just("    ".to_owned()),
        Just("\r\n".to_owned()),
        Just("lorem ipsum dolor sit amet ".repeat(5)),
        Just("!".to_owned()),
        Just("\x1b[1m".to_owned()),
        Just("averyveryverylongwordthatdoesnotfit".to_owned()),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn chunks_make_no_difference(text in markdown(), cuts in proptest::collection::vec(1_usize..12, 1..60), columns in 10_usize..60) {
        let mut stream = Stream::new(look(columns));
        let mut lines = Vec::new();
        let mut rest = text.as_str();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let at = rest.char_indices().nth(*cut).map_or(rest.len(), |(at, _)| at);
            lines.extend(stream.push(&rest[..at]));
            stream.tail();
            rest = &rest[at..];
        }
        lines.extend(stream.finish());
        prop_assert_eq!(lines, Stream::whole(&text, look(columns)));
    }

    #[test]
    fn only_code_is_wider_than_the_screen(text in markdown(), columns in 10_usize..60) {
        let text = text.replace(['`', '~'], "");
        for line in Stream::whole(&text, look(columns)) {
            prop_assert!(line_width(&line) <= columns, "{:?}", line);
        }
    }

    #[test]
    fn the_tail_fits(text in markdown(), columns in 10_usize..60) {
        let mut stream = Stream::new(look(columns));
        stream.push(&text);
        for line in stream.tail() {
            prop_assert!(line_width(&line) <= columns, "{:?}", line);
        }
    }
}
