//! The judge's scripted twin: votes and hints as it is told, for tests of what stands above. It reads nothing.

use super::prompt::ORDERS;
use super::{Case, Judge, JudgeError, Vote};

/// Chooses the votes of a case.
pub type VoteScript = Box<dyn FnMut(&Case<'_>) -> Result<Vec<Vote>, JudgeError> + Send>;
/// Chooses the hint of a case.
pub type HintScript = Box<dyn FnMut(&Case<'_>) -> Result<Option<String>, JudgeError> + Send>;

/// See the module's page.
pub struct Scripted {
    votes: VoteScript,
    hint: HintScript,
    /// How often each was asked.
    pub n_votes: usize,
    pub n_hints: usize,
}

impl Scripted {
    pub fn new(votes: VoteScript, hint: HintScript) -> Self {
        Self { votes, hint, n_votes: 0, n_hints: 0 }
    }

    /// Gives every case these probabilities of good, bad and unclear in each order, and this hint.
    pub fn saying(probabilities: [f32; 3], hint: Option<&str>) -> Self {
        let [good, bad, unclear] = probabilities;
        let vote = move |order: &str| Vote { order: order.to_owned(), good, bad, unclear };
        let hint = hint.map(str::to_owned);
        Self::new(Box::new(move |_| Ok(ORDERS.map(vote).to_vec())), Box::new(move |_| Ok(hint.clone())))
    }

    /// Fails whatever it is asked.
    pub fn failing(error: JudgeError) -> Self {
        let again = error.clone();
        Self::new(Box::new(move |_| Err(error.clone())), Box::new(move |_| Err(again.clone())))
    }
}

impl Judge for Scripted {
    fn votes(&mut self, case: &Case<'_>) -> Result<Vec<Vote>, JudgeError> {
        self.n_votes += 1;
        (self.votes)(case)
    }

    fn hint(&mut self, case: &Case<'_>) -> Result<Option<String>, JudgeError> {
        self.n_hints += 1;
        (self.hint)(case)
    }
}
