//! What scrolled away: every line once and in order, whatever was drawn and resized in between.

use chela::tui::app::Event;
use chela::turn::Ending;
use crossterm::event::KeyCode;
use proptest::prelude::*;

use super::stage::Stage;

/// Every marker `<n>` of the text in order, from scrollback and screen.
fn markers(stage: &mut Stage) -> Vec<usize> {
    let text = stage.scrollback().join("\n");
    text.split('<').skip(1).filter_map(|rest| rest.split_once('>')?.0.parse().ok()).collect()
}

/// Many answers with numbered words, code and wide text; the window changes as told in between.
fn stream(stage: &mut Stage, sizes: &[(usize, usize)]) -> usize {
    let mut n = 0;
    for turn in 0..30 {
        stage.send("go").placed();
        for paragraph in 0..3 {
            for word in 0..12 {
                stage.piece(&format!("<{n}> 漢字👩‍👧 "));
                n += 1;
                if word == 6 && paragraph == 1 && !sizes.is_empty() {
                    let (columns, rows) = sizes[turn % sizes.len()];
                    stage.resize(columns, rows);
                    stage.typed("typed meanwhile ");
                }
            }
            stage.piece("\n\n");
        }
        stage.piece(&format!("```sh\n<{n}> one\n<{}> two\n```\n", n + 1));
        n += 2;
        stage.ctrl('u').ended(Ending::Stop, 100);
    }
    n
}

#[test]
fn nothing_is_lost_or_doubled_in_a_long_chat() {
    let mut stage = Stage::ready(80, 24);
    let n = stream(&mut stage, &[]);
    assert_eq!(markers(&mut stage), (0..n).collect::<Vec<_>>());
}

#[test]
fn resizing_a_terminal_that_wraps_again_loses_nothing() {
    let mut stage = Stage::ready(80, 24);
    let n = stream(&mut stage, &[(60, 24), (120, 40), (40, 20), (80, 24)]);
    assert_eq!(markers(&mut stage), (0..n).collect::<Vec<_>>());
}

#[test]
fn resizing_a_terminal_that_cuts_loses_nothing_of_what_it_kept() {
    let mut stage = Stage::on(80, 24, false, false);
    stage.event(Event::Link(super::stage::ready()));
    let n = stream(&mut stage, &[(80, 30), (80, 18), (80, 40), (80, 20)]);
    assert_eq!(markers(&mut stage), (0..n).collect::<Vec<_>>());
}

#[test]
fn the_prompt_is_on_the_screen_once_after_resizing() {
    let mut stage = Stage::ready(100, 30);
    stage
        .exchange("a question", "An answer.")
        .typed("a draft that is long enough to be wrapped by a narrower window, twice");
    for (columns, rows) in [(40, 20), (100, 30), (30, 30), (120, 10)] {
        stage.resize(columns, rows);
        let text = stage.scrollback().join("\n");
        assert_eq!(text.matches("a draft").count(), 1, "{columns}x{rows}:\n{text}");
        assert_eq!(text.matches("chela-starter v0").count(), 1, "{columns}x{rows}:\n{text}");
        assert_eq!(text.matches("An answer.").count(), 1, "{columns}x{rows}:\n{text}");
    }
}

#[test]
fn a_long_code_line_is_one_line_to_copy() {
    let mut stage = Stage::ready(40, 20);
    let line = "x".repeat(150);
    stage.exchange("long", &format!("```\n{line}\n```\n"));
    assert!(stage.scrollback().contains(&line));
}

#[test]
fn what_waits_and_what_is_open_leaves_no_trace() {
    let mut stage = Stage::ready(80, 24);
    stage.typed("/").key(KeyCode::Esc).ctrl('u').typed("?").key(KeyCode::Esc).ctrl('r').key(KeyCode::Esc);
    stage.exchange("q", "a");
    let text = stage.scrollback().join("\n");
    assert!(!text.contains("/help") && !text.contains("search:") && !text.contains("Alt+Enter"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events_keeps_every_line_once(steps in proptest::collection::vec(0_u8..9, 1..60)) {
        let mut stage = Stage::ready(60, 20);
        let (mut n, mut runs) = (0, false);
        for step in steps {
            match step {
                0..=3 => {
                    if !runs {
                        stage.ctrl('u').send("go").placed();
                        runs = true;
                    }
                    stage.piece(&format!("<{n}> word "));
                    n += 1;
                    if step == 3 {
                        stage.piece("\n\n");
                    }
                }
                4 if runs => {
                    stage.ended(Ending::Stop, 9);
                    runs = false;
                }
                5 => { stage.typed("some text that is typed "); }
                6 => { stage.resize(50, 20); }
                7 => { stage.resize(75, 26); }
                _ => { stage.ctrl('j'); }
            }
        }
        if runs {
            stage.ended(Ending::Stop, 9);
        }
        prop_assert_eq!(markers(&mut stage), (0..n).collect::<Vec<_>>());
    }
}
