//! Key by key: what editing does to the text.

use super::*;
use proptest::prelude::*;

/// `|` marks the cursor.
fn composer(marked: &str) -> Composer {
    let mut composer = Composer::default();
    let at = marked.find('|').unwrap();
    composer.insert(&marked.replacen('|', "", 1));
    composer.cursor = at;
    composer
}

fn marked(composer: &Composer) -> String {
    let mut text = composer.draft.shown();
    text.insert(composer.cursor, '|');
    text
}

#[track_caller]
fn check(before: &str, edit: impl FnOnce(&mut Composer), after: &str) {
    let mut composer = composer(before);
    edit(&mut composer);
    assert_eq!(marked(&composer), after);
}

#[test]
fn backspace_takes_a_whole_grapheme() {
    check("ae\u{301}|", Composer::backspace, "a|");
    check("a👩‍👩‍👧‍👦|b", Composer::backspace, "a|b");
    check("漢字|", Composer::backspace, "漢|");
    check("|a", Composer::backspace, "|a");
}

#[test]
fn delete_takes_what_is_ahead() {
    check("a|🦀b", Composer::delete, "a|b");
    check("a|", Composer::delete, "a|");
}

#[test]
fn words() {
    check("one two|", Composer::word_left, "one |two");
    check("one |two", Composer::word_left, "|one two");
    check("|one two", Composer::word_right, "one| two");
    check("one| two", Composer::word_right, "one two|");
    check("ls -la /tmp/x|", Composer::kill_word_back, "ls -la |");
    check("ls 漢字  |", Composer::kill_word_back, "ls |");
    check("a\u{3000}b|", Composer::kill_word_back, "a\u{3000}|");
    check("|one two", Composer::kill_word, "| two");
}

#[test]
fn lines() {
    check("ab\ncd|\nef", Composer::line_start, "ab\n|cd\nef");
    check("ab\n|cd\nef", Composer::line_end, "ab\ncd|\nef");
    check("ab\nc|d\nef", Composer::kill_to_end, "ab\nc|\nef");
    check("ab\nc|\nef", Composer::kill_to_end, "ab\nc|ef");
    check("ab\ncd|", Composer::kill_to_start, "ab\n|");
}

#[test]
fn killed_text_comes_back() {
    check(
        "one two|",
        |c| {
            c.kill_word_back();
            c.line_start();
            c.yank();
        },
        "two|one ",
    );
}

#[test]
fn up_and_down_keep_their_column() {
    check(
        "abcdef\nx\nabcd|ef",
        |c| {
            c.up(40);
            c.up(40);
        },
        "abcd|ef\nx\nabcdef",
    );
    check("a|b", |c| assert!(!c.up(40)), "a|b");
    check("a|b", |c| assert!(!c.down(40)), "a|b");
    check("ab\n漢字|", |c| assert!(c.up(40)), "ab|\n漢字");
}

#[test]
fn a_long_paste_is_a_chip_and_is_sent_whole() {
    let pasted = "line\n".repeat(312);
    let mut composer = composer("see |");
    composer.paste(Pasted::new(pasted.as_bytes()));
    composer.insert(" ok");
    assert_eq!(composer.draft().shown(), "see [paste #1: 312 lines, 2 kB] ok");
    assert_eq!(composer.draft().expanded(), format!("see {pasted} ok"));
    assert_eq!(composer.draft().n_bytes(), pasted.len() + 7);
    for _ in 0..4 {
        composer.backspace();
    }
    assert_eq!(composer.text(), "see ");
}

#[test]
fn a_short_paste_goes_in_as_it_is() {
    check("a|", |c| c.paste(Pasted::new(b"x\r\ny")), "ax\ny|");
}

#[test]
fn a_typed_private_character_is_not_lost() {
    let mut composer = Composer::default();
    composer.insert("a\u{100000}b");
    assert_eq!(composer.draft().shown(), "a[U+100000]b");
    assert_eq!(composer.draft().expanded(), "a\u{100000}b");
}

#[test]
fn what_is_put_in_front_keeps_both_texts_and_their_chips() {
    let mut first = Composer::default();
    first.paste(Pasted::new("x".repeat(3000).as_bytes()));
    let mut second = Composer::default();
    second.paste(Pasted::new("y".repeat(4000).as_bytes()));
    second.prepend(first.take());
    assert_eq!(second.draft().expanded(), format!("{}\n{}", "x".repeat(3000), "y".repeat(4000)));
}

#[track_caller]
fn check_rows(marked: &str, columns: usize, rows: &[&str], cursor: (usize, usize)) {
    let composer = composer(marked);
    let layout = layout(composer.draft(), composer.cursor(), columns);
    assert_eq!(layout.rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), rows);
    assert_eq!(layout.cursor, cursor);
}

#[test]
fn rows_break_at_words_and_the_cursor_follows() {
    check_rows("one two three|", 8, &["one two ", "three"], (1, 5));
    check_rows("one two th|ree", 8, &["one two ", "three"], (1, 2));
    check_rows("one |two", 8, &["one two"], (0, 4));
    check_rows("漢字仮名|", 6, &["漢字仮", "名"], (1, 2));
    check_rows("a\n|", 8, &["a", ""], (1, 0));
    check_rows("abcdefgh|", 8, &["abcdefgh", ""], (1, 0));
}

proptest! {
    #[test]
    fn the_cursor_is_always_drawn_inside(text in "([a-z ]{0,9}|\n|漢|e\u{301}|👩‍👧|\t){0,30}", cut in 0_usize..80, columns in 4_usize..30) {
        let mut composer = Composer::default();
        composer.insert(&text);
        let edges: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        composer.cursor = edges[cut % edges.len()];
        let layout = layout(composer.draft(), composer.cursor(), columns);
        prop_assert!(layout.cursor.0 < layout.rows.len());
        prop_assert!(layout.cursor.1 <= columns);
        for row in &layout.rows {
            let width: usize = row.text.graphemes(true).map(unicode_width::UnicodeWidthStr::width).sum();
            prop_assert!(width <= columns, "{:?}", row);
        }
        prop_assert_eq!(layout.position(layout.cursor.0, layout.cursor.1).is_some(), true);
    }
}
