//! The inline prompt as whole screens, on a wide and on a narrow terminal.

use std::num::NonZeroU16;

use chela::tui::suggest::prompt::{Event, Prompt};
use chela::tui::suggest::{Outcome, Proposal, Purpose};
use chela::tui::surface::{Size, Surface};
use chela::tui::theme::Ink;
use chela::turn::TurnId;
use crossterm::event::KeyCode;
use insta::assert_snapshot;

const LONG: &str = "find files larger than 100 MB that nobody has read for a year, list them by size and leave out \
    everything below node_modules";

/// One state on both screens, and that nothing of it is left behind.
fn check(name: &str, purpose: Purpose, play: impl Fn(&mut Prompt)) {
    for (columns, rows) in [(80, 24), (40, 10)] {
        let mut prompt = Prompt::new(purpose, vec!["what was asked before".into()]);
        play(&mut prompt);
        let size = Size { columns, rows };
        let mut terminal = vt100::Parser::new(cells(rows), cells(columns), 0);
        terminal.process(b"output of before\r\nP> \r\n");
        let mut surface = Surface::new(Ink::Full, true, size);
        terminal.process(&surface.frame(&[], prompt.view(size), size));
        let (row, column) = terminal.screen().cursor_position();
        let contents = terminal.screen().contents().replace('\u{a0}', " ");
        let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
        assert_snapshot!(
            format!("{name}_{columns}x{rows}"),
            format!("{}\n\ncursor {row},{column}", lines.join("\n"))
        );
        terminal.process(&surface.leave(size));
        assert_eq!(terminal.screen().contents().trim_end(), "output of before\nP>");
    }
}

fn cells(n: usize) -> NonZeroU16 {
    NonZeroU16::new(u16::try_from(n).unwrap()).unwrap()
}

fn typed(prompt: &mut Prompt, text: &str) {
    for c in text.chars() {
        prompt.handle(Event::Key(KeyCode::Char(c).into()));
    }
}

fn sent(prompt: &mut Prompt, text: &str) {
    typed(prompt, text);
    prompt.handle(Event::Key(KeyCode::Enter.into()));
}

#[test]
fn an_empty_prompt_says_what_it_is_for() {
    check("suggest_empty", Purpose::Ask, |_| {});
    check("suggest_teach", Purpose::Teach, |_| {});
}

#[test]
fn a_long_question_shows_its_end() {
    check("suggest_long", Purpose::Ask, |prompt| typed(prompt, LONG));
}

#[test]
fn an_earlier_question_comes_back_with_up() {
    check("suggest_history", Purpose::Ask, |prompt| {
        prompt.handle(Event::Key(KeyCode::Up.into()));
    });
}

#[test]
fn what_is_waited_for_is_said_until_the_answer_begins() {
    check("suggest_loading", Purpose::Ask, |prompt| {
        sent(prompt, "list files");
        prompt.handle(Event::Note("loading chela-starter …".into()));
    });
    check("suggest_streaming", Purpose::Ask, |prompt| {
        sent(prompt, "list files");
        prompt.handle(Event::Piece("ls -l --sort=size --human-readable --time-style=long-iso".into()));
    });
}

#[test]
fn a_danger_is_marked_and_explained() {
    check("suggest_danger", Purpose::Fix, |prompt| {
        sent(prompt, "rmdir build");
        prompt.handle(Event::Done(Outcome::Command(Proposal {
            turn: TurnId(7),
            command: "rm -rf build".into(),
            dangers: vec!["`rm -r` deletes `build` and everything below it; there is no undo.".into()],
        })));
    });
}

#[test]
fn words_and_failures_take_the_place_of_a_command() {
    check("suggest_prose", Purpose::Ask, |prompt| {
        sent(prompt, "who are you");
        prompt
            .handle(Event::Done(Outcome::NoCommand("the answer is no command: I am chela.\x1b[31m".into())));
    });
    check("suggest_failed", Purpose::Ask, |prompt| {
        sent(prompt, "list files");
        let message = "the daemon does not start: cannot run chela: no such file (its log: /home/ada/.local/state/chela/chela.log)";
        prompt.handle(Event::Done(Outcome::Failed(message.into())));
    });
}
