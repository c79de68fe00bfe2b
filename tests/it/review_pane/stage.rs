//! The review pane with what a test plays to it: keys, pages, stories. Holds no test itself.

use chela::daemon::wire::review::{AnsweredNow, ReviewCursor, ReviewPage, ReviewRow, ReviewState};
use chela::daemon::wire::{LessonStory, TurnStory, UsedLesson};
use chela::lesson::{LessonId, Scope};

use chela::tui::review::{Done, Effect, Event, Head, Key, Pane, Start, Step, Story, Way};
use chela::tui::surface::Size;
use chela::tui::theme::Ink;
use chela::turn::{PolicyVersion, SessionId, Source, TurnId};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};

/// 2026-11-23T08:00:00Z.
pub(super) const NOW: i64 = 1_795_420_800_000;

pub(super) struct Stage {
    pub(super) pane: Pane,
    pub(super) effects: Vec<Effect>,
}

impl Stage {
    pub(super) fn new(columns: usize, rows: usize) -> Self {
        let mut pane = Pane::new(Start {
            size: Size { columns, rows },
            ink: Ink::Full,
            now_ms: NOW,
            zone: jiff::tz::TimeZone::UTC,
            cwd: "/src/atlas".into(),
        });
        let effects = pane.open();
        Self { pane, effects }
    }

    /// With a list on it.
    pub(super) fn with(columns: usize, rows: usize, list: Vec<ReviewRow>) -> Self {
        let mut stage = Self::new(columns, rows);
        stage.event(Event::Head(Ok(Box::new(head()))));
        stage.page(list, None);
        stage
    }

    pub(super) fn event(&mut self, event: Event) -> &mut Self {
        let effects = self.pane.handle(event, NOW);
        self.effects.extend(effects);
        self
    }

    /// The answer to the newest question for a part of the list.
    pub(super) fn page(&mut self, rows: Vec<ReviewRow>, next: Option<ReviewCursor>) -> &mut Self {
        let outcome = Ok(ReviewPage { rows, next, looked_to: next.map(|_| NOW - 86_400_000) });
        let ticket = self.ticket();
        self.event(Event::Page { ticket, outcome })
    }

    pub(super) fn ticket(&self) -> u64 {
        let newest = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Load { ticket, .. } => Some(*ticket),
            _ => None,
        });
        newest.unwrap()
    }

    pub(super) fn key(&mut self, code: KeyCode) -> &mut Self {
        self.event(Event::Key(KeyEvent::from(code)))
    }

    pub(super) fn ctrl(&mut self, letter: char) -> &mut Self {
        self.event(Event::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)))
    }

    pub(super) fn typed(&mut self, text: &str) -> &mut Self {
        for letter in text.chars() {
            self.key(KeyCode::Char(letter));
        }
        self
    }

    /// What was asked for since the last look.
    pub(super) fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn steps(&mut self) -> Vec<Step> {
        let mut steps = self.take().into_iter().filter_map(|effect| match effect {
            Effect::Do { steps, .. } | Effect::Undo { steps, .. } => Some(steps),
            _ => None,
        });
        steps.next().unwrap_or_default()
    }

    pub(super) fn done(&mut self, what: &str, back: Vec<Step>) -> &mut Self {
        self.event(Event::Done(Done { back, ..none_done(what) }))
    }

    pub(super) fn screen(&self) -> String {
        let rows = self.pane.rows();
        assert_eq!(rows.len(), self.pane.size().rows);
        let lines: Vec<String> = rows.iter().map(|row| row.to_string().trim_end().to_owned()).collect();
        for line in &lines {
            assert!(line.chars().count() <= self.pane.size().columns, "{line}");
        }
        lines.join("\n")
    }
}

pub(super) fn none_done(what: &str) -> Done {
    Done {
        what: what.into(),
        is_undo: false,
        back: Vec::new(),
        left: Vec::new(),
        trouble: None,
        is_refused: false,
    }
}

pub(super) fn head() -> Head {
    let learning = json!({
        "dial": "careful", "when": "idle", "paused": false, "running": null, "progress": null,
        "waits_for": null, "n_waiting": 0, "learned_today_s": 0, "last": null
    });
    Head { serving: PolicyVersion(2), learning: serde_json::from_value(learning).unwrap() }
}

pub(super) fn row(turn: i64, age_s: i64, request: &str) -> ReviewRow {
    ReviewRow {
        turn: Some(TurnId(turn)),
        session: Some(SessionId("chat-7".into())),
        source: Some(Source::Chat),
        folder: Some("/src/atlas".into()),
        request: request.into(),
        ..ReviewRow::empty(NOW - age_s * 1000)
    }
}

pub(super) fn judged(row: ReviewRow, reward: Option<i8>, rule: &str) -> ReviewRow {
    ReviewRow { reward, rule: Some(rule.into()), ..row }
}

pub(super) fn taught(row: ReviewRow, lesson: i64, text: &str, state: ReviewState) -> ReviewRow {
    let lesson = Some(LessonId(lesson));
    ReviewRow { lesson, text: Some(text.into()), scope: Some(Scope::Global), state, ..row }
}

/// A row of each kind.
pub(super) fn varied() -> Vec<ReviewRow> {
    let lone = ReviewRow { turn: None, session: None, source: None, folder: None, ..row(0, 700, "") };
    let shell = |row: ReviewRow| ReviewRow { source: Some(Source::Shell), ..row };
    let v2 = ReviewState::Learned(PolicyVersion(2));
    let mut excluded = judged(row(31, 90_000, "what does this key open"), Some(-1), "votes");
    (excluded.state, excluded.is_excluded) = (ReviewState::Excluded, true);
    let mut pinned = taught(
        judged(row(30, 180_000, "search src"), Some(-1), "words.correction"),
        5,
        "use rg instead of grep",
        v2,
    );
    pinned.pinned = true;
    let mut hinted = judged(shell(row(38, 400, "list open ports")), Some(-1), "exit.failed");
    hinted.hint = Some("use ss instead of netstat".into());
    vec![
        ReviewRow {
            state: ReviewState::Waiting,
            ..row(40, 3, "and the same for every folder below it,\nplease")
        },
        taught(
            judged(row(39, 61, "show disk usage"), Some(-1), "rating.bad"),
            9,
            "use duf instead of df",
            ReviewState::Active,
        ),
        hinted,
        taught(lone, 8, "answer in one line \x1b[31m日本語", ReviewState::Proposed),
        judged(shell(row(36, 4_000, "compress this folder")), Some(1), "exit.ok"),
        judged(row(33, 8_000, "who are you"), None, "votes"),
        excluded,
        pinned,
        taught(row(29, 300_000, "undo the commit"), 4, "use git reset --soft", ReviewState::Retired),
        taught(row(28, 400_000, "rename photos"), 3, "use exiftool", ReviewState::Pruned),
    ]
}

fn lesson(id: i64, text: &str, state: &Value) -> Value {
    json!({
        "id": id, "text": text, "scope": { "kind": "program", "of": "df" }, "state": state, "origin": "corrected",
        "sources": [39], "created_at": NOW - 60_000, "used": 3, "helped": 2, "failed": 1, "pinned": true
    })
}

/// Of turn 39 and lesson 9.
pub(super) fn story() -> Story {
    let verdict = json!({
        "turn": 39, "judged_at": NOW - 40_000, "seen": 2, "model": "chela-starter", "is_newest": true,
        "verdict": {
            "reward": -1, "hint": "use duf instead of df", "rule": "words.correction", "confidence": 0.95,
            "votes": [{ "order": "good, bad or unclear", "good": 0.05, "bad": 0.9, "unclear": 0.05 }]
        },
        "signals": [
            { "rule": "words.correction", "says": "bad", "evidence": "explicit", "strength": 0.95,
              "span": { "start": 4, "end": 25 }, "is_directive": true },
            { "rule": "exit.failed", "says": "bad", "evidence": "outcome", "strength": 0.85,
              "span": { "start": 0, "end": 0 }, "is_directive": false }
        ]
    });
    let turn = json!({
        "turn": {
            "id": 39, "session": "chat-7", "parent": 38, "kind": "main", "source": "chat", "cwd": "/src/atlas",
            "messages": [{ "role": "user", "content": "show disk usage" }],
            "response": "df -h", "ending": "stop", "error": null, "policy": 1, "model": "chela-starter",
            "n_prompt": 20, "n_response": 3, "started_at": NOW - 61_000, "ended_at": NOW - 60_000
        },
        "settings": "{}",
        "used": [{ "lesson": lesson(2, "be brief", &json!({ "is": "active" })), "rank": 0, "helped": true }],
        "next_states": [
            { "at": NOW - 59_000, "state": { "kind": "command", "command": "df -h", "status": 1, "output": "df: no" } },
            { "at": NOW - 50_000, "state": { "kind": "reply", "text": "no, use duf instead of df\u{1b}[2J" } }
        ],
        "verdicts": [verdict],
        "is_waiting": false,
        "drawn": [lesson(9, "use duf instead of df", &json!({ "is": "learned", "in_version": 2 }))],
        "samples": [{
            "run": 4, "run_state": "promoted", "candidate": 2,
            "sample": { "turn": 39, "lesson": 9, "role": "teach", "fingerprint": "f00d" }
        }]
    });
    let of_lesson = json!({
        "lesson": lesson(9, "use duf instead of df", &json!({ "is": "learned", "in_version": 2 })),
        "retired_by": null,
        "history": [
            { "id": 1, "at": NOW - 50_000, "what": "activated", "by": "loop", "reason": "hint.swap", "detail": null },
            { "id": 2, "at": NOW - 10_000, "what": "learned", "by": "gate", "reason": "it is obeyed 8 of 8 times", "detail": null }
        ],
        "learned_in": [2], "uses": []
    });
    let turn: TurnStory = serde_json::from_value(turn).unwrap();
    let lesson: LessonStory = serde_json::from_value(of_lesson).unwrap();
    Story { turn: Some(turn), lesson: Some(lesson) }
}

pub(super) const OF_39: Key = Key { turn: Some(TurnId(39)), lesson: Some(LessonId(9)) };

pub(super) fn told(stage: &mut Stage) {
    stage.key(KeyCode::Down);
    stage.event(Event::Story { key: OF_39, outcome: Ok(Box::new(story())) });
}

pub(super) fn answered(way: Way, answer: &str, lessons: &[i64]) -> Event {
    let used = |id: &i64| UsedLesson { id: LessonId(*id), text: "use duf".into() };
    let outcome = Ok(AnsweredNow {
        policy: PolicyVersion(2),
        request: "show disk usage".into(),
        lessons: lessons.iter().map(used).collect(),
        answer: answer.into(),
    });
    Event::Answered { key: OF_39, way, outcome }
}
