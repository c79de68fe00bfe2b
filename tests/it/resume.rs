//! Training that is interrupted: a run that goes on has the numbers of one that was never stopped, bit for bit.

use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use chela::learn::chat_sample::Example;
use chela::learn::checkpoint::{self, Checkpoint, Identity};
use chela::learn::optimizer::AdamWSettings;
use chela::learn::plan::{Examples, Plan, PlanSettings};
use chela::learn::run::{Outcome, Rhythm, Surroundings, TrainEvent, run};
use chela::learn::{LocalTrainer, Pace, Start, TrainError, TrainSettings, TrainState, Trainer};
use serde_json::Value;

use crate::cli::{Home, stderr, stdout};
use crate::parity::fixture::Fixture;

const FRESH: Start = Start::Fresh { rank: 3, alpha: 6.0, seed: 9 };
const STEPS: u64 = 7;

/// A rate that changes from step to step, so that a lost step number shows.
fn open(model: &Path, start: Start) -> LocalTrainer {
    let settings = TrainSettings {
        model: model.to_owned(),
        threads: 2,
        memory_bytes: 1 << 30,
        kernels: None,
        optimizer: AdamWSettings { warmup_steps: 3, total_steps: Some(STEPS), ..AdamWSettings::default() },
        lowest_priority: false,
    };
    LocalTrainer::open(&settings, start).unwrap()
}

/// Steps, and all numbers bit by bit: `==` does not tell 0 from −0.
fn bits(state: &TrainState) -> (u64, Vec<u32>) {
    let matrices = state.adapter.pairs.values().flat_map(|pair| [&pair.a, &pair.b]);
    let numbers = matrices.chain([&state.first_moment, &state.second_moment]).flatten();
    (state.step, numbers.map(|number| number.to_bits()).collect())
}

fn saved_and_loaded(state: &TrainState) -> TrainState {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let identity = Identity::from([("model".to_owned(), "fixture".to_owned())]);
    checkpoint::save(&path, &identity, Some(1.25), state).unwrap();
    Checkpoint::load(&path, &identity).unwrap().state
}

#[test]
fn a_run_in_two_pieces_has_the_bits_of_one_in_one() {
    for name in ["llama-linear", "qwen2", "qwen3"] {
        let fixture = Fixture::read(name);
        let mut whole = open(&fixture.model, FRESH);
        let mut piece = open(&fixture.model, FRESH);
        for step in 0..STEPS {
            // Batches differ, so that their order counts.
            let at = usize::try_from(step).unwrap() % fixture.samples.len();
            let batch = &fixture.samples[at..=at];
            let one = whole.step(batch, &Pace::default()).unwrap();
            assert_eq!(one, piece.step(batch, &Pace::default()).unwrap(), "{name}, step {step}");
            piece = open(&fixture.model, Start::Resume(saved_and_loaded(&piece.state())));
        }
        assert!(bits(&whole.state()) == bits(&piece.state()), "{name}");
    }
}

fn plan() -> Plan {
    let mut examples = Examples::default();
    for line in 0..12 {
        let token = |at: u64| i32::try_from(3 + (line * 7 + at * 11) % 250).unwrap();
        let (prompt, answer) =
            ((0..3 + line % 4).map(token).collect(), (9..13 + line % 3).map(token).collect());
        examples.push(&Example { line: line + 1, prompt, answer });
    }
    Plan::new(examples, PlanSettings { epochs: 2, batch: 3, seed: 5, hold_out: 0.2 }).unwrap()
}

/// Runs the plan and stops it after `last` steps; each save goes to `saves`.
fn run_until(trainer: &mut LocalTrainer, before: Option<f64>, last: u64, saves: &Path) -> Outcome {
    let rhythm = Rhythm { look_every: 2, save_every: 3, save_every_s: f64::INFINITY, answers_at_once: 2 };
    let steps = Cell::new(0);
    let mut around = Surroundings {
        pace: &Pace::default(),
        stop: &|| steps.get() >= last,
        now: &|| 0.0,
        events: &mut |event| {
            if let TrainEvent::Stepped(progress) = event {
                steps.set(progress.report.step);
            }
        },
        save: &mut |state, before| {
            checkpoint::save(saves, &Identity::new(), before, state).map_err(|error| TrainError::Io {
                path: saves.to_owned(),
                source: std::io::Error::other(error),
            })
        },
    };
    run(trainer, &plan(), rhythm, before, &mut around).unwrap()
}

#[test]
fn a_stopped_plan_ends_where_an_unstopped_one_does() {
    let fixture = Fixture::read("qwen2");
    let folder = tempfile::tempdir().unwrap();
    let saves = folder.path().join("state");
    let total = plan().total_steps();
    let mut whole = open(&fixture.model, FRESH);
    let expected = run_until(&mut whole, None, u64::MAX, &saves);
    assert!(expected.is_complete && expected.held_out_before.is_some());
    for stop_after in 1..total {
        let mut first = open(&fixture.model, FRESH);
        let stopped = run_until(&mut first, None, stop_after, &saves);
        assert_eq!((stopped.steps, stopped.is_complete), (stop_after, false));
        let checkpoint = Checkpoint::load(&saves, &Identity::new()).unwrap();
        assert_eq!(checkpoint.state.step, stop_after);
        let mut second = open(&fixture.model, Start::Resume(checkpoint.state));
        assert_eq!(run_until(&mut second, checkpoint.held_out_before, u64::MAX, &saves), expected);
        assert!(bits(&second.state()) == bits(&whole.state()), "stopped after {stop_after}");
    }
}

#[test]
fn a_cancelled_step_changes_no_bit() {
    let fixture = Fixture::read("qwen3");
    let mut trainer = open(&fixture.model, FRESH);
    trainer.step(&fixture.samples, &Pace::default()).unwrap();
    // The switch is thrown after more and more spinning, so somewhere in the step; wherever that is, it counts whole
    // or not at all.
    for spin in 0..60_u32 {
        let (before, pace) = (trainer.state(), Pace::default());
        let outcome = std::thread::scope(|scope| {
            let (go, gone) = mpsc::channel();
            let switch = pace.clone();
            scope.spawn(move || {
                gone.recv().unwrap();
                (0..spin * 200_000).for_each(|turn| {
                    std::hint::black_box(turn);
                });
                switch.cancel();
            });
            go.send(()).unwrap();
            trainer.step(&fixture.samples, &pace)
        });
        match outcome {
            Err(TrainError::Cancelled) => {
                assert!(bits(&trainer.state()) == bits(&before), "cancelled after {spin}");
                let mut other = open(&fixture.model, Start::Resume(before));
                let expected = other.step(&fixture.samples, &Pace::default()).unwrap();
                assert_eq!(trainer.step(&fixture.samples, &Pace::default()).unwrap(), expected);
            }
            outcome => assert_eq!(outcome.unwrap().step, before.step + 1),
        }
    }
    let switched_before = Pace::default();
    switched_before.cancel();
    let before = trainer.state();
    let outcome = trainer.step(&fixture.samples, &switched_before);
    assert!(matches!(outcome, Err(TrainError::Cancelled)));
    assert!(bits(&trainer.state()) == bits(&before));
}

#[test]
fn pauses_change_no_number() {
    let fixture = Fixture::read("qwen2");
    let (mut paused, mut straight) = (open(&fixture.model, FRESH), open(&fixture.model, FRESH));
    for _ in 0..5 {
        let expected = straight.step(&fixture.samples, &Pace::default()).unwrap();
        let pace = Pace::default();
        pace.pause();
        let (sender, ended) = mpsc::channel();
        std::thread::scope(|scope| {
            let (trainer, pace_of_step, samples) = (&mut paused, pace.clone(), &fixture.samples);
            scope.spawn(move || sender.send(trainer.step(samples, &pace_of_step)).unwrap());
            // However long one waits, a paused step does not end.
            let waited = ended.recv_timeout(Duration::from_millis(20));
            assert!(matches!(waited, Err(RecvTimeoutError::Timeout)));
            let report = loop {
                pace.resume();
                match ended.try_recv() {
                    Err(TryRecvError::Empty) => pace.pause(),
                    ended => break ended.unwrap().unwrap(),
                }
            };
            assert_eq!(report, expected);
        });
    }
    assert!(bits(&paused.state()) == bits(&straight.state()));
}

/// `chela train` on a few lines with the starter model, saving after each step.
fn arguments(home: &Home) -> Vec<String> {
    let path = home.path().join("lessons.jsonl");
    let line = |n: usize| format!(r#"{{"prompt":"show file {n}","completion":"cat file{n}.txt"}}"#);
    std::fs::write(&path, (0..6).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    let options =
        "--epochs 4 --batch 2 --rank 2 --hold-out 0 --save-every 0 --threads 1 --memory 1024 --json";
    let mut arguments = vec!["train".to_owned(), path.to_string_lossy().into_owned()];
    arguments.extend(options.split(' ').map(str::to_owned));
    arguments
}

/// Runs to the end; returns what it said and the adapter.
fn train(home: &Home, more: &[&str]) -> (String, Vec<u8>) {
    let arguments = arguments(home);
    let output = home.run(&[&arguments.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    (stdout(&output), std::fs::read(adapter(&home.path())).unwrap())
}

/// The one adapter below a folder.
fn adapter(below: &Path) -> PathBuf {
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_name() == "adapter.gguf" {
                return entry.path();
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    panic!("no adapter below {}", below.display());
}

/// Kills the run as soon as it has said that this step is saved.
fn killed_after(home: &Home, step: u64) {
    let arguments = arguments(home);
    let mut command = home.chela(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let said = format!(r#"{{"event":"saved","step":{step}}}"#);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == said), "the run ended without saving step {step}");
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(9),
        "it was too fast to be killed"
    );
}

#[test]
fn a_killed_run_goes_on_to_the_same_adapter() {
    let (undisturbed, disturbed) = (Home::new(), Home::new());
    let (_, expected) = train(&undisturbed, &[]);
    killed_after(&disturbed, 2);
    let (said, found) = train(&disturbed, &["--resume"]);
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().find(|event| event["event"] == name).unwrap();
    let resumed_after = of("resumed")["step"].as_u64().unwrap();
    assert!(resumed_after >= 2);
    assert_eq!(of("step")["step"], resumed_after + 1, "what was saved is not done again");
    assert!(found == expected, "the adapter of the killed run is another one");
}
