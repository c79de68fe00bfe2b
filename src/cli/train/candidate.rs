//! What was learned becomes a candidate on the shelf: the one place where `chela train` writes there.

use anyhow::bail;

use crate::cli::place::Place;
use crate::learn::TrainState;
use crate::learn::plan::Plan;
use crate::learn::run::Outcome;
use crate::model::Found;
use crate::turn::PolicyVersion;

/// Where an adapter comes from.
pub(super) struct Learned<'a> {
    pub(super) model: &'a Found,
    /// Of the model's files.
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
    bail!(
        "no shelf in {} for {} steps on {} ({}, {} examples, {:?} → {:?})",
        place.paths.data_dir.display(),
        state.step,
        learned.model.name,
        learned.sha256,
        learned.plan.training.n_examples(),
        learned.outcome.held_out_before,
        learned.outcome.held_out_after
    )
}
