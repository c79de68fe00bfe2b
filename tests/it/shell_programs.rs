//! Programs that take the whole screen, in `chela shell` as in a bare shell: the same keys, the same terminal.

use std::fmt::Write;
use std::fs;

use vt100::{MouseProtocolEncoding, MouseProtocolMode};

use crate::shell_terminal::{ShellHome, are_there, say};
use crate::shell_twins::{Seat, Twins};

/// Lines that can be told from each other, and names to choose from.
fn with_files(home: &ShellHome) {
    let mut lines = String::new();
    for n in 1..=300 {
        writeln!(lines, "line {n} of the file, {}", "with words ".repeat(n % 7)).unwrap();
    }
    home.write("lines", &lines);
    home.write("fruit", "apple\npear\nplum\nprickly pear\nquince\ncherry\n");
    home.write(".vimrc", "set nocompatible noswapfile viminfo= ruler\n");
}

fn twins(program: &str) -> Option<Twins> {
    are_there(&[program]).then(|| Twins::sit_down(with_files)).flatten()
}

#[test]
fn vim_edits_and_saves() {
    let Some(mut twins) = twins("vim") else { return };
    twins.start("vim lines");
    twins.see("line 23 of the file");
    twins.press("5GO");
    twins.see("-- INSERT --");
    twins.press("a new line, grün\x1b");
    twins.until("normal mode", |seat| {
        seat.text().contains("a new line, grün") && !seat.text().contains("INSERT")
    });
    twins.press(":%s/words/verbs/g\r");
    twins.see("substitutions on");
    twins.press("/line 200\r");
    twins.until("the match", |seat| seat.line_of_cursor().starts_with("line 200 of"));
    twins.press(":wq\r");
    twins.prompt();
    let saved = |home: &ShellHome| fs::read_to_string(home.path().join("lines")).unwrap();
    assert!(saved(&twins.ours.home).contains("line 4 of the file, with verbs"));
    assert_eq!(saved(&twins.bare.home), saved(&twins.ours.home));
    twins.leave();
}

#[test]
fn vim_hears_the_mouse_and_gives_it_back() {
    let Some(mut twins) = twins("vim") else { return };
    twins.start("vim -c 'set ttymouse=sgr mouse=a' lines");
    twins.until("the mouse", |seat| {
        let screen = seat.screen();
        seat.text().contains("line 23 of")
            && screen.mouse_protocol_mode() == MouseProtocolMode::ButtonMotion
            && screen.mouse_protocol_encoding() == MouseProtocolEncoding::Sgr
    });
    twins.press("\x1b[<0;11;7M\x1b[<0;11;7m");
    twins.until("the click", |seat| seat.screen().cursor_position() == (6, 10));
    twins.press("\x1b[<65;11;7M\x1b[<65;11;7M");
    twins.until("the wheel", |seat| seat.text().starts_with("line 7 of"));
    twins.press(":q\r");
    twins.prompt();
    assert_eq!(twins.ours.screen().mouse_protocol_mode(), MouseProtocolMode::None);
    twins.leave();
}

#[test]
fn vim_follows_a_storm_of_sizes() {
    let Some(mut twins) = twins("vim") else { return };
    twins.start("vim lines");
    twins.see("line 23 of the file");
    for step in 0..40 {
        twins.resize(10 + step % 17, 100 - step);
    }
    twins.resize(31, 87);
    // A line and the place of the ruler that only this size has.
    twins.see("line 30 of the file");
    twins.press("G\x0c");
    twins.see("line 300 of the file");
    twins.press(":q\r");
    twins.prompt();
    twins.enter("stty size");
    assert!(twins.ours.text().contains("31 87"), "{}", twins.ours.text());
    twins.leave();
}

#[test]
fn less_scrolls_and_searches() {
    let Some(mut twins) = twins("less") else { return };
    twins.pass_over();
    twins.start("less lines");
    twins.until("the file", |seat| seat.is_whole_screen() && seat.text().ends_with("lines"));
    twins.got_the_same_bytes();
    twins.press(" ");
    twins.see("line 46 of");
    twins.press("/line 250\r");
    twins.until("the match", |seat| seat.text().starts_with("line 250 of"));
    twins.press("k\x1bOA");
    twins.until("two lines up", |seat| seat.text().starts_with("line 248 of"));
    twins.press("q");
    twins.prompt();
    twins.got_the_same_bytes();
    twins.leave();
}

#[test]
fn fzf_filters_and_chooses() {
    let Some(mut twins) = twins("fzf") else { return };
    twins.start("fzf --pointer '>' < fruit");
    twins.see("6/6");
    twins.press("pear");
    twins.see("2/6");
    twins.press("\x1b[A");
    twins.until("the second", |seat| seat.text().contains("> prickly pear"));
    twins.press("\r");
    twins.prompt();
    assert!(twins.ours.text().contains("fruit\nprickly pear\nready>"), "{}", twins.ours.text());
    twins.start("fzf --pointer '>' < fruit");
    twins.see("6/6");
    twins.press("\x1b");
    twins.prompt();
    twins.enter("echo $?");
    assert!(twins.ours.text().contains("\n130\n"));
    twins.leave();
}

#[test]
fn top_draws_and_leaves() {
    let Some(mut twins) = twins("top") else { return };
    if !cfg!(target_os = "linux") {
        say("skipped: another system's top has other options");
        return;
    }
    // The shell alone, which sleeps while it is looked at.
    twins.start("top -d 60 -p $$");
    let shows_the_shell = |seat: &Seat| seat.text().trim_end().ends_with("bash");
    twins.until_alike("the shell's row", shows_the_shell, Seat::view_without_numbers);
    twins.press("h");
    twins.until_alike("help", |seat| seat.text().contains("Help for"), Seat::view_without_numbers);
    twins.press("q");
    twins.until_alike("the shell's row", shows_the_shell, Seat::view_without_numbers);
    twins.press("q");
    twins.until_alike("a prompt", |seat| seat.line_of_cursor() == "ready>", Seat::view_without_numbers);
    twins.press("\x0c");
    twins.until("a cleared screen", |seat| seat.text().trim_end() == "ready>");
    twins.enter("stty -a");
    twins.leave();
}
