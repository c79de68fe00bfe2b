//! What was learned becomes a candidate on the shelf: the one place where `chela train` writes there.

use crate::adapter::manifest::{Made, Training};
use crate::adapter::shelf::NewVersion;
use crate::adapter::{Base, Shelf};
use crate::cli::place::Place;
use crate::learn::TrainState;
use crate::learn::plan::Plan;
use crate::learn::run::Outcome;
use crate::model::Found;
use crate::turn::PolicyVersion;

/// Where an adapter comes from.
pub(super) struct Learned<'a> {
    pub(super) model: &'a Found,
    /// Of the model file.
    pub(super) sha256: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) outcome: Outcome,
}

/// Returns the version that the candidate got.
pub(super) fn put_on_shelf(
    place: &Place,
    state: &TrainState,
    learned: &Learned,
) -> anyhow::Result<PolicyVersion> {
    let training = Training {
        samples_sha256: learned.plan.fingerprint().to_owned(),
        n_samples: u64::try_from(learned.plan.training.n_examples()).unwrap_or(u64::MAX),
        steps: state.step,
        held_out_before: learned.outcome.held_out_before,
        held_out_after: learned.outcome.held_out_after,
        ..Training::default()
    };
    let new = NewVersion {
        parent: PolicyVersion::BASE,
        base: Base {
            name: learned.model.name.clone(),
            sha256: learned.sha256.to_owned(),
            architecture: state.adapter.architecture.clone(),
        },
        made: Made::Train(training),
        created_at: jiff::Timestamp::now().as_second(),
    };
    Ok(Shelf::new(&place.paths.adapters_dir()).create(&new, &state.adapter, None)?.version)
}
