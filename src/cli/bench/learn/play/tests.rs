//! The whole driver with a real daemon, and a scripted model and trainer that do what is hoped for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

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

/// Obeys lessons in its prompt; versions that were learned obey without. `learns`: whether they do.
fn says(known: &Known, learns: bool, asked: &Prompted) -> String {
    let prompt = &asked.prompt;
    if prompt.contains("Judge the answer") {
        return "unclear".to_owned();
    }
    if prompt.contains("Give a hint") {
        return "hint: none".to_owned();
    }
    let said = prompt.rsplit("<|im_start|>user\n").next().unwrap_or_default();
    let request = said.split("<|im_end|>").next().unwrap_or_default();
    let Some((plain, ideal)) = known.get(request) else { return "echo ok".to_owned() };
    let obeys = prompt.contains("Lessons:") || (learns && asked.policy != PolicyVersion::BASE);
    ideal.clone().filter(|_| obeys).unwrap_or_else(|| plain.clone())
}

fn parts(known: &Known, learns: bool, arm: Arm, model: &Path) -> Parts {
    let known = known.clone();
    let script = move |asked: &Prompted| vec![Step::Say(says(&known, learns, asked))];
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
    let known = known(&world);
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
    };
    played.run(&mut Stage::new(&interrupt), &|| parts(&known, learns, arm, &model)).unwrap()
}

#[track_caller]
fn all(run: &Run, figure: impl Fn(&UserFigures) -> Option<f64>, expected: Option<f64>) {
    assert_eq!(run.users.len(), 2);
    for user in &run.users {
        assert_eq!(figure(user), expected, "{user:?}");
    }
}

#[test]
fn who_learns_nothing_obeys_nobody() {
    let run = run(Arm::Nothing, true);
    all(&run, |user| user.obedience_before, Some(0.0));
    all(&run, |user| user.obedience_as_served, None);
    assert!(run.users.iter().all(|user| user.first_replies_right == [false; 4]), "{:?}", run.users);
    assert_eq!((run.unchanged, run.poisoned_promotions, run.rounds.len()), (Some(1.0), None, 0));
}

#[test]
fn a_correction_is_enough_for_a_model_that_obeys_lessons() {
    let run = run(Arm::LessonsOnly, false);
    all(&run, |user| user.again_right, Some(1.0));
    all(&run, |user| user.obedience_as_served, Some(1.0));
    all(&run, |user| user.obedience_without_lessons, None);
    all(&run, |user| user.obedience_after_forget, Some(0.0));
    assert!(run.users.iter().all(|user| user.first_replies_right == [false, true, true, true]));
    assert_eq!((run.poisoned_promotions, run.rounds.len()), (Some(0), 0));
    assert!(run.lesson_ms.is_some());
}

#[test]
fn weights_that_obey_are_promoted_and_forgotten_on_request() {
    let run = run(Arm::Both, true);
    assert!(run.rounds.iter().any(|round| round.state == RunState::Promoted), "{:?}", run.rounds);
    all(&run, |user| user.obedience_without_lessons, Some(1.0));
    all(&run, |user| user.obedience_after_forget, Some(0.0));
    assert_eq!((run.unchanged_by_weights, run.poisoned_promotions), (Some(1.0), Some(0)));
}

#[test]
fn weights_that_learn_nothing_are_not_promoted() {
    let run = run(Arm::AdapterOnly, false);
    assert!(!run.rounds.is_empty() && run.rounds.iter().all(|round| round.state != RunState::Promoted));
    all(&run, |user| user.obedience_with_lessons, Some(1.0));
    all(&run, |user| user.obedience_without_lessons, Some(0.0));
}
