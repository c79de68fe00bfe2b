//! Which lessons a request gets.

use proptest::prelude::*;

use super::*;
use crate::lesson::scope::{Place, infer};
use crate::lesson::words::trigger_words;

const BASE: Asked<'_> = Asked {
    text: "",
    cwd: None,
    session: None,
    serving: PolicyVersion::BASE,
    lineage: &[],
    similarity: None,
};

fn n_tokens_of(text: &str) -> usize {
    text.split_whitespace().count() + 1
}

/// Lessons as they are when taught one after the other, the last one newest.
fn taught(texts: &[&str]) -> Vec<Lesson> {
    let lesson =
        |(id, text): (i64, &&str)| Lesson::new(LessonId(id), *text, infer(text, &Place::default()), id);
    (1..).zip(texts).map(lesson).collect()
}

fn chosen<'a>(lessons: &'a [Lesson], asked: &Asked<'_>) -> Vec<&'a str> {
    relevant(lessons, asked, Limits::usual(&n_tokens_of))
        .iter()
        .map(|chosen| chosen.lesson.text.as_str())
        .collect()
}

/// What a user with twelve preferences has taught.
const USER: &[&str] = &[
    "use rg instead of grep",
    "use -v with mv",
    "ask before deleting",
    "use 24-hour times",
    "answer in German",
    "use snake_case for file names",
    "my editor is hx",
    "the staging server is kiwi-7.internal",
    "sign mails with Jo",
    "the default branch is trunk",
    "human-readable sizes",
    "use pnpm instead of npm",
];

/// The lessons of [`USER`] that a request gets, besides the language, which it always gets.
#[track_caller]
fn check(request: &str, expected: &[&str]) {
    let lessons = taught(USER);
    let mut found = chosen(&lessons, &Asked { text: request, ..BASE });
    assert!(found.contains(&"answer in German"), "{request}: {found:?}");
    found.retain(|text| *text != "answer in German");
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{request}");
}

#[test]
fn a_task_calls_for_the_lesson_of_its_program() {
    check("search app.log for timeout", &["use rg instead of grep"]);
    check("lines with ERROR in server.log", &["use rg instead of grep"]);
    check("rename a.txt to b.txt", &["use -v with mv", "use snake_case for file names"]);
    check("install the dependencies with npm", &["use pnpm instead of npm"]);
}

#[test]
fn a_subject_calls_for_its_lesson() {
    check("delete old.log", &["ask before deleting"]);
    check("remove draft.txt", &["ask before deleting"]);
    check("note: meeting on Friday at 3 pm", &["use 24-hour times"]);
    check("how full are the disks?", &["human-readable sizes"]);
    check("merge feature into main", &["the default branch is trunk"]);
    check("edit notes.md", &["my editor is hx"]);
    check("ping staging", &["the staging server is kiwi-7.internal"]);
    check("write Anna a mail that the report is done", &["sign mails with Jo"]);
}

#[test]
fn what_has_nothing_to_do_with_the_request_stays_out() {
    check("hello", &[]);
    check("ping the test server", &[]);
    check("what is my name?", &[]);
}

#[test]
fn a_swap_needs_its_program() {
    let lessons = taught(&["use rg instead of grep", "use zorn instead of quux", "use fd instead of find"]);
    let of = |text| chosen(&lessons, &Asked { text, ..BASE });
    assert_eq!(of("delete old.log"), [""; 0]);
    assert_eq!(of("quux the notes"), ["use zorn instead of quux"]);
    assert!(of("look for files called notes").contains(&"use fd instead of find"));
    assert!(!of("look for files called notes").contains(&"use zorn instead of quux"));
    assert_eq!(of("instead use something"), [""; 0]);
}

#[test]
fn a_lesson_about_the_substitute_comes_with_the_swap() {
    let lessons = taught(&["use labe instead of grep", "labe always with --xag", "zorn always with --xag"]);
    let found = chosen(&lessons, &Asked { text: "search app.log for timeout", ..BASE });
    assert_eq!(found, ["use labe instead of grep", "labe always with --xag"]);
}

#[test]
fn requests_like_the_source_need_the_lesson_too() {
    let lesson = |triggers| Lesson {
        scope: Scope::Program("oldplot".into()),
        triggers,
        ..Lesson::new(LessonId(1), "use newplot instead of oldplot", Scope::Global, 1)
    };
    let with = [lesson(trigger_words("draw a histogram of ages.csv"))];
    let without = [lesson(Vec::new())];
    let asked = Asked { text: "draw the histogram of weights.csv", ..BASE };
    assert_eq!(chosen(&with, &asked).len(), 1);
    assert_eq!(chosen(&without, &asked).len(), 0);
    assert_eq!(chosen(&with, &Asked { text: "draw a circle", ..BASE }).len(), 0);
}

#[test]
fn a_project_is_seen_by_folder_or_by_name() {
    let mut lessons = taught(&["use pnpm instead of npm", "in atlas use bun instead of npm"]);
    lessons[0].scope = Scope::Project("/src/web".into());
    let of = |text, cwd| chosen(&lessons, &Asked { text, cwd, ..BASE });
    assert_eq!(of("npm install", Some("/src/web/app")), ["use pnpm instead of npm"]);
    assert_eq!(of("npm install", Some("/src/website")), [""; 0]);
    assert_eq!(of("npm install", Some("/code/atlas")), ["in atlas use bun instead of npm"]);
    assert_eq!(of("in atlas: npm install", None), ["in atlas use bun instead of npm"]);
}

#[test]
fn a_session_keeps_its_lessons_to_itself() {
    let mut lessons = taught(&["speak of tomatoes"]);
    lessons[0].scope = Scope::Session("s1".into());
    assert_eq!(chosen(&lessons, &Asked { text: "hello", session: Some("s1"), ..BASE }).len(), 1);
    assert_eq!(chosen(&lessons, &Asked { text: "hello", session: Some("s2"), ..BASE }).len(), 0);
}

#[track_caller]
fn check_state(state: State, serving: u32, lineage: &[u32], expected: bool) {
    let lessons = [Lesson { state, ..taught(&["answer in German"]).remove(0) }];
    let lineage: Vec<PolicyVersion> = lineage.iter().copied().map(PolicyVersion).collect();
    let asked = Asked { text: "hello", serving: PolicyVersion(serving), lineage: &lineage, ..BASE };
    assert_eq!(!chosen(&lessons, &asked).is_empty(), expected, "{state:?} v{serving} {lineage:?}");
}

#[test]
fn what_the_serving_weights_hold_stays_out_until_a_roll_back() {
    let learned = State::Learned(PolicyVersion(3));
    check_state(State::Active, 3, &[1], true);
    check_state(learned, 3, &[1], false);
    check_state(learned, 4, &[1, 3], false);
    check_state(learned, 1, &[], true);
    check_state(learned, 0, &[], true);
    check_state(learned, 4, &[1], true);
    for state in [State::Proposed, State::Retired, State::Pruned] {
        check_state(state, 0, &[], false);
    }
}

#[test]
fn of_contradicting_lessons_the_newer_stands() {
    let lessons = taught(&["use rg instead of grep", "use ag instead of grep"]);
    let asked = Asked { text: "search app.log for timeout", ..BASE };
    assert_eq!(chosen(&lessons, &asked), ["use ag instead of grep"]);
    let mut older_pinned = lessons;
    older_pinned[0].pinned = true;
    assert_eq!(chosen(&older_pinned, &asked), ["use ag instead of grep"]);
}

#[test]
fn pinned_lessons_come_first_and_newer_ones_before_older() {
    let mut lessons =
        taught(&["be friendly to Anna", "no emojis", "use bullet points", "use rg instead of grep"]);
    lessons[0].pinned = true;
    let asked = Asked { text: "search app.log for timeout", ..BASE };
    let expected = ["be friendly to Anna", "use rg instead of grep", "use bullet points", "no emojis"];
    assert_eq!(chosen(&lessons, &asked), expected);
}

#[test]
fn limits_are_kept_and_what_had_no_room_is_counted() {
    let texts: Vec<String> = (0..9).map(|n| format!("answer with style number {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let index = Index::new(&taught(&texts));
    let asked = Asked { text: "hello", ..BASE };
    let choice = index.relevant(&asked, Limits::usual(&n_tokens_of));
    assert_eq!((choice.chosen.len(), choice.n_left_out), (6, 3));
    let narrow = Limits { n_tokens: 13, ..Limits::usual(&n_tokens_of) };
    assert_eq!(index.relevant(&asked, narrow).chosen.len(), 2);
    let none = Limits { n_lessons: 0, ..Limits::usual(&n_tokens_of) };
    assert_eq!(index.relevant(&asked, none).chosen, []);
}

#[test]
fn embeddings_bring_in_what_shares_no_word_but_open_no_gate() {
    let lessons = taught(&["the boss is Henrik", "use rg instead of grep"]);
    let close = |_| 0.9;
    let nan = |_| f32::NAN;
    let asked = |similarity| Asked { text: "who leads us?", similarity: Some(similarity), ..BASE };
    assert_eq!(chosen(&lessons, &asked(&close)), ["the boss is Henrik"]);
    assert_eq!(chosen(&lessons, &asked(&nan)), [""; 0]);
}

#[test]
fn every_choice_says_why() {
    let lessons = taught(USER);
    let why = |request: &str, text: &str| {
        let asked = Asked { text: request, ..BASE };
        let all = relevant(&lessons, &asked, Limits::usual(&n_tokens_of));
        all.iter().find(|chosen| chosen.lesson.text == text).map(|chosen| chosen.why.to_string())
    };
    let expect = |request, text, expected: &str| assert_eq!(why(request, text).as_deref(), Some(expected));
    expect("search app.log for timeout", USER[0], "the task may be one for grep");
    expect("note: lunch at noon", "use 24-hour times", "both are about times");
    expect("hello", "answer in German", "holds for every answer");
    expect("ping staging", "the staging server is kiwi-7.internal", "shares \"staging\"");
}

fn many(n: i64) -> Vec<Lesson> {
    let kinds = [
        "use tool{} instead of grep",
        "answer in style {}",
        "role{} is host{}.example",
        "use --opt{} with git",
    ];
    let text = |id: i64| {
        let kind = kinds[usize::try_from(id).unwrap() % kinds.len()];
        kind.replace("{}", &id.to_string())
    };
    (0..n).map(|id| Lesson::new(LessonId(id), text(id), infer(&text(id), &Place::default()), id)).collect()
}

#[test]
fn of_ten_thousand_lessons_the_one_that_is_named_comes_first() {
    let index = Index::new(&many(10_000));
    let asked = Asked { text: "what is role42?", ..BASE };
    let choice = index.relevant(&asked, Limits::usual(&n_tokens_of));
    assert!(choice.chosen.len() <= 6);
    assert_eq!(choice.chosen[0].lesson.text, "role42 is host42.example");
}

fn any_lesson() -> impl Strategy<Value = Lesson> {
    let text = prop_oneof![
        "\\PC{0,60}",
        "(use|never use|prefer) (rg|ag|grep|mv|zorn) (instead of|with|to) (grep|find|-v|quux)",
        "(answer|write|show) (in German|mails short|at most 9 lines|times as 15:00)",
    ];
    let state = prop_oneof![
        4 => Just(State::Active),
        1 => (0u32..3).prop_map(|version| State::Learned(PolicyVersion(version))),
        1 => Just(State::Retired),
    ];
    (text, state, 0i64..5, any::<bool>()).prop_map(|(text, state, created_at, pinned)| {
        let scope = infer(&text, &Place::default());
        Lesson { state, pinned, ..Lesson::new(LessonId(0), text, scope, created_at) }
    })
}

proptest! {
    #[test]
    fn limits_hold_and_the_choice_is_the_same_twice(
        lessons in proptest::collection::vec(any_lesson(), 0..25),
        request in prop_oneof!["\\PC{0,80}", Just("search a.log for x and rename it at 3 pm by mail".to_owned())],
        n_lessons in 0usize..8,
        n_tokens in 0usize..40,
    ) {
        let lessons: Vec<Lesson> = (0..).zip(lessons).map(|(id, lesson)| Lesson { id: LessonId(id), ..lesson }).collect();
        let limits = Limits { n_lessons, n_tokens, n_tokens_of: &n_tokens_of };
        let lineage = [PolicyVersion(1)];
        let asked = Asked { text: &request, serving: PolicyVersion(2), lineage: &lineage, ..BASE };
        let first = relevant(&lessons, &asked, limits);
        prop_assert!(first.len() <= n_lessons);
        prop_assert!(first.iter().map(|chosen| n_tokens_of(&chosen.lesson.text)).sum::<usize>() <= n_tokens);
        prop_assert!(first.iter().all(|chosen| chosen.score.is_finite() && may_stand(chosen.lesson, &asked)));
        prop_assert_eq!(&first, &relevant(&lessons, &asked, limits));
        let index = Index::new(&lessons);
        prop_assert_eq!(&first, &index.relevant(&asked, limits).chosen);
    }
}
