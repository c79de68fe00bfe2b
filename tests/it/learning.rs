//! The slow half of the loop with scripted twins of engine and trainer: a lesson moves into the weights, the gate
//! decides, and every way in which a round can go wrong leaves what serves as it was.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chela::config::When;
use chela::daemon::wire::{ChangeLesson, LearnNow, LessonWish, LoopEvent, RunRow, RunState, Teach};
use chela::daemon::{DaemonConfig, OpenTrainer};
use chela::engine::Sampling;
use chela::engine::scripted::{Asked, Gate, Scripted, Step};
use chela::learn::scripted::{Failure, OnKernel, Scripted as ScriptedTrainer};
use chela::lesson::{LessonId, Scope, State};
use chela::turn::PolicyVersion;
use tempfile::TempDir;

use crate::served::{Served, config, home, loader_of, opened, paths_in, request, rest, serve_with, until};

const LESSON: &str = "use rg instead of grep";
const V1: PolicyVersion = PolicyVersion(1);

/// What a candidate does that the base does not.
#[derive(Debug, Clone)]
enum Candidate {
    /// What the lesson asks, where it applies, and nothing else.
    Learned,
    /// Nothing any more.
    Collapsed,
    /// What the lesson asks, whatever was asked.
    Overfitted,
    /// The same, at great length.
    LongWinded,
    /// Numbers that are none.
    NotFinite,
    /// It answers when the gate is open.
    Held(Gate),
}

/// A model that greps, obeys the lesson in its context, and from version 1 on is what `candidate` says. It knows where
/// the lesson applies from the prompts in which it has seen it.
fn model(candidate: Candidate) -> Scripted {
    let taught: Mutex<BTreeSet<String>> = Mutex::default();
    let script = move |asked: &Asked| {
        let text = request_of(&asked.prompt);
        if asked.prompt.contains("Judge the answer") {
            return vec![Step::Say("unclear".into())];
        }
        let usual = format!("grep {text}");
        if asked.prompt.contains(LESSON) {
            taught.lock().unwrap().insert(text.clone());
            return vec![Step::Say(format!("rg {text}"))];
        }
        if asked.policy == PolicyVersion::BASE {
            return vec![Step::Say(usual)];
        }
        let learned =
            if taught.lock().unwrap().contains(&text) { format!("rg {text}") } else { usual.clone() };
        match &candidate {
            Candidate::Learned => vec![Step::Say(learned)],
            Candidate::Collapsed => vec![],
            Candidate::Overfitted => vec![Step::Say(format!("rg {text}"))],
            Candidate::LongWinded => {
                vec![Step::Say(format!("{learned} and so on and on, {usual}, at length"))]
            }
            Candidate::NotFinite => vec![Step::SayAt(learned, f32::NAN)],
            Candidate::Held(gate) => vec![Step::Wait(gate.clone()), Step::Say(learned)],
        }
    };
    Scripted::new("scripted", 4096, Box::new(script))
}

/// The last thing that the user said in a prompt.
fn request_of(prompt: &str) -> String {
    let said = prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
    said.split("<|im_end|>").next().unwrap_or_default().to_owned()
}

fn trainer() -> OpenTrainer {
    Box::new(|_, start| Ok(Box::new(begun(start))))
}

fn begun(start: chela::learn::Start) -> ScriptedTrainer {
    match start {
        chela::learn::Start::Resume(state) => ScriptedTrainer::from_state(state),
        _ => ScriptedTrainer::new(),
    }
}

struct Twin {
    served: Served,
    engine: Arc<Scripted>,
}

fn serve_in(home: TempDir, engine: Scripted, change: impl FnOnce(&mut DaemonConfig)) -> Twin {
    // A file of its own: versions are for this very model.
    let path = home.path().join("scripted.gguf");
    std::fs::write(&path, "a model").unwrap();
    let engine = Arc::new(engine.from_file(&path));
    let mut config = config(paths_in(&home), loader_of(Arc::clone(&engine) as _));
    config.trainer = trainer();
    config.settings.learn.when = When::Asked;
    change(&mut config);
    Twin { served: serve_with(home, config), engine }
}

fn serve(candidate: Candidate) -> Twin {
    serve_in(home(), model(candidate), |_| ())
}

impl Twin {
    fn teach(&self) -> LessonId {
        let lesson = Teach { text: LESSON.into(), scope: Some(Scope::Program("grep".into())), turn: None };
        self.served.client.teach(&lesson).unwrap().id
    }

    /// Who answers, and what.
    fn ask(&self, text: &str) -> (PolicyVersion, String, usize) {
        let mut stream = self.served.client.chat(&request(text)).unwrap();
        let about = opened(&mut stream);
        let (answer, _, error) = rest(stream);
        assert!(error.is_none(), "{error:?}");
        (about.policy, answer, about.lessons.len())
    }

    /// One round, to its end.
    fn learn(&self) -> RunRow {
        let now = self.served.client.learn_now().unwrap();
        assert_eq!(now.running, None);
        self.ended(now)
    }

    fn ended(&self, now: LearnNow) -> RunRow {
        self.served.client.wait_for_round(now, &mut |_| ()).unwrap()
    }

    /// Returns when the candidate is being asked.
    fn until_measured(&self) {
        until(|| self.engine.asked().iter().any(|asked| asked.policy == V1));
    }

    fn state_of(&self, lesson: LessonId) -> State {
        self.served.client.lesson(lesson).unwrap().lesson.state
    }

    fn versions(&self) -> usize {
        self.served.client.adapters().unwrap().adapters.len()
    }
}

fn reasons(run: &RunRow) -> String {
    run.reason.clone().unwrap_or_default()
}

#[test]
fn a_lesson_moves_into_the_weights_and_back_into_prompts_with_a_rollback() {
    let twin = serve(Candidate::Learned);
    let lesson = twin.teach();
    let asked = "search src for todo";
    assert_eq!(twin.ask(asked), (PolicyVersion::BASE, format!("rg {asked}"), 1));
    let run = twin.learn();
    assert_eq!((run.state, run.candidate), (RunState::Promoted, Some(V1)), "{}", reasons(&run));
    assert_eq!(twin.state_of(lesson), State::Learned(V1));
    assert_eq!(twin.ask(asked), (V1, format!("rg {asked}"), 0));

    let standing = twin.served.client.roll_back("test").unwrap();
    assert_eq!(standing.serving, PolicyVersion::BASE);
    assert_eq!(twin.state_of(lesson), State::Active);
    assert_eq!(twin.ask(asked), (PolicyVersion::BASE, format!("rg {asked}"), 1));
    assert!(twin.served.client.roll_back("again").unwrap_err().to_string().contains("nothing before it"));
    twin.served.stop();
}

#[test]
fn the_dashboard_shows_what_a_round_gained_and_what_it_cost() {
    let twin = serve(Candidate::Learned);
    twin.teach();
    let run = twin.learn();
    let stats = twin.served.client.stats(7).unwrap();
    let [gate] = stats.versions.as_slice() else { panic!("{:?}", stats.versions) };
    assert_eq!((gate.run, gate.version, gate.is_promoted), (run.id.0, Some(V1), true));
    assert!(gate.obeyed.gain().unwrap() > 0.5 && gate.canaries.candidate.of > 0, "{gate:?}");
    let cost = stats.cost;
    assert_eq!((cost.rounds, cost.rounds_measured), (1, 1));
    assert!(cost.cpu_s > 0.0 && cost.wall_s > 0.0 && cost.wall_s < 600.0, "{cost:?}");
    assert!(stats.disk.adapters > 0 && stats.disk.ledger > 0, "{:?}", stats.disk);
    assert_eq!(stats.learning.running, None);
    twin.served.stop();
}

#[test]
fn what_was_promoted_serves_after_a_restart() {
    let twin = serve(Candidate::Learned);
    twin.teach();
    assert_eq!(twin.learn().state, RunState::Promoted);
    let home = twin.served.stop();
    let twin = serve_in(home, model(Candidate::Learned), |_| ());
    twin.served.client.wait_for_model().unwrap();
    assert_eq!(twin.ask("search src for todo").0, V1);
    twin.served.stop();
}

/// A rejected candidate serves nobody, is not kept, and the lesson stays where it was.
#[track_caller]
fn check_rejected(candidate: Candidate, reason: &str) {
    let twin = serve(candidate);
    let lesson = twin.teach();
    let run = twin.learn();
    assert_eq!(run.state, RunState::Rejected, "{}", reasons(&run));
    assert!(reasons(&run).contains(reason), "{}", reasons(&run));
    assert_eq!(twin.state_of(lesson), State::Active);
    assert_eq!(twin.ask("search src for todo").0, PolicyVersion::BASE);
    until(|| twin.versions() == 0);
    twin.served.stop();
}

#[test]
fn a_collapsed_candidate_is_rejected() {
    check_rejected(Candidate::Collapsed, "answers");
}

#[test]
fn a_candidate_that_does_the_same_everywhere_is_rejected() {
    check_rejected(Candidate::Overfitted, "unrelated requests");
}

#[test]
fn a_long_winded_candidate_is_rejected() {
    check_rejected(Candidate::LongWinded, "as long");
}

#[test]
fn a_candidate_with_numbers_that_are_none_is_rejected() {
    check_rejected(Candidate::NotFinite, "not finite");
}

#[track_caller]
fn check_failed(trainer: OpenTrainer, reason: &str) {
    let twin = serve_in(home(), model(Candidate::Learned), |config| config.trainer = trainer);
    let lesson = twin.teach();
    let run = twin.learn();
    assert_eq!(run.state, RunState::Failed, "{}", reasons(&run));
    assert!(reasons(&run).contains(reason), "{}", reasons(&run));
    assert_eq!(twin.state_of(lesson), State::Active);
    assert_eq!(twin.ask("search src for todo").0, PolicyVersion::BASE);
    assert_eq!(twin.versions(), 0);
    twin.served.stop();
}

#[test]
fn a_loss_that_is_no_number_ends_the_round() {
    check_failed(
        Box::new(|_, start| Ok(Box::new(begun(start).failing(3, Failure::NotFinite)))),
        "not finite",
    );
}

#[test]
fn a_panic_of_the_trainer_is_a_failed_round_and_no_outage() {
    let panics = || -> OnKernel { Box::new(|kernel| assert!(kernel < 9, "out of luck")) };
    check_failed(Box::new(move |_, start| Ok(Box::new(begun(start).on_kernel(panics())))), "out of luck");
}

#[test]
fn a_model_that_cannot_be_trained_says_so_and_keeps_its_lessons() {
    let refuses: OpenTrainer =
        Box::new(|_, _| Err(chela::learn::TrainError::Misfit("mamba is not trained".into())));
    check_failed(refuses, "mamba is not trained");
}

#[test]
fn without_anything_to_learn_a_round_says_so() {
    let twin = serve(Candidate::Learned);
    let run = twin.learn();
    assert_eq!((run.state, reasons(&run).as_str()), (RunState::Idle, "nothing new to learn"));
    twin.served.stop();
}

#[test]
fn a_lesson_that_is_taken_back_during_the_round_is_not_promoted() {
    let gate = Gate::default();
    let twin = serve(Candidate::Held(gate.clone()));
    let lesson = twin.teach();
    let now = twin.served.client.learn_now().unwrap();
    twin.until_measured();
    let prune = ChangeLesson { change: LessonWish::Prune, reason: "wrong".into() };
    twin.served.client.change_lesson(lesson, &prune).unwrap();
    gate.open();
    let run = twin.ended(now);
    assert_eq!(run.state, RunState::Cancelled, "{}", reasons(&run));
    assert!(reasons(&run).contains("was not promoted"), "{}", reasons(&run));
    assert_eq!(twin.ask("search src for todo").0, PolicyVersion::BASE);
    twin.served.stop();
}

#[test]
fn a_round_that_was_cancelled_leaves_everything_as_it_was() {
    let gate = Gate::default();
    let twin = serve(Candidate::Held(gate));
    let lesson = twin.teach();
    let now = twin.served.client.learn_now().unwrap();
    twin.until_measured();
    twin.served.client.cancel_learning().unwrap();
    let run = twin.ended(now);
    assert_eq!((run.state, reasons(&run).as_str()), (RunState::Cancelled, "cancelled"));
    assert_eq!((twin.state_of(lesson), twin.versions()), (State::Active, 0));
    twin.served.stop();
}

#[test]
fn an_interrupted_round_goes_on_after_a_restart_with_what_it_had_drawn() {
    let twin = serve(Candidate::Held(Gate::default()));
    twin.teach();
    twin.served.client.learn_now().unwrap();
    twin.until_measured();
    let home = twin.served.stop();

    let twin = serve_in(home, model(Candidate::Learned), |_| ());
    twin.served.client.wait_for_model().unwrap();
    let interrupted = twin.served.client.learn_runs(1).unwrap().runs.remove(0);
    assert_eq!(interrupted.state, RunState::Interrupted);
    let run = twin.learn();
    assert_eq!(run.state, RunState::Promoted, "{}", reasons(&run));
    assert_eq!(run.seed, interrupted.seed);
    // The exam draws too, with small seeds that every version gets.
    let is_rehearsed =
        |sampling: &Sampling| sampling.temperature > 0.0 && sampling.seed.is_none_or(|seed| seed > 4);
    let drawn = twin.engine.asked().into_iter().filter(|asked| is_rehearsed(&asked.sampling));
    assert_eq!(drawn.count(), 0, "what was rehearsed before is not drawn again");
    twin.served.stop();
}

#[test]
fn learning_begins_by_itself_when_it_may() {
    let twin = serve_in(home(), model(Candidate::Learned), |config| {
        let learn = &mut config.settings.learn;
        (learn.when, learn.on_battery, learn.max_load_percent) = (When::Always, true, 100);
    });
    let mut events = twin.served.client.events().unwrap();
    let lesson = twin.teach();
    let decided = events.find_map(|event| match event.unwrap() {
        LoopEvent::Decided { is_promoted, reasons, .. } => Some((is_promoted, reasons)),
        _ => None,
    });
    assert!(decided.as_ref().unwrap().0, "{decided:?}");
    assert_eq!(twin.state_of(lesson), State::Learned(V1));
    twin.served.stop();
}

#[test]
fn the_status_says_why_nothing_is_learned() {
    let twin = serve(Candidate::Learned);
    twin.served.client.wait_for_model().unwrap();
    until(|| twin.served.client.learn_status().unwrap().waits_for.is_some());
    let status = twin.served.client.learn_status().unwrap();
    assert!(status.waits_for.unwrap().contains("chela learn now"));
    assert_eq!((status.paused, status.running), (false, None));
    assert!(twin.served.client.pause_learning().unwrap().paused);
    assert!(!twin.served.client.resume_learning().unwrap().paused);
    twin.served.stop();
}

#[test]
fn with_the_dial_off_nothing_is_learned_even_on_request() {
    let twin = serve_in(home(), model(Candidate::Learned), |config| {
        config.settings.learn.dial = chela::config::Dial::Off;
    });
    let refused = twin.served.client.learn_now().unwrap_err();
    assert!(refused.to_string().contains("learning is off"), "{refused}");
    twin.served.stop();
}
