//! Marks as shells and programs print them, whole and in pieces.

use proptest::prelude::*;

use super::*;

const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// What a stream came to: the terminal's bytes, and each event with its place in them.
fn read(chunks: &[&[u8]]) -> (Vec<u8>, Vec<(Range<usize>, Event)>) {
    let mut marks = Marks::new(NONCE);
    let (mut bytes, mut events) = (Vec::new(), Vec::new());
    let mut out = Passed::default();
    for chunk in chunks {
        out.clear();
        marks.feed(chunk, &mut out);
        events.extend(
            out.events.drain(..).map(|(at, event)| (bytes.len() + at.start..bytes.len() + at.end, event)),
        );
        bytes.extend_from_slice(&out.bytes);
    }
    out.clear();
    marks.finish(&mut out);
    bytes.extend_from_slice(&out.bytes);
    (bytes, events)
}

fn own(mark: &str) -> Vec<u8> {
    format!("\x1b]133;{mark};nonce={NONCE}\x07").into_bytes()
}

#[track_caller]
fn shown(stream: &[u8], expected: &[u8]) {
    let (bytes, _) = read(&[stream]);
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(expected));
}

#[track_caller]
fn unchanged(stream: &[u8]) {
    let (bytes, events) = read(&[stream]);
    assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(stream));
    assert!(!events.iter().any(|(_, event)| matches!(event, Event::Own(_))), "{events:?}");
}

#[track_caller]
fn happened(stream: &[u8], expected: &[Event]) {
    let events: Vec<Event> = read(&[stream]).1.into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, expected);
}

#[test]
fn private_parameters_are_not_for_the_terminal() {
    shown(
        &[own("C;n=4;d='/tmp'"), b"out".to_vec(), own("D;1;n=4;h=9")].concat(),
        b"\x1b]133;C\x07out\x1b]133;D;1\x07",
    );
}

#[test]
fn the_terminator_stays_what_it_was() {
    let mark = format!("a\x1b]133;A;n=1;nonce={NONCE}\x1b\\b");
    shown(mark.as_bytes(), b"a\x1b]133;A\x1b\\b");
    let mark = [format!("\x1b]133;B;n=1;nonce={NONCE}").as_bytes(), &[0x9c]].concat();
    shown(&mark, b"\x1b]133;B\x9c");
}

#[test]
fn a_mark_says_its_fields() {
    let (_, events) = read(&[&own("D;130;n=7;ps=0 130;d='/a;b'")]);
    let [(_, Event::Own(mark))] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((mark.step, mark.status, mark.n), (Step::Ended, Some(130), 7));
    assert_eq!(mark.field("d"), Some(b"'/a;b'".as_slice()));
    assert_eq!(mark.field("ps"), Some(b"0 130".as_slice()));
    assert_eq!(mark.field("t"), None);
}

#[test]
fn a_mark_stands_between_outputs() {
    let (bytes, events) = read(&[&[own("C;n=1"), b"xyz".to_vec(), own("D;0;n=1")].concat()]);
    let [(began, _), (ended, _)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((began.start, ended.end), (0, bytes.len()));
    assert_eq!(&bytes[began.end..ended.start], b"xyz");
}

#[test]
fn only_the_right_nonce_makes_a_mark_ours() {
    unchanged(b"\x1b]133;D;0;n=99\x07");
    unchanged(b"\x1b]133;D;0;n=99;nonce=\x07");
    unchanged(b"\x1b]133;D;0;n=99;nonce=ffffffffffffffffffffffffffffffff\x07");
    unchanged(format!("\x1b]133;D;0;n=9;note='nonce={NONCE}'\x07").as_bytes());
    unchanged(format!("\x1b]133;D;0;nonce={NONCE}\x07").as_bytes());
}

#[test]
fn an_empty_nonce_vouches_for_nothing() {
    let mut out = Passed::default();
    Marks::new("").feed(b"\x1b]133;C;n=1;nonce=\x07", &mut out);
    assert_eq!(out.events, [(out.bytes.len()..out.bytes.len(), Event::Foreign(b'C'))]);
}

#[test]
fn foreign_marks_pass_and_are_told() {
    happened(b"\x1b]133;A;k=s\x07\x1b]133;D;1;aid=3\x1b\\", &[Event::Foreign(b'A'), Event::Foreign(b'D')]);
    happened(b"\x1b]633;C\x07", &[Event::Foreign(b'C')]);
    unchanged(b"\x1b]633;E;ls\\x3b;abc\x07\x1b]133;L\x07\x1b]133;\x07\x1b]1337;File=\x07\x1b]0;title\x07");
}

#[test]
fn directories_are_told() {
    happened(b"\x1b]7;file://host/a%20b\x07", &[Event::Directory(b"/a b".to_vec())]);
    happened(b"\x1b]633;P;Cwd=/srv\x07", &[Event::Directory(b"/srv".to_vec())]);
    unchanged(b"\x1b]7;kitty-shell-cwd://h/x\x07\x1b]7;file://nowhere\x07");
}

#[test]
fn marks_are_never_doubled() {
    let native = |mark: &str| format!("\x1b]133;{mark}\x07").into_bytes();
    let cycle =
        |n: u32| [native("C"), own(&format!("C;n={n}")), own(&format!("D;0;n={n}")), native("D;0")].concat();
    shown(&[cycle(1), cycle(2)].concat(), &[native("C"), native("D;0")].concat().repeat(2));
}

#[test]
fn a_shell_that_marks_itself_after_us_is_heard_of_by_its_second_command() {
    let native = |mark: &str| format!("\x1b]133;{mark}\x07").into_bytes();
    let cycle =
        |n: u32| [own(&format!("C;n={n}")), native("C"), own(&format!("D;0;n={n}")), native("D;0")].concat();
    let second = [cycle(1), cycle(2)].concat();
    shown(
        &second,
        &[[native("C"), native("C"), native("D;0"), native("D;0")].concat(), native("C"), native("D;0")]
            .concat(),
    );
}

#[test]
fn a_shell_that_says_that_it_marks_itself_is_believed() {
    shown(&[own("C;n=1;f=1"), own("D;0;n=1;f=1")].concat(), b"");
}

#[test]
fn what_a_program_prints_does_not_make_ours_vanish() {
    let cycle = |n: u32| {
        [own(&format!("C;n={n}")), b"\x1b]133;D;0\x07".to_vec(), own(&format!("D;1;n={n}"))].concat()
    };
    let plain = b"\x1b]133;C\x07\x1b]133;D;0\x07\x1b]133;D;1\x07".as_slice();
    shown(&[cycle(1), cycle(2)].concat(), &plain.repeat(2));
}

#[test]
fn the_whole_screen_is_taken_and_given_back() {
    for mode in ["1049", "1047", "47", "1049;2004", "25;47"] {
        let stream = format!("\x1b[?{mode}htext\x1b[?{mode}l");
        happened(stream.as_bytes(), &[Event::FullScreen(true), Event::FullScreen(false)]);
    }
    happened(b"\x1bc", &[Event::FullScreen(false)]);
    happened(b"\x1b[?25h\x1b[1049h\x1b[?2004l\x1b[?1048h\x1b[?47$p", &[]);
}

#[test]
fn a_sequence_that_breaks_off_passes_as_it_came() {
    unchanged(b"\x1b]133;C\x18rest");
    unchanged(b"\x1b]133;C\nnext line");
    unchanged(b"\x1b]133;C\x1b[31mred");
    unchanged(b"\x1b]133;C");
    unchanged(b"\x1b]133;C\x1b");
    unchanged(b"\x1b\x1b\x1b[\x1b]\x1b");
}

#[test]
fn a_mark_after_one_that_broke_off_is_read() {
    let stream = [b"\x1b]133;C\x1b".to_vec(), own("C;n=1").split_off(1)].concat();
    shown(&stream, b"\x1b]133;C\x1b]133;C\x07");
}

#[test]
fn a_byte_of_a_character_ends_nothing() {
    // The last byte of U+671C is 0x9c.
    let (bytes, events) = read(&[&own("C;n=1;cmd=\u{671c}x")]);
    assert_eq!(bytes, b"\x1b]133;C\x07");
    let [(_, Event::Own(mark))] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(mark.field("cmd"), Some("\u{671c}x".as_bytes()));
}

#[test]
fn what_is_too_long_is_not_kept() {
    let long = "x".repeat(3 * MAX_MARK);
    unchanged(format!("\x1b]133;C;{long}\x07after").as_bytes());
    let (bytes, events) = read(&[format!("\x1b]133;C;n=1;nonce={NONCE};cmd={long}\x07after").as_bytes()]);
    assert_eq!(bytes, b"\x1b]133;C\x07after");
    assert_eq!(events.len(), 1);
    let mut marks = Marks::new(NONCE);
    let mut out = Passed::default();
    marks.feed(format!("\x1b]133;C;n=1;nonce={NONCE};cmd={long}").as_bytes(), &mut out);
    assert!(marks.held.capacity() <= 2 * MAX_MARK);
}

/// Pieces of what terminals see, complete and not.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => any::<Vec<u8>>(),
        3 => "[a-z\u{671c}\u{dc} \r\n]{0,12}".prop_map(String::into_bytes),
        2 => (0..4_u8, 0..9_u32, "[a-z='; /\u{671c}]{0,9}").prop_map(|(step, n, rest)| {
            let step = char::from(b'A' + step);
            format!("\x1b]133;{step};{n};n={n};nonce={NONCE};d={rest}\x07").into_bytes()
        }),
        2 => prop::sample::select(vec![
            "\x1b", "\x1b]", "\x1b]133;", "\x1b]133;D;0\x07", "\x1b]633;P;Cwd=/x\x1b\\", "\x1b]7;file:///a\x07",
            "\x1b[?1049h", "\x1b[?47l", "\x1b[31m", "\x1b\\", "\x07", "\x18", "\x1b]0;title\x07", "\x1bP1;2q#\x1b\\",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(vec![0x9c]),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_reads_split_the_bytes_changes_nothing(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts {
            chunks.push(&stream[from..cut]);
            from = cut;
        }
        chunks.push(&stream[from..]);
        prop_assert_eq!(read(&chunks), read(&[&stream]));
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(read(&single), read(&[&stream]));
    }

    #[test]
    fn without_our_nonce_every_byte_passes(stream in stream()) {
        let mut marks = Marks::new("another nonce");
        let mut out = Passed::default();
        marks.feed(&stream, &mut out);
        marks.finish(&mut out);
        prop_assert_eq!(out.bytes, stream);
    }

    #[test]
    fn no_private_word_reaches_the_terminal(stream in stream()) {
        let (bytes, events) = read(&[&stream]);
        let told = events.iter().filter(|(_, event)| matches!(event, Event::Own(_))).count();
        let count = |text: &[u8]| text.windows(NONCE.len()).filter(|window| *window == NONCE.as_bytes()).count();
        prop_assert_eq!(count(&bytes) + told, count(&stream));
    }
}
