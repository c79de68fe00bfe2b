//! Taking things back: a lesson that was taught, learned by the weights and forgotten is nowhere any more, what else was
//! learned is learned anew, and a crash in the middle changes nothing of that.

mod crashes;
mod many;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chela::client::ClientError;
use chela::config::{Dial, When};
use chela::daemon::wire::forgetting::{Forget, Forgotten};
use chela::daemon::wire::looking::TurnQuery;
use chela::daemon::wire::{LoopEvent, RunRow, RunState, Teach};
use chela::engine::scripted::{Asked, Gate, Scripted, Step};
use chela::learn::Start;
use chela::learn::scripted::Scripted as ScriptedTrainer;
use chela::lesson::{LessonId, Scope, State};
use chela::turn::{Message, PolicyVersion, Role, TurnId};
use tempfile::TempDir;

use crate::cli::{Home, stderr, stdout};
use crate::served::{
    Served, config, files_that, home, loader_of, opened, paths_in, request, rest, serve_with, until,
};

const BASE: PolicyVersion = PolicyVersion::BASE;
const V1: PolicyVersion = PolicyVersion(1);
const V2: PolicyVersion = PolicyVersion(2);
/// A word that no file may hold once it is forgotten.
const MARKER: &str = "zebrafishmarker";
const LESSON: &str = "use zebrafishmarker instead of grep";
const OTHER: &str = "use sd instead of sed";
const ASKED: &str = "search src for todo";

/// A model that says grep and sed, obeys the lessons in its context, and from version 1 on what it saw taught. Later
/// versions hold the other lesson only. It knows where a lesson applies from the prompts in which it has seen it.
fn model(held: Option<Gate>) -> Scripted {
    let seen: Mutex<BTreeMap<String, [bool; 2]>> = Mutex::default();
    let script = move |asked: &Asked| {
        if asked.prompt.contains("Judge the answer") {
            return vec![Step::Say("unclear".into())];
        }
        let text = request_of(&asked.prompt);
        let told = [LESSON, OTHER].map(|lesson| asked.prompt.contains(lesson));
        let mut seen = seen.lock().unwrap();
        let taught = seen.entry(text.clone()).or_default();
        *taught = [taught[0] || told[0], taught[1] || told[1]];
        let holds = [asked.policy == V1, asked.policy != BASE];
        let obeys = [0, 1].map(|at| told[at] || (holds[at] && taught[at]));
        let search = if obeys[0] { MARKER } else { "grep" };
        let edit = if obeys[1] { "sd" } else { "sed" };
        let answer = Step::Say(format!("{search} {edit} {text}"));
        match held.clone().filter(|_| asked.policy == V1) {
            Some(gate) => vec![Step::Wait(gate), answer],
            None => vec![answer],
        }
    };
    Scripted::new("scripted", 4096, Box::new(script))
}

/// The last thing that the user said in a prompt.
fn request_of(prompt: &str) -> String {
    let said = prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
    said.split("<|im_end|>").next().unwrap_or_default().to_owned()
}

struct Twin {
    served: Served,
    engine: Arc<Scripted>,
}

fn serve_in(home: TempDir, engine: Scripted, dial: Dial) -> Twin {
    let path = home.path().join("scripted.gguf");
    std::fs::write(&path, "a model").unwrap();
    let engine = Arc::new(engine.from_file(&path));
    let mut config = config(paths_in(&home), loader_of(Arc::clone(&engine) as _));
    config.trainer = Box::new(|_, start| {
        Ok(Box::new(match start {
            Start::Resume(state) => ScriptedTrainer::from_state(state),
            _ => ScriptedTrainer::new(),
        }))
    });
    (config.settings.learn.when, config.settings.learn.dial) = (When::Asked, dial);
    Twin { served: serve_with(home, config), engine }
}

fn serve() -> Twin {
    serve_in(home(), model(None), Dial::Careful)
}

fn lessons(lessons: &[LessonId]) -> Forget {
    Forget { lessons: lessons.to_vec(), rebuild: true, ..Forget::default() }
}

fn turns(turns: &[TurnId]) -> Forget {
    Forget { turns: turns.to_vec(), ..lessons(&[]) }
}

impl Twin {
    fn teach(&self, text: &str, program: &str, turn: Option<TurnId>) -> LessonId {
        let scope = Some(Scope::Program(program.into()));
        self.served.client.teach(&Teach { text: text.into(), scope, turn }).unwrap().id
    }

    fn ask(&self, text: &str) -> (PolicyVersion, String) {
        let (_, policy, answer) = self.say(None, &[Message::new(Role::User, text)]);
        (policy, answer)
    }

    fn say(&self, parent: Option<TurnId>, messages: &[Message]) -> (TurnId, PolicyVersion, String) {
        let mut chat = request("");
        chat.messages = messages.to_vec();
        chat.chela.as_mut().unwrap().parent = parent;
        let mut stream = self.served.client.chat(&chat).unwrap();
        let about = opened(&mut stream);
        let (answer, _, error) = rest(stream);
        assert!(error.is_none(), "{error:?}");
        (about.turn, about.policy, answer)
    }

    fn learn(&self) -> RunRow {
        let after = self.served.client.learn_now().unwrap().after;
        self.run_after(after.0)
    }

    fn run_after(&self, after: i64) -> RunRow {
        loop {
            let runs = self.served.client.learn_runs(10).unwrap().runs;
            if let Some(run) = runs.into_iter().find(|run| run.id.0 > after && run.ended_at.is_some()) {
                return run;
            }
        }
    }

    #[track_caller]
    fn forget(&self, wish: &Forget) -> Forgotten {
        self.served.client.forget(wish).unwrap()
    }

    #[track_caller]
    fn check_refused(&self, wish: &Forget, expected: &str) {
        match self.served.client.forget(wish) {
            Err(ClientError::Refused { message, .. }) => assert_eq!(message, expected),
            other => panic!("{other:?} instead of a refusal"),
        }
    }

    fn state_of(&self, lesson: LessonId) -> State {
        self.served.client.lesson(lesson).unwrap().lesson.state
    }

    fn versions(&self) -> Vec<PolicyVersion> {
        let adapters = self.served.client.adapters().unwrap().adapters;
        adapters.into_iter().map(|row| row.manifest.version).collect()
    }
}

/// Files below a folder that hold the marker.
fn holding_it(dir: &Path) -> Vec<PathBuf> {
    files_that(dir, &holds)
}

/// In small or capital letters, and as UTF-16. What is packed would have to be unpacked first, so nothing may be.
fn holds(bytes: &[u8]) -> bool {
    const PACKED: [&[u8]; 4] = [b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"BZh", b"\xfd7zXZ"];
    assert!(!PACKED.iter().any(|magic| bytes.starts_with(magic)), "a packed file");
    let lower = bytes.to_ascii_lowercase();
    // Half of it is enough: an index of words may cut it.
    let half = b"zebrafish";
    let wide: Vec<u8> = half.iter().flat_map(|byte| [*byte, 0]).collect();
    [half.as_slice(), &wide].iter().any(|needle| lower.windows(needle.len()).any(|window| window == *needle))
}

fn reason(run: &RunRow) -> String {
    run.reason.clone().unwrap_or_default()
}

#[test]
fn a_learned_lesson_that_is_forgotten_is_in_no_file_and_in_no_answer() {
    let twin = serve();
    let (turn, ..) = twin.say(None, &[Message::new(Role::User, ASKED)]);
    let lesson = twin.teach(LESSON, "grep", Some(turn));
    assert_eq!(twin.ask(ASKED), (BASE, format!("{MARKER} sed {ASKED}")));
    let run = twin.learn();
    assert_eq!(run.state, RunState::Promoted, "{}", reason(&run));
    let typed = twin.served.paths.history_file();
    std::fs::write(
        &typed,
        format!("{{\"at\":1,\"text\":\"/teach {LESSON}\"}}\n{{\"at\":2,\"text\":\"hi\"}}\n"),
    )
    .unwrap();
    let copy = twin.served.paths.data_dir.join("ledger.db.v2.bak");
    std::fs::write(&copy, MARKER).unwrap();
    assert!(!holding_it(twin.served.home.path()).is_empty(), "the test can see it");

    let mut events = twin.served.client.events().unwrap();
    let gone = twin.forget(&lessons(&[lesson]));
    assert_eq!((gone.served, gone.serves, gone.versions.as_slice()), (V1, BASE, [V1].as_slice()));
    assert_eq!((gone.rebuild, gone.in_prompts_again.as_slice()), (None, [].as_slice()));
    assert_eq!(gone.said_in, [turn]);
    assert_eq!(gone.removed_files, [copy.display().to_string()]);
    assert!(gone.before.iter().any(|one| one.answer.contains(MARKER)), "{:?}", gone.before);
    let told = events.find_map(|event| match event.unwrap() {
        LoopEvent::Forgotten { lessons, .. } => Some(lessons),
        _ => None,
    });
    assert_eq!(told, Some(vec![lesson]));

    let prompts: Vec<_> = gone.before.into_iter().map(|one| one.messages).collect();
    let after = twin.served.client.answer_unrecorded(prompts).unwrap();
    assert_eq!(after.policy, BASE);
    assert!(after.answers.iter().all(|answer| answer.starts_with("grep")), "{after:?}");
    assert_eq!(twin.versions(), []);
    until(|| twin.engine.loaded().is_empty());
    // What the twin says for itself is an answer of that time, and no part of the lesson.
    let answered = twin.served.client.turns(&TurnQuery::default()).unwrap();
    twin.forget(&turns(&answered.turns.iter().map(|line| line.turn.id).collect::<Vec<_>>()));
    assert_eq!(holding_it(twin.served.home.path()), [] as [PathBuf; 0]);
    assert!(std::fs::read_to_string(typed).unwrap().contains("hi"));
    assert_eq!(twin.ask(ASKED), (BASE, format!("grep sed {ASKED}")));
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn what_else_a_removed_version_held_is_learned_anew_from_the_base() {
    let twin = serve();
    let lesson = twin.teach(LESSON, "grep", None);
    let other = twin.teach(OTHER, "sed", None);
    let run = twin.learn();
    assert_eq!(run.state, RunState::Promoted, "{}", reason(&run));
    let states = (twin.state_of(lesson), twin.state_of(other));
    assert_eq!(states, (State::Learned(V1), State::Learned(V1)), "{}", reason(&run));

    let would = twin.forget(&Forget { dry_run: true, ..lessons(&[lesson]) });
    assert_eq!((would.versions, would.serves, would.in_prompts_again), (vec![V1], BASE, vec![other]));
    assert_eq!((twin.state_of(lesson), twin.versions()), (State::Learned(V1), vec![V1]), "nothing was done");

    let gone = twin.forget(&lessons(&[lesson]));
    assert_eq!(gone.in_prompts_again, [other]);
    let rebuilt = twin.run_after(gone.rebuild.unwrap().0);
    assert_eq!((rebuilt.state, rebuilt.parent), (RunState::Promoted, BASE), "{}", reason(&rebuilt));
    assert_eq!(rebuilt.candidate, Some(V2));
    assert_eq!((twin.state_of(other), twin.versions()), (State::Learned(V2), vec![V2]));
    let prompts: Vec<_> = gone.before.into_iter().map(|one| one.messages).collect();
    let after = twin.served.client.answer_unrecorded(prompts).unwrap();
    assert_eq!(after.policy, V2);
    assert!(after.answers.iter().all(|answer| answer.starts_with("grep")), "{after:?}");
    // The version that was removed cannot be gone back to.
    assert_eq!(twin.served.client.roll_back("test").unwrap().serving, BASE);
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn a_forgotten_turn_takes_what_rests_on_it_along_and_leaves_the_thread_whole() {
    let twin = serve();
    let first = [Message::new(Role::User, format!("search for {MARKER}"))];
    let (asked, _, answer) = twin.say(None, &first);
    let lesson = twin.teach(LESSON, "grep", Some(asked));
    let thread =
        [first[0].clone(), Message::new(Role::Assistant, answer), Message::new(Role::User, "and now fast")];
    let (next, ..) = twin.say(Some(asked), &thread);

    let gone = twin.forget(&turns(&[asked]));
    assert_eq!(gone.lessons.iter().map(|lesson| lesson.id).collect::<Vec<_>>(), [lesson]);
    assert_eq!((gone.said_in.as_slice(), gone.before.len() > 1), ([].as_slice(), true));
    twin.check_refused(&turns(&[asked]), &format!("turn {} does not exist", asked.0));
    let kept = twin.served.client.turn(next).unwrap();
    assert_eq!((kept.parent, kept.messages[0].content.as_str()), (Some(asked), "and now fast"));
    let listed = twin.served.client.turns(&TurnQuery::default()).unwrap().turns;
    assert_eq!(listed.iter().map(|line| line.turn.id).collect::<Vec<_>>(), [next]);
    let place = twin.served.client.turn(asked).unwrap();
    assert!(place.is_forgotten());
    assert_eq!((place.response.as_str(), place.cwd), ("", None));

    // The answer that followed had the lesson in its prompt and says the word.
    twin.forget(&turns(&[next]));
    twin.served.client.turn(asked).unwrap_err();
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn a_round_that_runs_is_ended_first_and_its_files_go() {
    let gate = Gate::default();
    let twin = serve_in(home(), model(Some(gate)), Dial::Careful);
    let lesson = twin.teach(LESSON, "grep", None);
    let after = twin.served.client.learn_now().unwrap().after;
    until(|| twin.engine.asked().iter().any(|asked| asked.policy == V1));
    twin.forget(&lessons(&[lesson]));
    assert_eq!(twin.run_after(after.0).state, RunState::Cancelled);
    assert_eq!(twin.versions(), []);
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn forgetting_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let twin = serve();
    let lesson = twin.teach(LESSON, "grep", None);
    assert_eq!(twin.learn().state, RunState::Promoted);
    let home = twin.served.stop();
    let note = paths_in(&home).data_dir.join("forgetting.json");
    std::fs::write(&note, format!("{{\"lessons\":[{}],\"turns\":[],\"versions\":[1]}}", lesson.0)).unwrap();

    let twin = serve_in(home, model(None), Dial::Careful);
    twin.served.client.wait_for_model().unwrap();
    assert_eq!(twin.ask("search lib for todo").0, BASE);
    twin.served.client.lesson(lesson).unwrap_err();
    assert_eq!(twin.versions(), []);
    assert!(!note.exists());
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn what_is_not_there_or_not_at_an_end_is_refused() {
    let gate = Gate::default();
    let twin = serve();
    twin.check_refused(&lessons(&[]), "name a lesson, a turn, a session, a project, a time, a text, or all");
    twin.check_refused(&lessons(&[LessonId(9)]), "lesson 9 does not exist");
    twin.check_refused(&turns(&[TurnId(9)]), "turn 9 does not exist");
    twin.served.stop();

    let held = gate.clone();
    let waits = Scripted::new("scripted", 4096, Box::new(move |_| vec![Step::Wait(held.clone())]));
    let twin = serve_in(home(), waits, Dial::Careful);
    let mut stream = twin.served.chat("hello");
    let turn = opened(&mut stream).turn;
    let expected = format!("turn {} is still being answered; interrupt it first", turn.0);
    twin.check_refused(&turns(&[turn]), &expected);
    gate.open();
    twin.served.stop();
}

#[test]
fn without_learning_a_lesson_can_be_forgotten_all_the_same() {
    let twin = serve_in(home(), model(None), Dial::Off);
    let lesson = twin.teach(LESSON, "grep", None);
    let gone = twin.forget(&lessons(&[lesson]));
    assert_eq!((gone.rebuild, gone.versions), (None, Vec::new()));
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

/// The program itself, with the starter model; its daemon ends with the test.
struct Program(Home);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.run(&["daemon", "stop"]);
    }
}

#[test]
fn the_program_forgets_after_a_yes_and_its_log_holds_nothing() {
    let program = Program(Home::new());
    let asked = program.0.run(&["ask", &format!("search notes.txt for {MARKER}")]);
    assert_eq!(asked.status.code(), Some(0), "{}", stderr(&asked));
    assert_eq!(program.0.run(&["teach", "--turn", "1", LESSON]).status.code(), Some(0));

    let would = stdout(&program.0.run(&["forget", "1", "--dry-run"]));
    assert!(would.starts_with(&format!("This goes:\n  lesson #1 {LESSON}")), "{would}");
    assert!(would.contains("`chela forget turn 1` takes that out too"), "{would}");
    let unasked = program.0.run(&["forget", "1"]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(stderr(&unasked).contains("say --yes"), "{}", stderr(&unasked));
    assert_eq!(program.0.run(&["forget", "7", "--yes"]).status.code(), Some(4));

    let gone = program.0.run(&["forget", "1", "turn:1", "--yes"]);
    let said = stdout(&gone);
    assert_eq!(gone.status.code(), Some(0), "{}", stderr(&gone));
    assert!(said.starts_with("Forgotten:") && said.contains("\n  before  "), "{said}");
    assert_eq!(holding_it(&program.0.path()), [] as [PathBuf; 0]);
    program.0.run(&["daemon", "stop"]);
    assert_eq!(holding_it(&program.0.path()), [] as [PathBuf; 0]);
}
