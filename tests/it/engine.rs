//! The real engine on the starter model: what it answers, and that batching, caches and cancellation change nothing
//! about it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};

use chela::engine::{
    Cancel, Done, Engine, EngineError, Finish, FinishReason, Generate, GenerateEvent, Grammar, Job,
    LlamaEngine, LoadOptions, Priority, SampledToken, Sampling, Score, Token,
};
use chela::turn::template::ChatTemplate;
use chela::turn::{Message, PolicyVersion, Role};

pub(crate) fn starter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/starter/chela-starter.gguf")
}

/// Letters until the limit: the end that it allows is improbable in the extreme.
const ENDLESS: &str = "root ::= [a-z ]+ \"☃\"";

/// One engine for all tests of this file: tests run in parallel threads, so it is also a test of batching.
fn engine() -> &'static Arc<LlamaEngine> {
    static ENGINE: OnceLock<Arc<LlamaEngine>> = OnceLock::new();
    ENGINE.get_or_init(|| Arc::new(LlamaEngine::load(&LoadOptions::new("starter", &starter())).unwrap()))
}

fn chat_prompt(request: &str) -> Vec<Token> {
    let card = engine().card();
    let template =
        ChatTemplate::for_model(&card.chat_template, &card.bos_token, &card.eos_token, &card.control_tokens)
            .unwrap();
    let messages =
        [Message::new(Role::System, "You are chela, a terminal agent."), Message::new(Role::User, request)];
    engine().tokenize(&template.render(&messages, &[], true).unwrap(), true).unwrap()
}

fn greedy(max_tokens: usize) -> Sampling {
    Sampling { temperature: 0.0, max_tokens, ..Sampling::default() }
}

#[derive(Debug)]
struct Answer {
    text: String,
    tokens: Vec<SampledToken>,
    finish: Finish,
    n_cached: usize,
}

fn start(prompt: Vec<Token>, sampling: Sampling, cancel: &Cancel) -> Receiver<GenerateEvent> {
    start_on(PolicyVersion::BASE, prompt, sampling, cancel)
}

fn start_on(
    policy: PolicyVersion,
    prompt: Vec<Token>,
    sampling: Sampling,
    cancel: &Cancel,
) -> Receiver<GenerateEvent> {
    let (job, received) = generate(policy, prompt, sampling, cancel);
    engine().submit(job).unwrap();
    received
}

fn generate(
    policy: PolicyVersion,
    prompt: Vec<Token>,
    sampling: Sampling,
    cancel: &Cancel,
) -> (Job, Receiver<GenerateEvent>) {
    let (events, received) = mpsc::channel();
    let job = Generate {
        prompt,
        sampling,
        policy,
        priority: Priority::Foreground,
        cancel: cancel.clone(),
        forget: false,
        events: Box::new(move |event| match events.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }),
    };
    (Job::Generate(job), received)
}

fn collect(events: Receiver<GenerateEvent>) -> Result<Answer, EngineError> {
    let (mut text, mut tokens, mut n_cached) = (String::new(), Vec::new(), 0);
    for event in events {
        match event {
            GenerateEvent::Started { n_cached: n, .. } => n_cached = n,
            GenerateEvent::Token(token) => {
                text.push_str(&token.text);
                tokens.push(token);
            }
            GenerateEvent::Finished(finish) => {
                text.push_str(&finish.rest);
                return Ok(Answer { text, tokens, finish, n_cached });
            }
            GenerateEvent::Failed(error) => return Err(error),
        }
    }
    Err(EngineError::Stopped)
}

fn answer(request: &str, sampling: Sampling) -> Answer {
    collect(start(chat_prompt(request), sampling, &Cancel::default())).unwrap()
}

fn done<T: Send + 'static>() -> (Done<T>, Receiver<Result<T, EngineError>>) {
    let (sender, receiver) = mpsc::channel();
    (Box::new(move |result| sender.send(result).unwrap_or_default()), receiver)
}

fn score(prompt: &[Token], response: &[Token], priority: Priority) -> Result<Vec<f32>, EngineError> {
    let (done, scored) = done();
    let (prompt, response) = (prompt.to_vec(), response.to_vec());
    let policy = PolicyVersion::BASE;
    let cancel = Cancel::default();
    engine().submit(Job::Score(Score { prompt, response, policy, priority, cancel, done })).unwrap();
    scored.recv().unwrap()
}

#[test]
fn a_request_becomes_a_command() {
    let answer = answer("find files larger than 20 MB in ~/photos", greedy(64));
    assert_eq!(answer.text, "find ~/photos -type f -size +20M");
    assert_eq!(answer.finish.reason, FinishReason::Stop);
    assert_eq!(answer.finish.n_sampled, answer.tokens.len());
}

#[test]
fn every_token_has_its_log_probability_and_alternatives() {
    let answer = answer("list files", Sampling { top_logprobs: 3, ..greedy(16) });
    for token in &answer.tokens {
        assert_eq!(token.top.len(), 3);
        assert_eq!(token.top[0].id, token.id, "greedy takes the best");
        assert!((token.top[0].logprob - token.logprob).abs() < 1e-6);
        let mass: f32 = token.top.iter().map(|alternative| alternative.logprob.exp()).sum();
        assert!(token.top[0].logprob >= token.top[2].logprob && mass <= 1.0 + 1e-4);
    }
}

#[test]
fn a_seed_repeats_an_answer() {
    let warm = |seed| Sampling { temperature: 1.5, seed: Some(seed), max_tokens: 40, ..Sampling::default() };
    let one = answer("show disk usage of every folder", warm(1)).text;
    assert_eq!(one, answer("show disk usage of every folder", warm(1)).text);
    let others: Vec<_> =
        (2..6).map(|seed| answer("show disk usage of every folder", warm(seed)).text).collect();
    assert!(others.iter().any(|other| *other != one), "{others:?}");
}

#[test]
fn answers_do_not_depend_on_what_else_is_being_answered() {
    let requests =
        ["list files", "show the date", "count lines in app.log", "go to the home folder", "make a folder x"];
    let alone: Vec<_> = requests.iter().map(|request| answer(request, greedy(32)).text).collect();
    let together: Vec<_> =
        requests.iter().map(|r| start(chat_prompt(r), greedy(32), &Cancel::default())).collect();
    let together: Vec<_> = together.into_iter().map(|events| collect(events).unwrap().text).collect();
    assert_eq!(alone, together);
}

#[test]
fn a_known_prefix_is_not_computed_again_and_changes_nothing() {
    let prompt = chat_prompt("remove all files that end in .tmp below /var/tmp and say how many there were");
    let first = collect(start(prompt.clone(), greedy(32), &Cancel::default())).unwrap();
    let again = collect(start(prompt.clone(), greedy(32), &Cancel::default())).unwrap();
    assert!(
        again.n_cached + 1 >= prompt.len() / 2,
        "only {} of {} were cached",
        again.n_cached,
        prompt.len()
    );
    assert_eq!(first.text, again.text);
    for (one, other) in first.tokens.iter().zip(&again.tokens) {
        assert!((one.logprob - other.logprob).abs() < 2e-2, "{one:?} {other:?}");
    }
}

#[test]
fn what_is_to_be_forgotten_leaves_no_more_in_a_cache_than_was_there_before() {
    let own = LlamaEngine::load(&LoadOptions::new("starter", &starter())).unwrap();
    let ask = |request: &str, forget: bool| {
        let (job, events) =
            generate(PolicyVersion::BASE, chat_prompt(request), greedy(32), &Cancel::default());
        let Job::Generate(job) = job else { panic!("it generates") };
        own.submit(Job::Generate(Generate { forget, ..job })).unwrap();
        collect(events).unwrap()
    };
    let request = "remove all files that end in .tmp below /var/tmp and say how many there were";
    ask("show the date", false);
    let forgotten = ask(request, true);
    let again = ask(request, true);
    assert_eq!((again.n_cached, &again.text), (forgotten.n_cached, &forgotten.text));
    // What it began with was known before, and is known still.
    assert!(ask("show the date", false).n_cached >= forgotten.n_cached);
    ask(request, false);
    assert!(ask(request, false).n_cached > forgotten.n_cached);
}

#[test]
fn a_conversation_that_stood_back_for_others_goes_on_where_it_was() {
    let own = LlamaEngine::load(&LoadOptions::new("starter", &starter())).unwrap();
    let ask = |request: &str| {
        let (job, events) =
            generate(PolicyVersion::BASE, chat_prompt(request), greedy(32), &Cancel::default());
        own.submit(job).unwrap();
        collect(events).unwrap()
    };
    let request = "remove all files that end in .tmp below /var/tmp and say how many there were";
    let first = ask(request);
    ask("a quite different request, in another sequence: show the date");
    ask("12 monkeys");
    let again = ask(request);
    assert!(again.n_cached + 1 >= chat_prompt(request).len(), "only {} were cached", again.n_cached);
    assert_eq!(first.text, again.text);
    for (one, other) in first.tokens.iter().zip(&again.tokens) {
        assert!((one.logprob - other.logprob).abs() < 5e-2, "{one:?} {other:?}");
    }
    // And its beginning serves another that begins alike.
    let alike = ask("remove all files that end in .tmp below /var/tmp and keep the rest");
    assert!(alike.n_cached > 16, "only {} were cached", alike.n_cached);
}

#[test]
fn scoring_an_answer_gives_the_log_probabilities_it_was_sampled_with() {
    let prompt = chat_prompt("show the last 20 lines of app.log");
    let sampled = collect(start(prompt.clone(), greedy(32), &Cancel::default())).unwrap();
    let response: Vec<Token> = sampled.tokens.iter().map(|token| token.id).collect();
    for priority in [Priority::Foreground, Priority::Background] {
        let scored = score(&prompt, &response, priority).unwrap();
        assert_eq!(scored.len(), response.len());
        for (token, logprob) in sampled.tokens.iter().zip(scored) {
            assert!((token.logprob - logprob).abs() < 2e-2, "{token:?}: {logprob}");
        }
    }
}

#[test]
fn a_long_answer_can_be_scored_in_pieces() {
    let prompt = chat_prompt("x");
    let response: Vec<Token> = (0..300).map(|n| 100 + n % 500).collect();
    let scored = score(&prompt, &response, Priority::Background).unwrap();
    assert_eq!(scored.len(), 300);
    assert!(scored.iter().all(|logprob| logprob.is_finite() && *logprob <= 0.0));
}

#[test]
fn a_cancelled_answer_ends_and_what_was_said_is_kept() {
    let cancel = Cancel::default();
    let endless = Sampling { temperature: 1.0, max_tokens: 900, stop: Vec::new(), ..Sampling::default() };
    let grammar = Some(Grammar::Gbnf(ENDLESS.to_owned()));
    let events = start(chat_prompt("tell me a story"), Sampling { grammar, ..endless }, &cancel);
    let (before, rest): (Vec<_>, Vec<_>) = {
        let mut events = events.into_iter();
        let before = events.by_ref().take(5).collect();
        cancel.cancel();
        (before, events.collect())
    };
    assert!(matches!(before[0], GenerateEvent::Started { .. }));
    let Some(GenerateEvent::Finished(finish)) = rest.last() else { panic!("{rest:?}") };
    assert_eq!(finish.reason, FinishReason::Cancelled);
}

#[test]
fn nothing_of_a_stop_string_is_in_the_answer() {
    let whole = answer("find files larger than 20 MB in ~/photos", greedy(64)).text;
    let stopped = answer(
        "find files larger than 20 MB in ~/photos",
        Sampling { stop: vec!["-size".into()], ..greedy(64) },
    );
    assert_eq!(stopped.text, whole.split("-size").next().unwrap());
    assert_eq!(stopped.finish.reason, FinishReason::Stop);
}

#[test]
fn a_json_schema_binds_the_answer() {
    let schema = r#"{"type":"object","properties":{"command":{"type":"string","maxLength":20},"safe":{"type":"boolean"}},"required":["command","safe"],"additionalProperties":false}"#;
    let grammar = Some(Grammar::JsonSchema(schema.to_owned()));
    for seed in 0..4 {
        let sampling =
            Sampling { grammar: grammar.clone(), seed: Some(seed), max_tokens: 200, ..Sampling::default() };
        let answer = answer("list files", sampling);
        let value: serde_json::Value =
            serde_json::from_str(&answer.text).unwrap_or_else(|err| panic!("{err}: {answer:?}"));
        assert!(value["command"].is_string() && value["safe"].is_boolean(), "{value}");
    }
}

#[test]
fn bad_requests_are_refused_with_their_reason() {
    let refused = |prompt, sampling| collect(start(prompt, sampling, &Cancel::default())).unwrap_err();
    assert_eq!(refused(Vec::new(), greedy(1)), EngineError::EmptyPrompt);
    let n_ctx = engine().card().n_ctx;
    assert_eq!(refused(vec![65; n_ctx], greedy(1)), EngineError::PromptTooLong { n_prompt: n_ctx, n_ctx });
    let grammar = Some(Grammar::Gbnf("root ::= undefined".to_owned()));
    assert!(matches!(refused(vec![65], Sampling { grammar, ..greedy(1) }), EngineError::Grammar(_)));
    let unknown = collect(start_on(PolicyVersion(7), vec![65], greedy(1), &Cancel::default())).unwrap_err();
    assert_eq!(unknown, EngineError::UnknownPolicy(PolicyVersion(7)));
}

#[test]
fn the_context_ends_an_answer_that_would_outgrow_it() {
    let n_ctx = engine().card().n_ctx;
    let mut prompt = chat_prompt("go on");
    prompt.splice(0..0, std::iter::repeat_n(300, n_ctx - prompt.len() - 8));
    let grammar = Some(Grammar::Gbnf(ENDLESS.to_owned()));
    let answer = collect(start(prompt, Sampling { grammar, ..greedy(500) }, &Cancel::default())).unwrap();
    assert_eq!((answer.finish.reason, answer.tokens.len()), (FinishReason::Length, 8));
}

#[test]
fn the_card_says_what_is_loaded() {
    let card = engine().card();
    assert_eq!((card.architecture.as_str(), card.n_params), ("qwen3", 7_345_408));
    assert_eq!(card.placement, "8 of 8 layers on the CPU (1 thread)");
    assert!(card.control_tokens.contains(&"<|im_start|>".to_owned()));
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = LlamaEngine::load(&LoadOptions::new("x", Path::new("/nowhere/x.gguf"))).err().unwrap();
    assert!(error.to_string().contains("/nowhere/x.gguf"), "{error}");
}
