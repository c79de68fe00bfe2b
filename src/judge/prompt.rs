//! What the judge's model is shown: the messages of both jobs, in the form in which the starter model learned them. Pure.
//!
//! Everything that came from outside is in the user's message, so that control tokens in it are defused when the prompt
//! is written (`turn::prompt`).

use super::{Case, JudgeError};
use crate::turn::next_state::{CommandOutcome, NextState, ToolResult};
use crate::turn::{Message, Role};

const JUDGE: &str = include_str!("../../assets/prompts/judge.txt");
const HINT: &str = include_str!("../../assets/prompts/hint.txt");

/// The verdict words, in the order of [`super::Vote`]'s fields.
pub const WORDS: [&str; 3] = ["good", "bad", "unclear"];
/// An odd number of orders, so that no word is favoured by its place and a majority exists.
pub const ORDERS: [&str; 3] = ["good, bad or unclear", "bad, unclear or good", "unclear, good or bad"];
/// What stands where something was cut out.
const CUT: &str = " … ";
/// Of a text that is cut, this part of what is kept is its head; errors and refusals stand at the end.
const HEAD: (usize, usize) = (3, 5);

/// Asks for one of the words. `order`: one of [`ORDERS`]; `budget`: characters of the user's message.
pub fn judge(case: &Case<'_>, order: &str, budget: usize) -> Result<Vec<Message>, JudgeError> {
    let system = JUDGE.trim_end_matches('\n').replace("{options}", order);
    Ok(vec![Message::new(Role::System, system), Message::new(Role::User, body(case, budget)?)])
}

/// Asks for the hint.
pub fn hint(case: &Case<'_>, budget: usize) -> Result<Vec<Message>, JudgeError> {
    let system = HINT.trim_end_matches('\n');
    Ok(vec![Message::new(Role::System, system), Message::new(Role::User, body(case, budget)?)])
}

/// Request, answer and next state; each keeps what fits, and what one does not need the others get.
fn body(case: &Case<'_>, budget: usize) -> Result<String, JudgeError> {
    let next = shown(case.next)?;
    let texts = [case.request.trim(), case.answer.trim(), next.as_str()];
    let [request, answer, next_room] = shares(texts.map(|text| text.chars().count()), budget);
    let [request, answer, next] =
        [cut(case.request.trim(), request), cut(case.answer.trim(), answer), cut(&next, next_room)];
    let speaker = case.next.speaker();
    Ok(format!("Request: {request}\nAnswer: {answer}\nNext ({speaker}): {next}"))
}

/// The next state as text.
fn shown(next: &NextState) -> Result<String, JudgeError> {
    let text = match next {
        NextState::Reply { text } | NextState::Edit { text } => text.trim().to_owned(),
        NextState::Command(CommandOutcome { status, output, .. }) => {
            format!("exit {status}\n{output}").trim_end_matches('\n').to_owned()
        }
        NextState::Tools { results } => results.iter().map(result_text).collect::<Vec<_>>().join("\n"),
        NextState::Page { after, .. } => after.trim_end_matches('\n').to_owned(),
        NextState::Tests { report } => report.trim_end_matches('\n').to_owned(),
        NextState::Rating { good, note } => {
            let word = if *good { "good" } else { "bad" };
            note.as_deref().map_or_else(|| word.to_owned(), |note| format!("{word}, {}", note.trim()))
        }
        NextState::Closed { .. } => String::new(),
    };
    if text.is_empty() {
        return Err(JudgeError::Prompt("nothing followed the answer".to_owned()));
    }
    Ok(text)
}

fn result_text(result: &ToolResult) -> String {
    match result.status {
        Some(status) if result.content.trim().is_empty() => format!("status {status}"),
        _ => result.content.trim_end_matches('\n').to_owned(),
    }
}

/// Room for each of three texts: an equal share, and what shorter ones leave over.
fn shares(lens: [usize; 3], budget: usize) -> [usize; 3] {
    let mut order = [0, 1, 2];
    order.sort_by_key(|&at: &usize| lens.get(at).copied().unwrap_or(0));
    let mut shares = [0; 3];
    let mut left = budget;
    for (done, at) in order.into_iter().enumerate() {
        let share = lens.get(at).copied().unwrap_or(0).min(left / (3 - done));
        if let Some(slot) = shares.get_mut(at) {
            *slot = share;
        }
        left -= share;
    }
    shares
}

/// At most `limit` characters: head and tail of a longer text.
fn cut(text: &str, limit: usize) -> String {
    let n_chars = text.chars().count();
    if n_chars <= limit {
        return text.to_owned();
    }
    let Some(kept) = limit.checked_sub(CUT.chars().count()) else {
        return text.chars().take(limit).collect();
    };
    let head = kept * HEAD.0 / HEAD.1;
    let tail = kept - head;
    let start = text.chars().take(head);
    start.chain(CUT.chars()).chain(text.chars().skip(n_chars - tail)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::turn::next_state::Closing;

    fn user(next: &NextState) -> String {
        let case = Case { request: "list files", answer: "ls", next };
        judge(&case, ORDERS[0], 1000).unwrap().remove(1).content
    }

    #[track_caller]
    fn check(next: &NextState, expected: &str) {
        assert_eq!(user(next), format!("Request: list files\nAnswer: ls\nNext {expected}"));
    }

    fn command(status: i32, output: &str) -> NextState {
        let (command, output) = ("ls".to_owned(), output.to_owned());
        NextState::Command(CommandOutcome { command, status, pipeline: vec![], output, duration_ms: None })
    }

    fn reply(text: &str) -> NextState {
        NextState::Reply { text: text.to_owned() }
    }

    #[test]
    fn each_speaker_is_named() {
        check(&reply("thanks\n"), "(user): thanks");
        check(&NextState::Edit { text: "ls -a".into() }, "(edit): ls -a");
        check(&command(0, "a.txt\nb.txt\n"), "(shell): exit 0\na.txt\nb.txt");
        check(&command(127, ""), "(shell): exit 127");
        check(&NextState::Page { before: None, after: "Inbox (3)".into() }, "(page): Inbox (3)");
        check(&NextState::Tests { report: "3 passed\n".into() }, "(tests): 3 passed");
        check(&NextState::Rating { good: false, note: None }, "(user): bad");
        check(&NextState::Rating { good: true, note: Some("short".into()) }, "(user): good, short");
    }

    #[test]
    fn tool_results_stand_one_below_the_other() {
        let result = |content: &str, status| ToolResult { name: None, content: content.into(), status };
        check(
            &NextState::Tools { results: vec![result("ok", None), result("", Some(500))] },
            "(tool): ok\nstatus 500",
        );
    }

    #[test]
    fn where_nothing_followed_there_is_nothing_to_read() {
        for next in [NextState::Closed { by: Closing::Idle }, reply("  ")] {
            let case = Case { request: "a", answer: "b", next: &next };
            assert!(matches!(judge(&case, ORDERS[0], 100), Err(JudgeError::Prompt(_))));
        }
    }

    #[test]
    fn the_system_message_is_the_trained_one() {
        let next = reply("no");
        let case = Case { request: "a", answer: "b", next: &next };
        let system = |messages: Vec<Message>| (messages[0].role, messages[0].content.clone());
        let asked = judge(&case, ORDERS[1], 100).unwrap();
        assert_eq!(system(asked), (Role::System, "Judge the answer: bad, unclear or good.".to_owned()));
        let asked = hint(&case, 100).unwrap();
        assert_eq!(system(asked), (Role::System, "Give a hint for next time.".to_owned()));
    }

    #[test]
    fn orders_give_each_word_each_place_once() {
        for word in WORDS {
            let mut places: Vec<usize> = ORDERS
                .iter()
                .map(|order| {
                    order.split([',', ' ']).filter(|w| !w.is_empty() && *w != "or").position(|w| w == word)
                })
                .map(Option::unwrap)
                .collect();
            places.sort_unstable();
            assert_eq!(places, [0, 1, 2]);
        }
    }

    #[test]
    fn a_long_text_keeps_its_head_and_its_tail() {
        assert_eq!(cut("0123456789", 10), "0123456789");
        assert_eq!(cut("0123456789abcdef", 13), "012345 … cdef");
        assert_eq!(cut("äöüßäöüß", 2), "äö");
    }

    #[test]
    fn what_short_texts_leave_goes_to_the_long_one() {
        assert_eq!(shares([10, 20, 1000], 300), [10, 20, 270]);
        assert_eq!(shares([1000, 20, 1000], 300), [140, 20, 140]);
        assert_eq!(shares([1, 2, 3], 300), [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn the_budget_holds_for_any_text(request in ".{0,80}", answer in "\\PC{0,200}", text in "\\PC{1,200}x", budget in 0_usize..400) {
            let next = NextState::Reply { text };
            let made = judge(&Case { request: &request, answer: &answer, next: &next }, ORDERS[0], budget).unwrap();
            let frame = "Request: \nAnswer: \nNext (user): ".chars().count();
            prop_assert!(made[1].content.chars().count() <= budget + frame);
        }
    }
}
