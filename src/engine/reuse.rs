//! Which cached prefix a new prompt can start from. Pure; only `engine` uses it.

use super::Token;

/// What one sequence holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held<'a> {
    /// Tokens whose keys and values are in the cache, in order.
    pub(super) tokens: &'a [Token],
    /// Somebody's answer is being computed in it.
    pub(super) busy: bool,
    /// A number that grows with every use.
    pub(super) last_used: u64,
}

/// Where a new prompt goes, and what it can keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// The sequence to use; it is idle.
    pub(super) sequence: usize,
    /// How many tokens of the prompt are already computed.
    pub(super) n_cached: usize,
    /// The sequence they are shared from, when not `sequence` itself.
    pub(super) from: Option<usize>,
}

/// Continues the idle sequence that the prompt extends; else takes the one unused for longest and shares the longest
/// common prefix of any other. `allowed` are the sequences that may be taken. `None`: all are busy.
pub(super) fn start(held: &[Held], allowed: std::ops::Range<usize>, prompt: &[Token]) -> Option<Start> {
    // The last prompt token is always computed: its logits are the first choice.
    let reusable = prompt.len().saturating_sub(1);
    let common = |held: &Held| common_prefix(held.tokens, prompt).min(reusable);
    let idle = || held.iter().enumerate().filter(|(index, held)| allowed.contains(index) && !held.busy);
    let continued = idle()
        .map(|(index, held)| (common(held), index, held.tokens.len()))
        .filter(|&(n, _, len)| n > 0 && n * 2 >= len)
        .max_by_key(|&(n, index, _)| (n, std::cmp::Reverse(index)));
    if let Some((n_cached, sequence, _)) = continued {
        return Some(Start { sequence, n_cached, from: None });
    }
    let (sequence, _) = idle().min_by_key(|(_, held)| (!held.tokens.is_empty(), held.last_used))?;
    let source =
        held.iter().enumerate().map(|(index, held)| (common(held), index)).max().filter(|&(n, _)| n > 0);
    Some(match source {
        Some((n_cached, from)) if from == sequence => Start { sequence, n_cached, from: None },
        Some((n_cached, from)) => Start { sequence, n_cached, from: Some(from) },
        None => Start { sequence, n_cached: 0, from: None },
    })
}

pub(super) fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(tokens: &[Token], last_used: u64) -> Held<'_> {
        Held { tokens, busy: false, last_used }
    }

    fn busy(tokens: &[Token]) -> Held<'_> {
        Held { tokens, busy: true, last_used: 9 }
    }

    #[track_caller]
    fn check(held: &[Held], prompt: &[Token], expected: Option<(usize, usize, Option<usize>)>) {
        let start = start(held, 0..held.len(), prompt);
        assert_eq!(start.map(|start| (start.sequence, start.n_cached, start.from)), expected);
    }

    #[test]
    fn a_conversation_goes_on_where_it_was() {
        check(&[idle(&[7, 7], 2), idle(&[1, 2, 3], 1)], &[1, 2, 3, 4], Some((1, 3, None)));
    }

    #[test]
    fn the_last_prompt_token_is_always_computed() {
        check(&[idle(&[1, 2, 3], 1)], &[1, 2, 3], Some((0, 2, None)));
    }

    #[test]
    fn another_conversations_cache_is_not_given_up_for_a_short_common_start() {
        check(&[idle(&[1, 2, 3, 4, 5, 6], 2), idle(&[], 0)], &[1, 2, 9], Some((1, 2, Some(0))));
    }

    #[test]
    fn the_start_of_a_running_answer_can_be_shared() {
        check(&[busy(&[1, 2, 3, 4]), idle(&[], 0)], &[1, 2, 3, 8], Some((1, 3, Some(0))));
    }

    #[test]
    fn the_longest_unused_makes_room() {
        check(&[idle(&[5, 6, 7], 3), idle(&[8, 9, 8], 2)], &[1, 2], Some((1, 0, None)));
    }

    #[test]
    fn all_busy_means_wait() {
        check(&[busy(&[1]), busy(&[])], &[1, 2], None);
    }

    #[test]
    fn only_allowed_sequences_are_taken() {
        let held = [idle(&[1, 2], 1), idle(&[], 0)];
        assert_eq!(start(&held, 1..2, &[1, 2, 3]), Some(Start { sequence: 1, n_cached: 2, from: Some(0) }));
    }
}
