//! `chela bench learn`: people who do not exist, with wishes that can be checked, use chela; how soon and how well does
//! it follow them, and what does that cost?
//!
//! The daemon, the model, the trainer and the gate are the real ones, in a home of their own that is removed afterwards.
//! Who the users are, what they ask, what they think of an answer and how they say it is pure and decided by a seed. The
//! policy and the loop get nothing but what a person would type; preferences, checks and marks never reach them.

mod checks;
mod course;
mod exam;
mod home;
mod interrupt;
mod metrics;
mod play;
mod preferences;
mod replies;
mod report;
mod shell_words;
mod tables;
mod tasks;
mod users;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use super::report::machine;
use crate::cli::place::Place;
use crate::cli::served::Parts;
use crate::cli::{Exit, loading, output};
use crate::config::{Dial, Learning, Settings, When};
use crate::daemon;
use crate::learn::TrainSettings;
use course::CourseChanges;
use interrupt::Interrupt;
use play::{Played, Stage};
use report::{Arm, Report, Run};
use tables::print;
use users::World;

/// Longest prompt and answer together, in tokens; nothing here is long.
const CONTEXT: usize = 2048;

#[derive(Debug, Args)]
#[command(
    after_help = "Arms: nothing (served only), lessons-only (in the prompt), adapter-only (in the weights, no prompt has \
    a lesson), both (the product), raw-follow-up (weights learn from what the user typed instead of a lesson drawn from \
    it). Held-out requests are never asked in a session. \"lessons\" is what the base does with the lessons in its \
    prompt: the most that weights can learn from them. \"weights\" is the promoted version without any lesson. \
    \"forgotten\": every lesson taken back and the base chosen. Where wishes are as many as --lessons they are \
    drawn anew for each seed."
)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(in crate::cli) struct LearnBench {
    /// Only these arms
    #[arg(long = "arm", value_name = "NAME", value_enum, value_delimiter = ',')]
    arms: Vec<Arm>,
    /// Runs of each arm, each with other wishes, requests and words
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Wishes of a run's steady user
    #[arg(long, value_name = "N", default_value_t = 8)]
    lessons: usize,
    /// Only these wishes, e.g. rg,doas,podman
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    wishes: Vec<String>,
    /// Sessions for each wish; weights learn after each round of them
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    sessions: u16,
    /// Of a steady user's reactions, how many in a hundred are wrong
    #[arg(long, value_name = "PERCENT", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=100))]
    wrong: u64,
    /// Users type the lesson itself (`chela teach`) where they would correct
    #[arg(long)]
    teach: bool,
    /// Leave out users who are fickle, contradict themselves, or are content with nothing
    #[arg(long)]
    only_steady: bool,
    /// One seed, three wishes that the starter can follow, three sessions, two arms
    #[arg(long, conflicts_with_all = ["seeds", "lessons", "wishes", "sessions", "arms"])]
    quick: bool,
    /// How boldly weights learn
    #[arg(long, value_name = "DIAL", default_value = "careful", value_parser = ["careful", "eager"])]
    dial: String,
    /// Leave a backup of each steady user's ledger here, as it is before all is forgotten: `chela restore FILE`
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    course: CourseChanges,
    /// A model's name or path [default: the one in use]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    #[arg(long)]
    json: bool,
}

impl LearnBench {
    fn arms(&self) -> Vec<Arm> {
        match (&self.arms[..], self.quick) {
            (_, true) => vec![Arm::Nothing, Arm::Both],
            ([], false) => vec![Arm::Nothing, Arm::LessonsOnly, Arm::AdapterOnly, Arm::Both],
            (arms, false) => arms.to_vec(),
        }
    }

    fn seeds(&self) -> std::ops::RangeInclusive<u64> {
        1..=if self.quick { 1 } else { self.seeds }
    }

    fn world(&self) -> anyhow::Result<World> {
        let mut world = World::load()?;
        let quick = ["rg", "doas", "podman"].map(str::to_owned);
        let wanted: BTreeSet<&String> =
            if self.quick { quick.iter().collect() } else { self.wishes.iter().collect() };
        if wanted.is_empty() {
            return Ok(world);
        }
        for id in &wanted {
            let known: Vec<&str> = world.preferences.iter().map(|one| one.id.as_str()).collect();
            ensure!(known.contains(&id.as_str()), "there is no wish {id}; there are {}", known.join(", "));
        }
        world.preferences.retain(|preference| wanted.contains(&preference.id));
        Ok(world)
    }

    fn played<'a>(&'a self, world: &'a World, arm: Arm, seed: u64) -> Played<'a> {
        Played {
            world,
            arm,
            seed,
            n_wishes: self.lessons,
            n_sessions: if self.quick { 3 } else { usize::from(self.sessions) },
            wrong_percent: self.wrong,
            teaches: self.teach,
            only_steady: self.only_steady || self.quick,
            keep: self.keep.as_deref(),
        }
    }

    /// The user's own machine settings, and nothing else of theirs.
    fn settings(&self, own: &Settings, arm: Arm) -> Settings {
        let dial = match self.dial.as_str() {
            _ if arm == Arm::Nothing => Dial::Off,
            "eager" => Dial::Eager,
            _ => Dial::Careful,
        };
        let mut model = own.model.clone();
        model.context = CONTEXT;
        if let Some(name) = &self.model {
            model.name.clone_from(name);
        }
        Settings {
            model,
            engine: own.engine.clone(),
            learn: Learning { dial, when: When::Asked, ..Learning::default() },
            ..Settings::default()
        }
    }

    fn parts(&self, place: &Place, own: &Settings, arm: Arm) -> Parts {
        let (settings, changes) = (self.settings(own, arm), self.course.clone());
        Parts {
            loader: loading::loader(place, &settings),
            // Somebody waits for it here: what else the machine does is not to be measured.
            trainer: Box::new(|settings, start| {
                let settings = TrainSettings { lowest_priority: false, ..settings.clone() };
                daemon::local_trainer()(&settings, start)
            }),
            course: Box::new(move |dial, n_params| {
                crate::learn::dial::course(dial, n_params).map(|course| changes.applied_to(course))
            }),
            settings,
        }
    }
}

pub(super) fn run(place: &Place, bench: &LearnBench) -> anyhow::Result<Exit> {
    let own = place.prepare()?;
    let interrupt = Interrupt::listen()?;
    match measured(place, bench, &own, &interrupt) {
        Ok(report) => {
            if bench.json {
                output::json(&report)?;
            } else {
                print(&report)?;
            }
            Ok(Exit::Done)
        }
        Err(_) if interrupt.is_wanted() => {
            output::note("interrupted; nothing is left behind");
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error),
    }
}

fn measured(
    place: &Place,
    bench: &LearnBench,
    own: &Settings,
    interrupt: &Interrupt,
) -> anyhow::Result<Report> {
    let world = bench.world()?;
    let mut stage = Stage::new(interrupt);
    let mut runs: Vec<Run> = Vec::new();
    for seed in bench.seeds() {
        for arm in bench.arms() {
            let played = bench.played(&world, arm, seed);
            runs.push(played.run(&mut stage, &|| bench.parts(place, own, arm))?);
        }
    }
    Ok(Report::new(&machine(), &stage.model, runs))
}
