//! Which tokens of an answer learning would push: the teacher with the lesson in its prompt against the answer as it was
//! sampled, through the daemon with a scripted engine that says what each token's probability is.

use std::sync::Arc;

use chela::client::ClientError;
use chela::daemon::wire::credit::{Credit, CreditBy};
use chela::daemon::wire::{Rate, Teach};
use chela::engine::scripted::{Asked, Scripted, Step};
use chela::lesson::{LessonId, Scope};
use chela::turn::{PolicyVersion, SessionId, TurnId};
use tempfile::TempDir;

use crate::served::{Served, home, loader_of, loader_of_many, request, serve_from};
use crate::teaching::ask;

const LESSON: &str = "use rg instead of grep";

/// With the lesson in its prompt the model would not say grep, and would sooner say what it looks for.
fn engine(name: &str, n_ctx: usize) -> Arc<Scripted> {
    let script = |asked: &Asked| {
        if asked.prompt.contains("Judge the answer") {
            return vec![Step::Say("unclear".to_owned())];
        }
        let tokens = [("grep", -0.5), (" -r", -1.0), (" todo", -0.5), (" src", -0.5)];
        tokens.iter().map(|(text, logprob)| Step::SayAt((*text).to_owned(), *logprob)).collect()
    };
    let scores = |prompt: &str, tokens: &[String]| {
        let of = |token: &String| match (prompt.contains(LESSON), token.as_str()) {
            (true, "grep") => -4.0,
            (true, " todo") => -0.25,
            (_, " -r") => -1.0,
            _ => -0.5,
        };
        tokens.iter().map(of).collect()
    };
    Arc::new(Scripted::new(name, n_ctx, Box::new(script)).scoring(Box::new(scores)))
}

fn serve_at(home: TempDir, name: &str, n_ctx: usize) -> Served {
    serve_from(home, loader_of(engine(name, n_ctx)))
}

fn teach(served: &Served, turn: Option<TurnId>) -> LessonId {
    let teach = Teach { text: LESSON.into(), scope: Some(Scope::Global), turn };
    served.client.teach(&teach).unwrap().id
}

fn credits(credit: &Credit) -> Vec<(&str, f32)> {
    credit.tokens.iter().map(|token| (token.text.as_str(), token.credit)).collect()
}

#[track_caller]
fn refusal(outcome: Result<Credit, ClientError>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn the_teacher_says_which_tokens_should_have_been_others() {
    let served = serve_at(home(), "scripted", 4096);
    let (turn, _) = ask(&served, &request("search src for todo"));
    let lesson = teach(&served, Some(turn));
    let credit = served.client.credit(turn, Some(lesson)).unwrap();
    let by =
        CreditBy::Lessons { texts: vec![LESSON.into()], student: PolicyVersion::BASE, is_recorded: true };
    assert_eq!((&credit.by, credit.gap), (&by, 1.0));
    // What the teacher does not want is clipped as training clips it.
    assert_eq!(credits(&credit), [("grep", -1.0), (" -r", 0.0), (" todo", 0.25), (" src", 0.0)]);
    let first = &credit.tokens[0];
    assert_eq!((first.student, first.teacher), (Some(-0.5), Some(-4.0)));
    assert_eq!(first.figures(), "-3.50 → -1.00 (-4.00 less -0.50)");
    let marked: String = credit.marked().into_iter().map(|(_, text)| text).collect();
    assert_eq!(marked, "-[grep] -r todo src");
    // A lesson that was drawn from the turn is found without its number.
    assert_eq!(served.client.credit(turn, None).unwrap(), credit);
    served.stop();
}

#[test]
fn an_answer_to_a_prompt_with_lessons_is_read_again_without_them() {
    let served = serve_at(home(), "scripted", 4096);
    let lesson = teach(&served, None);
    let (turn, used) = ask(&served, &request("search src for todo"));
    assert_eq!(used, [LESSON]);
    let credit = served.client.credit(turn, Some(lesson)).unwrap();
    assert!(matches!(credit.by, CreditBy::Lessons { is_recorded: false, .. }), "{:?}", credit.by);
    assert_eq!(credits(&credit)[0], ("grep", -1.0));
    served.stop();
}

#[test]
fn a_verdict_alone_weighs_all_tokens_the_same() {
    let served = serve_at(home(), "scripted", 4096);
    let (turn, _) = ask(&served, &request("search src for todo"));
    let nothing = served.client.credit(turn, None).unwrap();
    assert_eq!(nothing.by, CreditBy::Nothing);
    assert!(credits(&nothing).iter().all(|(_, credit)| *credit == 0.0));
    for (good, reward) in [(false, -1_i8), (true, 1)] {
        let mut events = served.client.events().unwrap();
        served.client.rate(turn, &Rate { good, note: None }).unwrap();
        crate::teaching::until_judged(&mut events);
        let credit = served.client.credit(turn, None).unwrap();
        let rule = if good { "rating.good" } else { "rating.bad" };
        assert_eq!(credit.by, CreditBy::Verdict { reward, rule: rule.into() });
        assert!(credits(&credit).iter().all(|(_, credit)| (credit - f32::from(reward)).abs() < 1e-6));
        let marked: String = credit.marked().into_iter().map(|(_, text)| text).collect();
        assert_eq!(marked, format!("{}[grep -r todo src]", if good { '+' } else { '-' }));
    }
    served.stop();
}

#[test]
fn what_cannot_be_weighed_says_why() {
    let served = serve_at(home(), "scripted", 4096);
    let mut asked = request("search src for todo");
    asked.chela.as_mut().unwrap().session = SessionId("t".into());
    let (turn, _) = ask(&served, &asked);
    let lesson = teach(&served, Some(turn));
    assert!(refusal(served.client.credit(TurnId(99), None)).contains("99"));
    assert!(refusal(served.client.credit(turn, Some(LessonId(99)))).contains("99"));

    let served = serve_at(served.stop(), "another", 4096);
    let said = refusal(served.client.credit(turn, Some(lesson)));
    assert!(said.contains("was answered by scripted, and another serves now"), "{said}");
    assert!(said.contains("load scripted to weigh it"), "{said}");

    // The prompt fits and its answer does not; then not even the prompt.
    let served = serve_at(served.stop(), "scripted", 83);
    let said = refusal(served.client.credit(turn, Some(lesson)));
    assert!(said.contains("this turn has 85 tokens and the context 83; raise the setting"), "{said}");
    let served = serve_at(served.stop(), "scripted", 80);
    let said = refusal(served.client.credit(turn, Some(lesson)));
    assert!(said.contains("81 tokens, the context has 80"), "{said}");

    let served = serve_from(served.stop(), loader_of_many(Vec::new()));
    let said = refusal(served.client.credit(turn, Some(lesson)));
    assert!(said.contains("no such file"), "{said}");
    served.stop();
}
