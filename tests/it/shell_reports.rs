//! What a terminal says to programs and they to it, in `chela shell` as in a bare shell: colours, mouse, keyboards,
//! pastes.

use std::fs;

use vt100::MouseProtocolMode;

use crate::shell_terminal::{PROMPT, ShellHome, find, shell};
use crate::shell_twins::Twins;

fn twins() -> Option<Twins> {
    Twins::sit_down(|_| ())
}

/// A script that asks something of the terminal, reads what it says until Enter, and takes back what it asked.
fn with_script(asks: &'static str, takes_back: &'static str) -> Option<Twins> {
    Twins::sit_down(|home: &ShellHome| {
        let text = format!(
            "stty raw -echo\nprintf '{asks}listening'\ndd bs=1 count=$1 of=got 2>/dev/null\n\
             stty sane\nprintf '{takes_back}\\n'\nod -An -c got\n"
        );
        home.write("asks", &text);
    })
}

/// Runs the script, says `reports`, and compares every byte.
#[track_caller]
fn are_heard(twins: &mut Twins, reports: &str) {
    twins.start(&format!("sh asks {}", reports.len()));
    twins.until("who listens", |seat| seat.text().ends_with("listening"));
    twins.press(reports);
    twins.prompt();
    twins.got_the_same_bytes();
}

#[test]
fn colours_of_24_bits_and_attributes_arrive() {
    let Some(mut twins) = twins() else { return };
    twins.pass_over();
    let (ground, last) = (
        "\\e[38;2;%d;%d;%dm\\e[48;2;9;8;7m",
        "\\e[4:3m\\e[58;2;1;2;3mcurly\\e[0m\\e]8;;x:y\\a%s\\e]8;;\\a\\n",
    );
    twins.enter(&format!("for n in 1 20 255; do printf '{ground}x\\e[0m' $n 7 $n; done"));
    twins.enter(&format!("printf '{last}' linked"));
    twins.got_the_same_bytes();
    assert!(find(&twins.ours.person.seen, b"\x1b[38;2;255;7;255m\x1b[48;2;9;8;7mx").is_some());
    let screen = twins.ours.screen();
    let colours = |cell: &vt100::Cell| (cell.contents() == "x").then(|| cell.fgcolor());
    let drawn: Vec<_> = (0..3).filter_map(|column| colours(screen.cell(1, column)?)).collect();
    assert_eq!(drawn, [1, 20, 255].map(|n| vt100::Color::Rgb(n, 7, n)));
    twins.leave();
}

#[test]
fn mouse_reports_reach_who_asked_for_them() {
    let Some(mut twins) =
        with_script("\\033[?1003h\\033[?1006h\\033[?1004h", "\\033[?1003l\\033[?1006l\\033[?1004l")
    else {
        return;
    };
    twins.pass_over();
    let reports = "\x1b[<35;100;24M\x1b[<0;1;1M\x1b[<0;1;1m\x1b[<64;223;300M\x1b[I\x1b[O";
    are_heard(&mut twins, reports);
    assert!(find(&twins.ours.person.seen, b"\x1b[?1003h\x1b[?1006h\x1b[?1004h").is_some());
    assert_eq!(twins.ours.screen().mouse_protocol_mode(), MouseProtocolMode::None);
    twins.leave();
}

#[test]
fn kitty_s_keyboard_speaks_both_ways() {
    let Some(mut twins) = with_script("\\033[>31u\\033[?u\\033[=1;2u", "\\033[<u") else { return };
    twins.pass_over();
    // The answer, Ctrl+A pressed, repeated and let go, Escape, Shift+Enter, a key with its text, Ctrl+C, Ctrl+Z.
    let keys =
        "\x1b[?31u\x1b[97;5u\x1b[97;5:2u\x1b[97;5:3u\x1b[27u\x1b[13;2u\x1b[252;;252u\x1b[99;5u\x1b[122;5u";
    are_heard(&mut twins, keys);
    assert!(find(&twins.ours.person.seen, b"\x1b[>31u\x1b[?u\x1b[=1;2u").is_some());
    twins.leave();
}

#[test]
fn questions_and_the_terminal_s_answers_pass() {
    let asks = "\\033[c\\033[>c\\033[>q\\033]11;?\\033\\\\\\033[?2026$p\\033P+q544e\\033\\\\";
    let Some(mut twins) = with_script(asks, "") else { return };
    twins.pass_over();
    let answers = "\x1b[?62;22c\x1b[>1;10;0c\x1bP>|xterm(1)\x1b\\\x1b]11;rgb:0/0/0\x1b\\\x1b[?2026;2$y\x1bP1+r544e\x1b\\";
    are_heard(&mut twins, answers);
    twins.leave();
}

/// Lines, each of which would leave a file behind if it were run.
fn paste(len: usize) -> Vec<u8> {
    b"touch ran; echo gr\xc3\xbcn\n".repeat(len / 22)
}

fn bracketed(text: &[u8]) -> Vec<u8> {
    [b"\x1b[200~", text, b"so much for it\x1b[201~"].concat()
}

#[test]
fn a_paste_waits_in_the_line_to_be_thrown_away() {
    let Some(mut twins) = twins() else { return };
    twins.press(bracketed(&paste(20_000)));
    twins.until("the end of the paste", |seat| seat.line_of_cursor().starts_with("so much for it"));
    twins.press("\x15");
    twins.until("an empty line", |seat| !seat.text().contains("ran"));
    twins.press("\x03");
    twins.prompt();
    twins.enter("echo on");
    for seat in [&twins.bare, &twins.ours] {
        assert!(!seat.home.path().join("ran").exists(), "a paste was run");
    }
    twins.leave();
}

#[test]
fn a_paste_of_a_megabyte_waits_in_the_line() {
    let Some(bash) = shell("bash") else { return };
    let home = ShellHome::new();
    // Readline reads a byte at a time: once is enough to wait for.
    let mut person = home.sits_in(&bash);
    person.types(bracketed(&paste(1_000_000)));
    person.sees("so much for it");
    person.types("\x15\x03");
    person.sees(PROMPT);
    assert_eq!(person.prints("echo alive"), "alive");
    assert!(!home.path().join("ran").exists(), "a paste was run");
    assert_eq!(person.leaves(), 0);
}

#[test]
fn a_megabyte_arrives_in_cat() {
    let Some(mut twins) = twins() else { return };
    // The kernel may keep the end of so long an echo to itself, with or without chela.
    twins.start("stty -echo; echo reading; cat > got; stty echo");
    twins.until("cat", |seat| seat.text().ends_with("\nreading"));
    let paste = paste(1_000_000);
    twins.press(&paste);
    twins.press("\x04");
    twins.prompt();
    for seat in [&twins.bare, &twins.ours] {
        assert!(fs::read(seat.home.path().join("got")).unwrap() == paste);
    }
    twins.leave();
}
