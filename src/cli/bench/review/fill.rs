//! A ledger with many turns, as years of use would leave it: surfaces, folders, rules, verdicts and lessons in the
//! proportions of use, words by Zipf's law. The same number of turns gives the same ledger.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use serde::Serialize;

use crate::judge::Verdict;
use crate::lesson::{LessonId, Origin, Scope};
use crate::store::{
    By, Entry, Excluded, LessonChange, LessonEdit, NewLesson, NewSession, NewTurn, NewVerdict, ReviewEdit,
    SqliteStore, Store, StoredToken,
};
use crate::turn::next_state::NextState;
use crate::turn::{Ending, Message, PolicyVersion, Role, SessionId, Source, TurnId, TurnKind};

/// Entries in one commit.
const GROUP: usize = 4_000;
const TURNS_IN_A_SESSION: usize = 20;
const FOLDERS: u64 = 200;
/// One turn in so many is judged, and one in so many becomes a lesson.
const JUDGED: u64 = 3;
const TAUGHT: u64 = 400;
const RARE: u64 = 50_000;

const RULES: &[&str] = &[
    "votes",
    "votes",
    "exit.ok",
    "exit.ok",
    "exit.failed",
    "words.thanks",
    "words.correction",
    "words.wrong",
    "rating.good",
    "rating.bad",
    "edit.changed",
    "request.repeated",
    "tests.failed",
    "tools.error",
    "session.closed",
];
const WORDS: &[&str] = &[
    "please",
    "the",
    "find",
    "list",
    "files",
    "in",
    "a",
    "large",
    "folder",
    "ports",
    "search",
    "for",
    "todo",
    "show",
    "commits",
    "branch",
    "count",
    "lines",
    "rust",
    "python",
    "compress",
    "archive",
    "logs",
    "service",
    "restart",
    "docker",
    "podman",
    "container",
    "disk",
    "usage",
    "rename",
    "photos",
    "video",
    "convert",
    "subtitles",
    "rebase",
    "merge",
    "conflict",
    "kernel",
    "module",
    "firewall",
    "rule",
    "certificate",
    "expiry",
];

/// What was made, and how long it took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Filled {
    pub(super) lessons: usize,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
}

pub(super) fn fill(path: &Path, n_turns: usize) -> anyhow::Result<Filled> {
    let began = Instant::now();
    let mut filling = Filling {
        store: SqliteStore::open(path, jiff::Timestamp::now())?.store,
        group: Vec::with_capacity(GROUP + 16),
        random: 7,
        n_lessons: 0,
    };
    for at in 0..n_turns {
        filling.turn(at)?;
    }
    filling.exclude(n_turns)?;
    filling.write()?;
    let lessons = filling.n_lessons;
    drop(filling);
    let bytes = std::fs::metadata(path)?.len();
    Ok(Filled { lessons, bytes, seconds: began.elapsed().as_secs_f64() })
}

struct Filling {
    store: SqliteStore,
    group: Vec<Entry>,
    random: u64,
    n_lessons: usize,
}

impl Filling {
    fn turn(&mut self, at: usize) -> anyhow::Result<()> {
        let id = TurnId(i64::try_from(at)? + 1);
        let session = SessionId(format!("session-{}", at / TURNS_IN_A_SESSION));
        let started_at = 1_600_000_000_000 + i64::try_from(at)? * 90_000;
        let source = self.source();
        let cwd = Some(format!("/home/ada/project-{}", self.zipf(FOLDERS)));
        let request = self.request();
        self.group.push(Entry::OpenSession(NewSession {
            id: session.clone(),
            source,
            cwd: cwd.clone(),
            started_at,
        }));
        self.group.push(Entry::BeginTurn(NewTurn {
            session,
            parent: None,
            kind: TurnKind::Main,
            source,
            cwd,
            messages: vec![Message::new(Role::User, request)],
            prompt: vec![1, 2, 3, 4],
            policy: PolicyVersion::BASE,
            model: "scripted".into(),
            settings: "{}".into(),
            started_at,
        }));
        let text = format!("{} {}", self.request(), self.request());
        let tokens = vec![StoredToken { id: 5, logprob: -0.5, text }];
        self.group.push(Entry::AppendTokens { turn: id, tokens });
        let ending = Ending::Stop;
        self.group.push(Entry::EndTurn { turn: id, ended_at: started_at + 900, ending, error: None });
        if self.below(JUDGED) == 0 {
            self.judge(id, started_at);
        }
        if self.group.len() >= GROUP { self.write() } else { Ok(()) }
    }

    fn judge(&mut self, turn: TurnId, started_at: i64) {
        let state = NextState::Reply { text: self.request() };
        self.group.push(Entry::RecordNextState { turn, at: started_at + 30_000, state });
        let is_rare = self.below(RARE / JUDGED) == 0;
        let at = usize::try_from(self.below(RULES.len() as u64)).unwrap_or(0);
        let rule = if is_rare { "rare.event" } else { RULES.get(at).copied().unwrap_or("votes") };
        let reward = match self.below(10) {
            0..5 => Some(1),
            5..8 => Some(-1),
            _ => None,
        };
        let hint = (reward == Some(-1)).then(|| self.request());
        self.group.push(Entry::Judge(NewVerdict {
            turn,
            seen: 1,
            signals: Vec::new(),
            verdict: Verdict { reward, hint, rule: rule.into(), votes: Vec::new(), confidence: 0.8 },
            model: "scripted".into(),
            judged_at: started_at + 31_000,
        }));
        if self.below(TAUGHT / JUDGED) == 0 {
            self.teach(Some(turn), started_at + 32_000);
        } else if self.below(TAUGHT) == 0 {
            self.teach(None, started_at + 32_000);
        }
    }

    fn teach(&mut self, turn: Option<TurnId>, created_at: i64) {
        let text = self.request();
        self.group.push(Entry::AddLesson(NewLesson {
            text,
            scope: Scope::Global,
            origin: Origin::Corrected,
            waits_for_yes: false,
            pinned: false,
            sources: turn.into_iter().collect(),
            replaces: Vec::new(),
            by: By::Loop,
            reason: "bench".into(),
            created_at,
        }));
        self.n_lessons += 1;
        // Most lessons of years are no longer in force.
        if self.below(10) > 0 {
            let lesson = LessonId(i64::try_from(self.n_lessons).unwrap_or(i64::MAX));
            let change = if self.below(2) == 0 {
                LessonChange::Prune
            } else {
                LessonChange::Retire { replaced_by: None }
            };
            let edit = LessonEdit { lesson, change, by: By::User, reason: String::new(), at: created_at + 1 };
            self.group.push(Entry::ChangeLesson(edit));
        }
    }

    fn exclude(&mut self, n_turns: usize) -> anyhow::Result<()> {
        let project = Excluded::Project("/home/ada/project-7".into());
        self.group.push(Entry::Review(ReviewEdit::Exclude { what: project, at: 0 }));
        for at in (0..n_turns).step_by(5_000) {
            let turn = Excluded::Turn(TurnId(i64::try_from(at)? + 1));
            self.group.push(Entry::Review(ReviewEdit::Exclude { what: turn, at: 0 }));
        }
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let outcomes = self.store.append_group(std::mem::take(&mut self.group));
        let refused = outcomes.into_iter().find_map(Result::err);
        ensure!(
            refused.is_none(),
            "the ledger cannot be filled: {}",
            refused.map_or_else(String::new, |err| err.to_string())
        );
        Ok(())
    }

    fn source(&mut self) -> Source {
        match self.below(100) {
            0..60 => Source::Chat,
            60..90 => Source::Shell,
            90..98 => Source::Api,
            _ => Source::Agent,
        }
    }

    fn request(&mut self) -> String {
        let n_words = 6 + self.below(8);
        let mut text = String::from("please");
        for _ in 0..n_words {
            let at = usize::try_from(self.zipf(WORDS.len() as u64)).unwrap_or(0);
            text.push(' ');
            text += WORDS.get(at).copied().unwrap_or("the");
        }
        text += " n";
        text += &self.below(100_000).to_string();
        if self.below(RARE) == 0 {
            text += " zebrafish";
        }
        text
    }

    /// Small numbers far more often than large ones.
    fn zipf(&mut self, n: u64) -> u64 {
        let first = self.below(n) + 1;
        self.below(first)
    }

    /// A linear congruential generator is random enough here.
    fn below(&mut self, n: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % n.max(1)
    }
}
