//! What the tour does, step by step, over the same client that the chat uses.

use std::time::Instant;

use anyhow::Context;

use super::guide::{Guide, answers, inside, says, seconds};
use crate::client::{AnswerAs, Client, LoopStream};
use crate::daemon::wire::forgetting::Forget;
use crate::daemon::wire::{ChatRequest, ChelaRequest, Lesson, LoopEvent, RunRow, RunState};
use crate::turn::{Message, PolicyVersion, Role, SessionId, Source, TurnId, TurnKind};

/// What is asked: the first, one like it, and one that is asked when the lesson has left the prompt.
const FIRST: &str = "search for error in server.log";
const AGAIN: &str = "search for main in main.rs";
const WITHOUT: &str = "search for panic in crash.log";
const FORGOTTEN: &str = "search for budget in notes.md";
const CORRECTION: &str = "no, use rg instead of grep";

/// One answer and what it was made with.
struct Answered {
    turn: TurnId,
    policy: PolicyVersion,
    text: String,
    lessons: Vec<String>,
}

pub(super) fn play(client: &Client, guide: &mut Guide) -> anyhow::Result<()> {
    let system = "You are chela, a terminal agent.";
    let mut chat = Chat { client, messages: vec![Message::new(Role::System, system)], parent: None };
    let mut events = client.events()?;

    guide.step("Ask", "A small model answers on this machine; nothing leaves it.")?;
    let first = asked(&mut chat, FIRST)?;
    let what = format!(
        "turn {}, answered by {} (the base), is in the ledger with every token",
        first.turn.0, first.policy
    );
    inside(&what, "chela turns")?;

    guide.step("Correct it", "In your own words. A rule reads them; a lesson is made of them.")?;
    let begun = Instant::now();
    asked(&mut chat, CORRECTION)?;
    let lesson = drawn(&mut events)?;
    let took = seconds(begun.elapsed());
    let what = format!(
        "lesson {} \"{}\" ({}), active {took} after your words",
        lesson.id.0, lesson.text, lesson.scope
    );
    inside(&what, "chela lessons · chela why")?;

    guide.step("Ask again", "The lesson stands in the next prompt that it fits.")?;
    chat.begin_anew();
    let again = asked(&mut chat, AGAIN)?;
    inside(&format!("in the prompt: {}", listed(&again.lessons)), "chela why")?;

    guide.step("Learn", "The weights practise it until they do it without the lesson; a gate decides.")?;
    let run = learned(client, guide)?;
    inside("what the gate measured is in the ledger", "chela learn history · chela adapter list")?;

    guide.step("Ask without the lesson", "The same kind of request, in a new session.")?;
    chat.begin_anew();
    without(&mut chat, run.state == RunState::Promoted)?;

    guide.step("Take it back", "The lesson, its turns and every version that was taught it go.")?;
    forgotten(&mut chat, &lesson)
}

fn asked(chat: &mut Chat<'_>, text: &str) -> anyhow::Result<Answered> {
    says(text)?;
    let answered = chat.ask(text, AnswerAs::default())?;
    answers(&answered.text)?;
    Ok(answered)
}

fn listed(lessons: &[String]) -> String {
    if lessons.is_empty() { "no lesson".to_owned() } else { format!("\"{}\"", lessons.join("\", \"")) }
}

/// The lesson that was understood from the words before.
fn drawn(events: &mut LoopStream) -> anyhow::Result<Lesson> {
    for event in events {
        if let LoopEvent::Lesson { lesson, .. } = event? {
            return Ok(lesson);
        }
    }
    anyhow::bail!("the daemon ended before a lesson was drawn")
}

/// One round; the gate's word is told as it is.
fn learned(client: &Client, guide: &Guide) -> anyhow::Result<RunRow> {
    let begun = Instant::now();
    let now = client.learn_now()?;
    let bar = guide.bar();
    let run = client.wait_for_round(now, &mut |status| bar.show(status))?;
    drop(bar);
    let took = seconds(begun.elapsed());
    let version = run.candidate.map(|version| version.to_string()).unwrap_or_default();
    answers(&match run.state {
        RunState::Promoted => format!("{version} was promoted after {took}:"),
        RunState::Rejected => format!("{version} was rejected after {took}, and serves nobody:"),
        _ => format!("no candidate after {took}: {}", run.reason.clone().unwrap_or_default()),
    })?;
    for reason in run.gate.iter().flat_map(|gate| &gate.reasons) {
        answers(&format!("  {reason}"))?;
    }
    Ok(run)
}

fn without(chat: &mut Chat<'_>, is_promoted: bool) -> anyhow::Result<()> {
    says(WITHOUT)?;
    let without = AnswerAs { without_lessons: true, ..AnswerAs::default() };
    let answered = chat.ask(WITHOUT, without)?;
    answers(&answered.text)?;
    chat.begin_anew();
    let of_base = AnswerAs { policy: Some(PolicyVersion::BASE), ..without };
    let base = chat.ask(WITHOUT, of_base)?;
    let what = if is_promoted {
        format!("answered by {}, no lesson in the prompt; the base says: {}", answered.policy, base.text)
    } else {
        "nothing was promoted, so without the lesson the base answers; with it, lessons still hold".to_owned()
    };
    Ok(inside(&what, "chela ask with X-Chela-Lessons: off compares both")?)
}

fn forgotten(chat: &mut Chat<'_>, lesson: &Lesson) -> anyhow::Result<()> {
    let wish = Forget {
        lessons: vec![lesson.id],
        turns: lesson.sources.clone(),
        // There is nothing else in this profile that would be worth a round.
        rebuild: false,
        ..Forget::default()
    };
    let gone = chat.client.forget(&wish)?;
    says(&format!("chela forget {}", lesson.id.0))?;
    let versions: Vec<String> = gone.versions.iter().map(ToString::to_string).collect();
    let versions = if versions.is_empty() { "no version".to_owned() } else { versions.join(", ") };
    let gone_is = format!("{} lesson, {} turn, {versions}: gone", gone.lessons.len(), gone.turns.len());
    answers(&format!("{gone_is}; {} answers", gone.serves))?;
    chat.begin_anew();
    let after = asked(chat, FORGOTTEN)?;
    let what = format!("answered by {}, {} in the prompt", after.policy, listed(&after.lessons));
    Ok(inside(&what, "chela forget NUMBER, with --dry-run first")?)
}

/// A conversation, as the chat holds it.
struct Chat<'a> {
    client: &'a Client,
    messages: Vec<Message>,
    parent: Option<TurnId>,
}

impl Chat<'_> {
    /// Another session: nothing that was said before is in the prompt.
    fn begin_anew(&mut self) {
        self.messages.truncate(1);
        self.parent = None;
    }

    fn ask(&mut self, text: &str, wanted: AnswerAs) -> anyhow::Result<Answered> {
        self.messages.push(Message::new(Role::User, text));
        let request = ChatRequest {
            messages: self.messages.clone(),
            temperature: Some(0.0),
            chela: Some(ChelaRequest {
                session: SessionId("tour".to_owned()),
                parent: self.parent,
                source: Source::Chat,
                kind: TurnKind::Main,
                cwd: None,
                drop_oldest: true,
            }),
            ..ChatRequest::default()
        };
        let mut answered: Option<Answered> = None;
        for chunk in self.client.chat_as(&request, wanted)? {
            let chunk = chunk?;
            if let Some(about) = &chunk.chela
                && answered.is_none()
            {
                answered = Some(Answered {
                    turn: about.turn,
                    policy: about.policy,
                    text: String::new(),
                    lessons: about.lessons.iter().map(|lesson| lesson.text.clone()).collect(),
                });
            }
            let said = chunk.choices.first().and_then(|choice| choice.delta.content.clone());
            if let Some(answered) = &mut answered {
                answered.text.push_str(&said.unwrap_or_default());
            }
        }
        let answered = answered.context("the daemon gave no answer")?;
        self.messages.push(Message::new(Role::Assistant, &answered.text));
        self.parent = Some(answered.turn);
        Ok(answered)
    }
}
