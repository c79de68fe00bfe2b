//! The conversation as the model sees it: which turns it continues, what goes along with the next message, and
//! the request that asks for the next answer. Pure.

use std::fmt::Write;

use crate::daemon::wire::TurnRow;
use crate::daemon::wire::{ChatRequest, ChelaRequest};
use crate::tui::composer::Draft;
use crate::turn::{Ending, Message, Role, SessionId, Source, TurnId, TurnKind};

/// One turn of the thread: what was said since the turn before, and the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    pub turn: TurnId,
    pub messages: Vec<Message>,
    pub response: String,
    pub ending: Option<Ending>,
    /// What the person typed, without what went along with it; `None` for turns from the ledger.
    pub draft: Option<Draft>,
}

#[derive(Debug, Clone)]
pub(crate) struct Thread {
    pub session: SessionId,
    pub exchanges: Vec<Exchange>,
    /// Output of commands that the next message takes along.
    pub carried: Vec<String>,
    /// The next message replaces everything from this exchange on.
    pub branch: Option<usize>,
}

impl Thread {
    pub(crate) fn new(session: SessionId) -> Self {
        Self { session, exchanges: Vec::new(), carried: Vec::new(), branch: None }
    }

    /// Takes over what the ledger knows; drafts of turns that both know stay.
    pub(crate) fn adopt(&mut self, turns: Vec<TurnRow>) {
        let mut drafts: Vec<(TurnId, Option<Draft>)> =
            self.exchanges.drain(..).map(|exchange| (exchange.turn, exchange.draft)).collect();
        self.exchanges = turns
            .into_iter()
            // Of a forgotten turn only its place is left.
            .filter(|row| !row.is_forgotten())
            .map(|row| {
                let known = drafts.iter_mut().find(|(turn, _)| *turn == row.id);
                let draft = known.and_then(|(_, draft)| draft.take());
                Exchange {
                    turn: row.id,
                    messages: row.messages,
                    response: row.response,
                    ending: row.ending,
                    draft,
                }
            })
            .collect();
        self.branch = None;
    }

    /// Makes the next message replace the last one; what the last one was.
    pub(crate) fn edit_last(&mut self) -> Option<Draft> {
        let last = self.branch.unwrap_or(self.exchanges.len()).checked_sub(1)?;
        let exchange = self.exchanges.get(last)?;
        let said = || exchange.messages.iter().rev().find(|message| message.role == Role::User);
        let draft =
            exchange.draft.clone().or_else(|| said().map(|message| Draft::from(message.content.as_str())))?;
        self.branch = Some(last);
        Some(draft)
    }

    /// The new messages of the next request, and the request.
    pub(crate) fn request(&mut self, system: &str, text: &str, cwd: &str) -> (Vec<Message>, ChatRequest) {
        if let Some(branch) = self.branch.take() {
            self.exchanges.truncate(branch);
        }
        let mut fresh = Vec::new();
        if self.exchanges.is_empty() && !system.is_empty() {
            fresh.push(Message::new(Role::System, system));
        }
        fresh.push(Message::new(Role::User, self.with_carried(text)));
        let mut messages = Vec::new();
        for exchange in &self.exchanges {
            messages.extend(exchange.messages.iter().cloned());
            messages.push(Message::new(Role::Assistant, exchange.response.clone()));
        }
        messages.extend(fresh.iter().cloned());
        let chela = ChelaRequest {
            session: self.session.clone(),
            parent: self.exchanges.last().map(|exchange| exchange.turn),
            source: Source::Chat,
            kind: TurnKind::Main,
            cwd: Some(cwd.to_owned()),
            drop_oldest: true,
        };
        (fresh, ChatRequest { messages, stream: true, chela: Some(chela), ..ChatRequest::default() })
    }

    /// One user message: many templates refuse two in a row.
    pub(crate) fn with_carried(&self, text: &str) -> String {
        let mut whole = String::new();
        for output in &self.carried {
            whole.push_str(output);
            whole.push_str("\n\n");
        }
        whole.push_str(text);
        whole
    }

    pub(crate) fn last_answer(&self) -> Option<&str> {
        self.exchanges.iter().rev().map(|exchange| exchange.response.as_str()).find(|text| !text.is_empty())
    }

    pub(crate) fn as_markdown(&self) -> String {
        let mut text = String::new();
        for exchange in &self.exchanges {
            for message in exchange.messages.iter().filter(|message| message.role == Role::User) {
                let _ = write!(text, "## You\n\n{}\n\n", message.content.trim_end());
            }
            let _ = write!(text, "## chela\n\n{}\n", exchange.response.trim_end());
            if let Some(ending) = exchange.ending.filter(|ending| !ending.is_whole()) {
                let _ = write!(text, "\n*({})*\n", ending_words(ending));
            }
            text.push('\n');
        }
        text
    }
}

/// How an answer that is not whole is marked.
pub(crate) fn ending_words(ending: Ending) -> &'static str {
    match ending {
        Ending::Stop => "complete",
        Ending::Length => "cut off at the length limit",
        Ending::Interrupted => "interrupted",
        Ending::Disconnected => "the connection was lost",
        Ending::Crashed => "the daemon crashed",
        Ending::Failed => "failed",
    }
}

/// The inside of the last fenced code block of a Markdown text.
pub(crate) fn last_code_block(text: &str) -> Option<String> {
    let mut last = None;
    let mut open: Option<Vec<&str>> = None;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        match (&mut open, is_fence) {
            (None, true) => open = Some(Vec::new()),
            (Some(_), true) => last = open.take().map(|lines| lines.join("\n")),
            (Some(lines), false) => lines.push(line),
            (None, false) => {}
        }
    }
    open.map(|lines| lines.join("\n")).or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(turn: i64, said: &str, response: &str) -> Exchange {
        let messages = vec![Message::new(Role::User, said)];
        Exchange {
            turn: TurnId(turn),
            messages,
            response: response.into(),
            ending: Some(Ending::Stop),
            draft: None,
        }
    }

    fn thread() -> Thread {
        let mut thread = Thread::new(SessionId("s".into()));
        thread.exchanges = vec![exchange(1, "a", "A"), exchange(2, "b", "B")];
        thread
    }

    #[track_caller]
    fn check(thread: &mut Thread, expected: &[&str], parent: Option<i64>) {
        let (_, request) = thread.request("be brief", "c", "/");
        let said: Vec<&str> = request.messages.iter().map(|message| message.content.as_str()).collect();
        assert_eq!(said, expected);
        assert_eq!(request.chela.unwrap().parent, parent.map(TurnId));
    }

    #[test]
    fn a_request_says_everything_since_the_beginning() {
        check(&mut thread(), &["a", "A", "b", "B", "c"], Some(2));
    }

    #[test]
    fn the_first_request_begins_with_the_system_message() {
        check(&mut Thread::new(SessionId("s".into())), &["be brief", "c"], None);
    }

    #[test]
    fn editing_the_last_message_branches_off_before_it() {
        let mut thread = thread();
        assert_eq!(thread.edit_last().unwrap().expanded(), "b");
        check(&mut thread, &["a", "A", "c"], Some(1));
    }

    #[test]
    fn command_output_goes_along_in_the_same_message() {
        let mut thread = thread();
        thread.carried.push("out".into());
        check(&mut thread, &["a", "A", "b", "B", "out\n\nc"], Some(2));
    }

    #[test]
    fn code_blocks() {
        assert_eq!(last_code_block("x\n```sh\nls\n```\n```\na\nb\n```\ny").unwrap(), "a\nb");
        assert_eq!(last_code_block("no code"), None);
    }
}
