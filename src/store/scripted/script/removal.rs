//! What the twin forgets by the piece: what later entries could be refused for.

use super::Script;
use crate::store::Removal;

impl Script {
    pub(super) fn remove(&mut self, removal: &Removal) {
        match removal {
            Removal::States { states, until } => {
                // From the last place on, so that the places before it stay what they are.
                for (turn, place) in states.iter().rev() {
                    let followed = self.followed.entry(*turn).or_default();
                    let place = usize::try_from(*place).unwrap_or(usize::MAX);
                    if followed.get(place).is_some_and(|(_, at)| at <= until) {
                        followed.remove(place);
                        self.verdicts.remove(turn);
                    }
                }
            }
            Removal::Turns { first, last, .. } => {
                let goes = first..=last;
                self.turns.retain(|turn, _| !goes.contains(&turn));
                self.parents.retain(|turn, parent| !goes.contains(&turn) && !goes.contains(&&*parent));
                self.emptied.retain(|turn| !goes.contains(&turn));
                self.uses.retain(|(turn, _)| !goes.contains(&turn));
                self.samples.retain(|(_, sample)| !sample.turn.is_some_and(|turn| goes.contains(&&turn)));
                self.verdicts.retain(|turn, _| !goes.contains(&turn));
                self.followed.retain(|turn, _| !goes.contains(&turn));
            }
            Removal::Rest { .. } => {
                self.runs.retain(|_, run| run.is_open);
                self.served.clear();
                self.excluded.clear();
            }
            // Of rows' words the twin knows nothing.
            Removal::Words(_)
            | Removal::Sessions { .. }
            | Removal::Folders(_)
            | Removal::Index { .. }
            | Removal::Compact => {}
        }
    }
}
