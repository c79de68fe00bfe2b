//! The whole driver with a real daemon, and a scripted model and trainer that do what is hoped for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::{Dial, Learning, Settings, When};
use crate::daemon;
use crate::engine::Engine;
use crate::engine::scripted::{Asked as Prompted, Scripted, Step};
use crate::learn::Start;
use crate::learn::scripted::Scripted as ScriptedTrainer;
use crate::store::RunState;
use crate::turn::PolicyVersion;

/// What a request is answered with, plainly and as the wish has it.
type Known = BTreeMap<String, (String, Option<String>)>;

fn small_world() -> World {
    let mut world = World::load().unwrap();
    world.preferences.retain(|preference| ["rg", "podman"].contains(&preference.id.as_str()));
    world
}

fn known(world: &World) -> Known {
    let mut known = Known::new();
    for wish in &world.preferences {
        for task in world.tasks.group(&wish.group).all() {
            known.insert(task.request.clone(), (task.plain.clone(), wish.ideal(task)));
        }
    }
    for task in world.tasks.neutral().all() {
        known.insert(task.request.clone(), (task.plain.clone(), None));
    }
    known
}

/// A model that obeys lessons in its prompt.
struct Pupil {
    known: Known,
    /// Whether the versions after the base obey without them.
    learns: bool,
    /// Other requests that it was asked with a lesson in the prompt, and what it answered then.
    practised: Mutex<BTreeMap<String, &'static str>>,
}

impl Pupil {
    fn says(&self, asked: &Prompted) -> String {
        let prompt = &asked.prompt;
        if prompt.contains("Judge the answer") {
            return "unclear".to_owned();
        }
        if prompt.contains("Give a hint") {
            return "hint: none".to_owned();
        }
        let said = prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
        let request = said.split("<|im_end|>").next().unwrap_or_default();
        let lessons = prompt.split_once("Lessons:").map(|(_, rest)| rest.split("<|im_end|>").next().unwrap());
        let obeys = lessons.is_some() || (self.learns && asked.policy != PolicyVersion::BASE);
        if let Some((plain, ideal)) = self.known.get(request) {
            return ideal.clone().filter(|_| obeys).unwrap_or_else(|| plain.clone());
        }
        let mut practised = self.practised.lock().unwrap();
        if let Some(lessons) = lessons {
            let answer = if lessons.contains("rg") { "rg x" } else { "podman ps" };
            practised.insert(request.to_owned(), answer);
        }
        practised.get(request).filter(|_| obeys).copied().unwrap_or_else(|| usual(request)).to_owned()
    }
}

/// What the base says: the old tools where a request sounds like them.
fn usual(request: &str) -> &'static str {
    let request = request.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| request.contains(word));
    if has(&["container", "docker", "image", "compose", "registry", "volume"]) {
        "docker ps"
    } else if has(&[
        "search", "grep", "line", "mention", "occur", "match", "contain", "where", "has", "have", "look",
    ]) {
        "grep x"
    } else {
        "echo ok"
    }
}

fn parts(pupil: &Arc<Pupil>, arm: Arm, model: &Path) -> Parts {
    let pupil = Arc::clone(pupil);
    let script = move |asked: &Prompted| vec![Step::Say(pupil.says(asked))];
    let engine = Arc::new(Scripted::new("scripted", 4096, Box::new(script)).from_file(model));
    let dial = if arm == Arm::Nothing { Dial::Off } else { Dial::Careful };
    Parts {
        settings: Settings {
            learn: Learning { dial, when: When::Asked, ..Learning::default() },
            ..Settings::default()
        },
        loader: Box::new(move |_| Ok(Arc::clone(&engine) as Arc<dyn Engine>)),
        trainer: Box::new(|_, start| {
            Ok(Box::new(match start {
                Start::Resume(state) => ScriptedTrainer::from_state(state),
                _ => ScriptedTrainer::new(),
            }))
        }),
        course: daemon::usual_course(),
    }
}

fn run(arm: Arm, learns: bool) -> Run {
    let world = small_world();
    let pupil = Arc::new(Pupil { known: known(&world), learns, practised: Mutex::default() });
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.gguf");
    std::fs::write(&model, b"scripted").unwrap();
    let interrupt = Interrupt::default();
    let played = Played {
        world: &world,
        arm,
        seed: 1,
        n_wishes: 2,
        n_sessions: 4,
        wrong_percent: 0,
        teaches: false,
        only_steady: true,
        keep: None,
    };
    played.run(&mut Stage::new(&interrupt), &|| parts(&pupil, arm, &model)).unwrap()
}

/// Of both users. Not every request gets the lessons that it should, so figures may be a little below 1.
#[track_caller]
fn each(run: &Run, figure: impl Fn(&UserFigures) -> Option<f64>, least: f64, most: f64) {
    assert_eq!(run.users.len(), 2);
    for user in &run.users {
        assert!(figure(user).is_some_and(|figure| (least..=most).contains(&figure)), "{user:?}");
    }
}

#[test]
fn who_learns_nothing_obeys_nobody() {
    let run = run(Arm::Nothing, true);
    each(&run, |user| user.obedience_before, 0.0, 0.0);
    assert!(run.users.iter().all(|user| user.first_replies_right == [false; 4]), "{:?}", run.users);
    assert!(run.users.iter().all(|user| user.obedience_as_served.is_none()), "{:?}", run.users);
    assert_eq!((run.unchanged, run.poisoned_promotions, run.rounds.len()), (Some(1.0), None, 0));
}

#[test]
fn a_correction_is_enough_for_a_model_that_obeys_lessons() {
    let run = run(Arm::LessonsOnly, false);
    assert!(
        run.users.iter().any(|user| user.again_right.is_some_and(|share| share > 0.4)),
        "{:?}",
        run.users
    );
    each(&run, |user| user.obedience_as_served, 0.8, 1.0);
    each(&run, |user| user.obedience_after_forget, 0.0, 0.0);
    for user in &run.users {
        assert_eq!(user.first_replies_right.get(..2), Some(&[false, true][..]), "{user:?}");
        assert_eq!(user.obedience_without_lessons, None);
    }
    assert_eq!((run.poisoned_promotions, run.rounds.len()), (Some(0), 0));
    assert!(run.lesson_ms.is_some());
}

#[test]
fn weights_that_obey_are_promoted_and_forgotten_on_request() {
    let run = run(Arm::Both, true);
    assert!(run.rounds.iter().any(|round| round.state == RunState::Promoted), "{:#?}", run.rounds);
    each(&run, |user| user.obedience_without_lessons, 1.0, 1.0);
    each(&run, |user| user.obedience_after_forget, 0.0, 0.0);
    assert_eq!((run.unchanged_by_weights, run.poisoned_promotions), (Some(1.0), Some(0)));
}

#[test]
fn weights_that_learn_nothing_are_not_promoted() {
    let run = run(Arm::AdapterOnly, false);
    assert!(!run.rounds.is_empty() && run.rounds.iter().all(|round| round.state != RunState::Promoted));
    each(&run, |user| user.obedience_with_lessons, 0.8, 1.0);
    each(&run, |user| user.obedience_without_lessons, 0.0, 0.0);
}
