//! The inline prompt's state: what is being written, waited for, or offered. Pure; the time and the terminal are elsewhere.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::composer::{Composer, Draft};
use crate::tui::history::History;
use crate::tui::input::Pasted;
use crate::turn::TurnId;

/// What the prompt was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A command for words.
    Ask,
    /// The next command after a failed one.
    Fix,
    /// A lesson.
    Teach,
}

/// A command that may go into the shell's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub turn: TurnId,
    pub command: String,
    /// Why it is dangerous, one sentence each; none: it is not.
    pub dangers: Vec<String>,
}

/// How the work ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Command(Proposal),
    /// There is no command, and this is why.
    NoCommand(String),
    /// It is done, and this came of it.
    Done(String),
    Failed(String),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Key(KeyEvent),
    Paste(Pasted),
    Piece(String),
    Note(String),
    Done(Outcome),
    EndOfInput,
}

/// What is to be done after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Stay,
    Ask(String),
    Leave(Option<Proposal>),
}

/// Where the prompt stands.
#[derive(Debug)]
pub(super) enum Stage {
    Writing,
    Waiting {
        note: String,
        answer: String,
    },
    /// A dangerous command waits for a yes.
    Offering(Proposal),
    /// Something is said instead of a command.
    Telling(Outcome),
}

#[derive(Debug)]
pub struct Prompt {
    pub(super) purpose: Purpose,
    pub(super) composer: Composer,
    pub(super) stage: Stage,
    history: History,
    has_just_offered: bool,
}

impl Prompt {
    /// `asked`: what was asked before, oldest first.
    pub fn new(purpose: Purpose, asked: Vec<String>) -> Self {
        let mut history = History::default();
        history.preload(asked);
        Self {
            purpose,
            composer: Composer::default(),
            stage: Stage::Writing,
            history,
            has_just_offered: false,
        }
    }

    /// Asks without being typed to.
    pub fn ask(&mut self, question: String) -> Step {
        self.composer.set(Draft::from(question.as_str()));
        self.stage = Stage::Waiting { note: String::new(), answer: String::new() };
        Step::Ask(question)
    }

    /// Whether this very event made a danger visible: asked once, then `false` until the next one.
    pub(super) fn has_begun_to_offer(&mut self) -> bool {
        std::mem::take(&mut self.has_just_offered)
    }

    pub fn handle(&mut self, event: Event) -> Step {
        match event {
            Event::EndOfInput => Step::Leave(None),
            Event::Key(key) if is_cancel(key) => Step::Leave(None),
            Event::Key(key) => self.on_key(key),
            Event::Paste(pasted) => {
                if matches!(self.stage, Stage::Writing) {
                    self.composer.paste(pasted);
                }
                Step::Stay
            }
            Event::Piece(text) => self.on_piece(&text),
            Event::Note(text) => self.on_note(text),
            Event::Done(outcome) => self.on_outcome(outcome),
        }
    }

    fn on_key(&mut self, key: KeyEvent) -> Step {
        match &self.stage {
            Stage::Writing if key.code == KeyCode::Enter => self.submit(),
            Stage::Writing => {
                self.edit(key);
                Step::Stay
            }
            Stage::Offering(proposal) if key.code == KeyCode::Enter => Step::Leave(Some(proposal.clone())),
            Stage::Waiting { .. } | Stage::Offering(_) => Step::Stay,
            Stage::Telling(_) => Step::Leave(None),
        }
    }

    fn submit(&mut self) -> Step {
        let question = self.composer.draft().expanded().trim().to_owned();
        if question.is_empty() { Step::Leave(None) } else { self.ask(question) }
    }

    fn edit(&mut self, key: KeyEvent) {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(c) if ctrl => self.on_control_key(c),
            KeyCode::Char('b') if alt => self.composer.word_left(),
            KeyCode::Char('f') if alt => self.composer.word_right(),
            KeyCode::Char('d') if alt => self.composer.kill_word(),
            KeyCode::Char(_) if alt => {}
            KeyCode::Char(c) => self.composer.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace if alt || ctrl => self.composer.kill_word_back(),
            KeyCode::Backspace => self.composer.backspace(),
            KeyCode::Delete => self.composer.delete(),
            KeyCode::Left if ctrl || alt => self.composer.word_left(),
            KeyCode::Right if ctrl || alt => self.composer.word_right(),
            KeyCode::Left => self.composer.left(),
            KeyCode::Right => self.composer.right(),
            KeyCode::Home => self.composer.line_start(),
            KeyCode::End => self.composer.line_end(),
            KeyCode::Up => self.older(),
            KeyCode::Down => self.newer(),
            _ => {}
        }
    }

    fn on_control_key(&mut self, c: char) {
        match c {
            'a' => self.composer.line_start(),
            'b' => self.composer.left(),
            'd' => self.composer.delete(),
            'e' => self.composer.line_end(),
            'f' => self.composer.right(),
            'h' => self.composer.backspace(),
            'k' => self.composer.kill_to_end(),
            'n' => self.newer(),
            'p' => self.older(),
            'u' => self.composer.kill_to_start(),
            'w' => self.composer.kill_word_back(),
            'y' => self.composer.yank(),
            _ => {}
        }
    }

    fn older(&mut self) {
        if !self.history.is_walking() {
            self.history.park(self.composer.text());
        }
        if let Some(text) = self.history.older() {
            self.composer.set(Draft::from(text));
        }
    }

    fn newer(&mut self) {
        if let Some(text) = self.history.newer() {
            self.composer.set(Draft::from(text));
        }
    }

    fn on_piece(&mut self, text: &str) -> Step {
        if let Stage::Waiting { answer, .. } = &mut self.stage {
            answer.push_str(text);
        }
        Step::Stay
    }

    fn on_note(&mut self, text: String) -> Step {
        if let Stage::Waiting { note, .. } = &mut self.stage {
            *note = text;
        }
        Step::Stay
    }

    fn on_outcome(&mut self, outcome: Outcome) -> Step {
        match outcome {
            Outcome::Command(proposal) if proposal.dangers.is_empty() => Step::Leave(Some(proposal)),
            Outcome::Command(proposal) => {
                self.stage = Stage::Offering(proposal);
                self.has_just_offered = true;
                Step::Stay
            }
            other => {
                self.stage = Stage::Telling(other);
                Step::Stay
            }
        }
    }
}

fn is_cancel(key: KeyEvent) -> bool {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    key.code == KeyCode::Esc || (ctrl && matches!(key.code, KeyCode::Char('c' | 'g')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Prompt {
        let mut prompt = Prompt::new(Purpose::Ask, vec!["older".into(), "newest".into()]);
        for c in text.chars() {
            prompt.handle(Event::Key(KeyCode::Char(c).into()));
        }
        prompt
    }

    fn press(prompt: &mut Prompt, code: KeyCode) -> Step {
        prompt.handle(Event::Key(code.into()))
    }

    fn proposal(dangers: &[&str]) -> Proposal {
        let dangers = dangers.iter().map(|why| (*why).to_owned()).collect();
        Proposal { turn: TurnId(3), command: "rm -rf x".into(), dangers }
    }

    #[test]
    fn enter_asks_what_was_typed() {
        assert_eq!(press(&mut typed(" list files "), KeyCode::Enter), Step::Ask("list files".into()));
    }

    #[test]
    fn enter_on_nothing_leaves() {
        assert_eq!(press(&mut typed("  "), KeyCode::Enter), Step::Leave(None));
    }

    #[test]
    fn escape_and_control_c_leave_at_any_stage() {
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let mut prompt = typed("x");
        assert_eq!(prompt.handle(Event::Key(control_c)), Step::Leave(None));
        press(&mut prompt, KeyCode::Enter);
        assert_eq!(press(&mut prompt, KeyCode::Esc), Step::Leave(None));
        prompt.handle(Event::Done(Outcome::Command(proposal(&["deletes"]))));
        assert_eq!(press(&mut prompt, KeyCode::Esc), Step::Leave(None));
    }

    #[test]
    fn up_goes_back_and_down_returns_to_what_was_typed() {
        let mut prompt = typed("half");
        press(&mut prompt, KeyCode::Up);
        assert_eq!(prompt.composer.text(), "newest");
        press(&mut prompt, KeyCode::Up);
        assert_eq!(prompt.composer.text(), "older");
        press(&mut prompt, KeyCode::Down);
        press(&mut prompt, KeyCode::Down);
        assert_eq!(prompt.composer.text(), "half");
    }

    #[test]
    fn a_paste_is_typed() {
        let mut prompt = typed("see ");
        prompt.handle(Event::Paste(Pasted::new(b"a\r\nb")));
        assert_eq!(press(&mut prompt, KeyCode::Enter), Step::Ask("see a\nb".into()));
    }

    #[test]
    fn a_harmless_command_ends_the_prompt() {
        let mut prompt = typed("x");
        press(&mut prompt, KeyCode::Enter);
        let done = Event::Done(Outcome::Command(proposal(&[])));
        assert_eq!(prompt.handle(done), Step::Leave(Some(proposal(&[]))));
    }

    #[test]
    fn a_dangerous_command_waits_for_enter_and_for_nothing_else() {
        let mut prompt = typed("x");
        press(&mut prompt, KeyCode::Enter);
        assert_eq!(prompt.handle(Event::Done(Outcome::Command(proposal(&["deletes"])))), Step::Stay);
        assert_eq!(press(&mut prompt, KeyCode::Char('y')), Step::Stay);
        assert_eq!(press(&mut prompt, KeyCode::Enter), Step::Leave(Some(proposal(&["deletes"]))));
    }

    #[test]
    fn keys_typed_while_it_waits_choose_nothing() {
        let mut prompt = typed("x");
        press(&mut prompt, KeyCode::Enter);
        assert_eq!(press(&mut prompt, KeyCode::Enter), Step::Stay);
    }

    #[test]
    fn what_is_said_goes_with_any_key() {
        let mut prompt = typed("x");
        press(&mut prompt, KeyCode::Enter);
        prompt.handle(Event::Done(Outcome::Failed("no model".into())));
        assert_eq!(press(&mut prompt, KeyCode::Char(' ')), Step::Leave(None));
    }
}
