//! What a plan practises, replays, asks and leaves out.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::learn::canaries::Suite;
use crate::lesson::{Origin, Scope, State};

/// Read once: a plan is made some hundred times here.
static EVERYDAY: LazyLock<Everyday> = LazyLock::new(|| Everyday::built_in().unwrap());

const SYSTEM: &str = "You are chela, a terminal agent.";

fn past(turn: i64, session: &str, asked: &str, answer: &str) -> Past {
    let messages = vec![Message::new(Role::System, SYSTEM), Message::new(Role::User, asked)];
    Past {
        turn: TurnId(turn),
        session: SessionId(session.into()),
        project: None,
        messages,
        answer: answer.into(),
    }
}

fn lesson(id: i64, text: &str) -> Lesson {
    Lesson {
        id: LessonId(id),
        text: text.into(),
        scope: Scope::Global,
        state: State::Active,
        origin: Origin::Corrected,
        sources: vec![],
        created_at: id,
        used: 0,
        helped: 0,
        failed: 0,
        pinned: false,
        triggers: Vec::new(),
        recent: Vec::new(),
        replaced_by: None,
    }
}

fn to_learn(id: i64, text: &str, sources: Vec<Past>) -> ToLearn {
    ToLearn { lesson: lesson(id, text), sources, related: vec![], contradicted_by: None }
}

/// One correction: `grep TODO main.c` should have been rg.
fn rg() -> ToLearn {
    to_learn(1, "use rg instead of grep", vec![past(1, "a", "search for TODO in main.c", "grep TODO main.c")])
}

/// A ledger to plan from.
#[derive(Debug, Default)]
struct Ledger {
    lessons: Vec<ToLearn>,
    held: Vec<ToLearn>,
    negatives: Vec<Negative>,
    confirmed: Vec<Past>,
    never: Vec<String>,
}

impl Ledger {
    fn plan(&self, seed: u64) -> Plan {
        self.plan_with(seed, &PlanLimits::careful())
    }

    fn plan_with(&self, seed: u64, limits: &PlanLimits) -> Plan {
        let inputs = Inputs {
            lessons: &self.lessons,
            held: &self.held,
            negatives: &self.negatives,
            confirmed: &self.confirmed,
            never: &self.never,
            everyday: &EVERYDAY,
            system: SYSTEM,
        };
        plan(&inputs, seed, limits)
    }
}

fn good_turns(n: i64) -> Vec<Past> {
    (0..n)
        .map(|i| {
            past(
                1000 + i,
                &format!("s{i}"),
                &format!("show the disk space of /mnt/d{i}"),
                &format!("df /mnt/d{i}"),
            )
        })
        .collect()
}

fn drilled(plan: &Plan) -> Vec<&str> {
    plan.drills.iter().map(|drill| request(&drill.messages)).collect()
}

fn replayed(plan: &Plan) -> Vec<&str> {
    plan.replay.iter().map(|replay| request(&replay.messages)).collect()
}

#[track_caller]
fn check_skipped(ledger: &Ledger, expected: &[&str]) {
    let plan = ledger.plan(1);
    let said: Vec<String> = plan.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(said, expected);
}

#[test]
fn one_correction_gives_drills_of_many_wordings_and_probes_of_others() {
    let plan = Ledger { lessons: vec![rg()], ..Ledger::default() }.plan(1);
    assert_eq!(plan.drills.len(), PlanLimits::careful().per_lesson);
    assert!(
        plan.drills.iter().any(|drill| matches!(drill.origin, PromptOrigin::Varied(_))),
        "{:?}",
        drilled(&plan)
    );
    assert!(plan.drills.iter().filter(|drill| drill.origin == PromptOrigin::Everyday).count() >= 6);
    assert!(plan.drills.iter().all(|drill| drill.lessons == ["use rg instead of grep"]));
    assert!(plan.probes.len() >= 4, "{:?}", plan.probes);
    assert_eq!(plan.lessons(), [LessonId(1)]);
    assert_eq!(plan.skipped, []);
}

#[test]
fn many_own_prompts_leave_room_for_everyday_ones() {
    let turn = |i: i64| past(i, "a", &format!("search for w{i} in f{i}.c"), &format!("grep w{i} f{i}.c"));
    let mut one = to_learn(1, "use rg instead of grep", (0..40).map(turn).collect());
    one.related = (100..140).map(turn).collect();
    let plan = Ledger { lessons: vec![one], ..Ledger::default() }.plan(1);
    assert_eq!(plan.drills.len(), PlanLimits::careful().per_lesson);
    assert_eq!(plan.drills.iter().filter(|drill| drill.origin == PromptOrigin::Everyday).count(), 8);
}

#[test]
fn the_student_never_sees_a_lesson() {
    let plan = Ledger { lessons: vec![rg()], ..Ledger::default() }.plan(1);
    let prompts =
        plan.drills.iter().map(|one| &one.messages).chain(plan.probes.iter().map(|one| &one.messages));
    for messages in prompts {
        assert_eq!(messages[0].content, SYSTEM);
    }
}

#[test]
fn replay_is_half_and_leaves_the_lesson_program_alone() {
    let mut ledger = Ledger { lessons: vec![rg()], confirmed: good_turns(4), ..Ledger::default() };
    ledger.confirmed.push(past(50, "z", "which lines of a.txt have x?", "grep x a.txt"));
    let plan = ledger.plan(1);
    assert!(plan.replay.len() >= plan.drills.len() + plan.bare.len());
    assert!(plan.replay.iter().all(|one| one.turn != Some(TurnId(50))), "{:?}", replayed(&plan));
    assert!(plan.replay.iter().any(|one| one.answer.is_some()));
    assert!(plan.neutral.len() >= 50, "{}", plan.neutral.len());
    assert!(plan.replay.iter().all(|one| one.lessons.is_empty()));
}

#[test]
fn replay_is_at_least_half_of_a_large_plan_too() {
    let texts =
        ["rg:grep", "eza:ls", "bat:cat", "fd:find", "doas:sudo", "podman:docker", "pnpm:npm", "procs:ps"];
    let lessons = texts.iter().zip(1..).map(|(pair, id)| {
        let (new, old) = pair.split_once(':').unwrap();
        to_learn(
            id,
            &format!("use {new} instead of {old}"),
            vec![past(id, &format!("s{id}"), "do it", &format!("{old} x"))],
        )
    });
    let plan = Ledger { lessons: lessons.collect(), ..Ledger::default() }.plan(3);
    assert_eq!(plan.lessons().len(), 8);
    assert!(plan.drills.len() >= 70, "{}", plan.drills.len());
    assert!(plan.replay.len() >= plan.drills.len(), "{} and {}", plan.replay.len(), plan.drills.len());
    for id in 1..=8 {
        assert!(plan.probes.iter().filter(|probe| probe.lesson == LessonId(id)).count() >= 3, "lesson {id}");
    }
}

#[test]
fn what_was_learned_before_is_kept_up_and_stands_in_the_teacher_prompt() {
    let old = to_learn(1, "always use -n with grep", vec![past(9, "b", "find x in y.txt", "grep x y.txt")]);
    let mut new = rg();
    new.lesson.id = LessonId(2);
    new.lesson.created_at = 2;
    let plan = Ledger { lessons: vec![new], held: vec![old], ..Ledger::default() }.plan(1);
    assert_eq!(plan.drills.iter().filter(|drill| drill.purpose == Purpose::Upkeep).count(), 3);
    for drill in &plan.drills {
        assert_eq!(drill.lessons, ["use rg instead of grep", "always use -n with grep"]);
    }
}

#[test]
fn lessons_about_other_programs_stay_out_of_the_teacher_prompt() {
    let other =
        to_learn(2, "use doas instead of sudo", vec![past(3, "b", "install jq", "sudo apt install jq")]);
    let plan = Ledger { lessons: vec![rg(), other], ..Ledger::default() }.plan(1);
    assert!(plan.drills.iter().all(|drill| drill.lessons.len() == 1), "{:?}", plan.drills);
}

#[test]
fn a_lesson_about_everything_goes_with_the_replay_too() {
    let general = to_learn(3, "answer in German", vec![past(4, "b", "tell me a joke", "Why did …")]);
    let plan = Ledger { lessons: vec![general], ..Ledger::default() }.plan(1);
    assert!(plan.drills.len() >= 6);
    assert!(plan.replay.iter().all(|one| one.lessons == ["answer in German"]));
}

#[test]
fn what_the_person_wrote_goes_with_the_drill() {
    let source = past(1, "a", "search for TODO in main.c", "grep TODO main.c");
    let asked =
        (0..99).map(|i| format!("search for TODO in m{i}.c")).find(|asked| !is_held_out(asked)).unwrap();
    let source = Past { messages: past(1, "a", &asked, "").messages, ..source };
    let negative = Negative { past: source.clone(), hint: None, written: Some("rg TODO main.c".into()) };
    let lessons = vec![to_learn(1, "use rg instead of grep", vec![source])];
    let plan = Ledger { lessons, negatives: vec![negative], ..Ledger::default() }.plan(1);
    let drill = plan.drills.iter().find(|drill| drill.origin == PromptOrigin::Source(TurnId(1))).unwrap();
    assert_eq!(drill.written.as_deref(), Some("rg TODO main.c"));
}

#[test]
fn unfit_lessons_are_left_out_with_the_reason() {
    let change = |id, change: fn(&mut ToLearn)| {
        let mut one = rg();
        one.lesson.id = LessonId(id);
        one.lesson.created_at = id;
        change(&mut one);
        one
    };
    let ledger = Ledger {
        lessons: vec![
            change(2, |it| it.lesson.state = State::Proposed),
            change(3, |it| it.contradicted_by = Some(LessonId(9))),
            change(4, |it| it.lesson.scope = Scope::Session("a".into())),
            change(5, |it| (it.lesson.helped, it.lesson.failed) = (1, 4)),
            change(6, |it| it.lesson.scope = Scope::Project("/home/u/atlas".into())),
        ],
        ..Ledger::default()
    };
    check_skipped(
        &ledger,
        &[
            "lesson 2 is not practised: it is not active",
            "lesson 3 is not practised: lesson 9 is newer and says the opposite",
            "lesson 4 is not practised: it holds in one session only",
            "lesson 5 is not practised: answers that had it were bad 4 times and good 1 times",
            "lesson 6 is not practised: no prompt shows which project it is about",
        ],
    );
    assert_eq!(ledger.plan(1).drills, []);
    assert_eq!(ledger.plan(1).replay, []);
}

#[test]
fn a_project_lesson_is_practised_where_the_project_shows_and_replayed_elsewhere() {
    let mut one = rg();
    one.lesson.scope = Scope::Project("/home/u/atlas".into());
    one.sources[0].messages[0].content = format!("{SYSTEM}\nCwd: ~/atlas");
    let plan = Ledger { lessons: vec![one], ..Ledger::default() }.plan(1);
    assert!(plan.drills.iter().all(|drill| drill.messages[0].content.ends_with("atlas")));
    let is_like =
        |text: &str| text.contains("search") || text.contains("which lines") || text.contains("matches");
    assert!(replayed(&plan).iter().any(|text| is_like(text)), "{:?}", replayed(&plan));
    assert!(plan.replay.iter().all(|one| one.messages[0].content == SYSTEM));
}

#[test]
fn blame_alone_moves_nothing() {
    let negatives = (0..30)
        .map(|i| Negative { past: past(i, "a", &format!("do thing {i}"), "rm x"), hint: None, written: None })
        .collect();
    let plan = Ledger { negatives, ..Ledger::default() }.plan(1);
    assert!(plan.drills.is_empty() && plan.bare.is_empty() && plan.replay.is_empty());
    assert_eq!(plan.skipped.len(), 30);
    assert!(plan.skipped.iter().all(|one| one.why == Why::OnlyBlame));
}

#[test]
fn blame_weighs_no_more_than_the_praise_beside_it_allows() {
    let negatives = (0..40)
        .map(|i| Negative {
            past: past(i, &format!("n{i}"), &format!("count the lines of f{i}.txt"), "wc"),
            hint: None,
            written: None,
        })
        .collect();
    let ledger = Ledger { lessons: vec![rg()], negatives, confirmed: good_turns(12), ..Ledger::default() };
    let limits = PlanLimits::careful();
    let plan = ledger.plan(1);
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let n_good = plan.replay.iter().filter(|one| one.turn.is_some()).count() as f32;
    let mass: f32 = plan.bare.iter().map(|one| one.mass).sum();
    assert!(!plan.bare.is_empty() && n_good > 0.0);
    assert!(mass <= limits.bare_mass * n_good + 1e-5, "{mass} for {n_good}");
}

#[test]
fn an_answer_that_was_judged_both_ways_teaches_nothing() {
    let both = good_turns(1).remove(0);
    let mut blamed = both.clone();
    blamed.turn = TurnId(2);
    let negatives = vec![Negative { past: blamed, hint: Some("use duf".into()), written: None }];
    let ledger = Ledger { negatives, confirmed: vec![both], ..Ledger::default() };
    check_skipped(&ledger, &["turn 2 is not practised: the same answer was judged good and bad"]);
}

#[test]
fn a_hint_on_one_turn_is_practised_there() {
    let asked = (0..99).map(|i| format!("is web{i} up?")).find(|asked| !is_held_out(asked)).unwrap();
    let negatives = vec![Negative {
        past: past(5, "a", &asked, "ping web"),
        hint: Some("send 3 packets only".into()),
        written: None,
    }];
    let plan = Ledger { negatives, ..Ledger::default() }.plan(1);
    assert_eq!(plan.drills.len(), 1);
    assert_eq!((plan.drills[0].lesson, plan.drills[0].purpose), (None, Purpose::Hint));
    assert_eq!(plan.drills[0].lessons, ["send 3 packets only"]);
}

#[test]
fn one_session_cannot_fill_the_plan() {
    let flood = |session: &'static str| {
        (0..60).map(move |i| {
            to_learn(
                i,
                &format!("use tool{i} instead of grep"),
                vec![past(i, session, &format!("search w{i} in f{i}.c"), "grep w f")],
            )
        })
    };
    let plan = Ledger { lessons: flood("a").collect(), ..Ledger::default() }.plan(1);
    let limits = PlanLimits::careful();
    assert_eq!(plan.lessons().len(), limits.lessons_per_session);
    assert!(plan.skipped.iter().any(|one| one.why == Why::EnoughOfSession { limit: 8 }));
    let own = plan.drills.iter().filter(|drill| drill.origin != PromptOrigin::Everyday).count();
    assert!(own <= limits.per_session);
}

#[test]
fn ten_thousand_corrections_make_a_plan_of_one_run() {
    let lessons = (0..10_000).map(|i| {
        to_learn(
            i,
            &format!("use t{i} instead of grep"),
            vec![past(i, &format!("s{i}"), &format!("search w{i} in f{i}.c"), "grep w f")],
        )
    });
    let plan = Ledger { lessons: lessons.collect(), ..Ledger::default() }.plan(1);
    let limits = PlanLimits::careful();
    assert_eq!(plan.lessons().len(), limits.lessons);
    assert!(plan.drills.len() <= limits.lessons * limits.per_lesson);
    assert_eq!(plan.skipped.len(), 10_000 - limits.lessons);
}

#[test]
fn long_prompts_and_empty_ones_are_left_out_with_the_reason() {
    let long = to_learn(1, "be brief", vec![past(1, "a", &"word ".repeat(4000), "x")]);
    let empty = to_learn(2, "use rg instead of grep", vec![past(2, "b", " ", "grep")]);
    let plan = Ledger { lessons: vec![long, empty], ..Ledger::default() }.plan(1);
    let said: Vec<String> = plan.skipped.iter().map(ToString::to_string).collect();
    assert!(
        said.contains(
            &"turn 1 is not practised: its prompt has 20032 characters, 8000 are the limit".to_owned()
        ),
        "{said:?}"
    );
    assert!(said.contains(&"turn 2 is not practised: nobody asked anything in it".to_owned()), "{said:?}");
}

#[test]
fn what_the_gate_asks_is_in_no_drill() {
    let suite = Suite::built_in().unwrap();
    let never: Vec<String> = suite.canaries().iter().map(|canary| canary.request.clone()).collect();
    let sources = suite
        .canaries()
        .iter()
        .zip(0..)
        .map(|(canary, i)| past(i, "a", &canary.request, "grep x y"))
        .collect();
    let ledger = Ledger {
        lessons: vec![to_learn(1, "use rg instead of grep", sources)],
        never: never.clone(),
        ..Ledger::default()
    };
    let plan = ledger.plan(1);
    let keys: BTreeSet<String> = never.iter().map(|one| key(one)).collect();
    assert!(drilled(&plan).iter().chain(&replayed(&plan)).all(|asked| !keys.contains(&key(asked))));
    assert!(plan.skipped.iter().any(|one| one.why == Why::AskedByGate));
}

prop_compose! {
    fn ledger()(
        texts in prop::collection::vec("use (rg|fd|duf|x[a-z]{2}) instead of (grep|find|df|ls|sudo)|answer in [A-Z][a-z]{4}", 0..6),
        asked in prop::collection::vec("(search|list|show) (for )?[a-z]{3,6} in [a-z]{2,5}\\.(c|txt)", 1..30),
        sessions in prop::collection::vec("[a-c]", 30),
        split in 0_usize..30,
    ) -> Ledger {
        let mut turns = asked.iter().zip(&sessions).zip(0..).map(|((asked, session), i)| past(i, session, asked, "grep x y.c"));
        let first: Vec<Past> = turns.by_ref().take(split).collect();
        let lessons = texts.iter().zip(1..).map(|(text, id)| {
            let mine = first.iter().skip(usize::try_from(id).unwrap()).step_by(3).cloned().collect();
            to_learn(id, text, mine)
        }).collect();
        let negatives = first.iter().step_by(4).map(|past| Negative { past: past.clone(), hint: None, written: None }).collect();
        let confirmed = turns.map(|mut past| { past.answer = "tree".into(); past }).collect();
        Ledger { lessons, negatives, confirmed, ..Ledger::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn training_and_asking_never_overlap(ledger in ledger(), seed: u64) {
        let plan = ledger.plan(seed);
        let bare = plan.bare.iter().map(|one| request(&one.messages));
        let trained: Vec<String> = drilled(&plan).into_iter().chain(replayed(&plan)).chain(bare).map(key).collect();
        let asked: BTreeSet<String> = plan.probes.iter().map(|probe| key(request(&probe.messages))).collect();
        for request in &trained {
            prop_assert!(!is_held_out(request), "held out and trained on: {}", request);
            prop_assert!(!asked.contains(request), "asked and trained on: {}", request);
        }
        prop_assert!(plan.neutral.iter().all(|one| !trained.contains(&key(request(&one.messages)))));
        for turn in &plan.held_out {
            let held = ledger.confirmed.iter().find(|past| past.turn == *turn).unwrap();
            prop_assert!(!trained.contains(&key(held.request())));
        }
    }

    #[test]
    fn no_prompt_stands_twice(ledger in ledger(), seed: u64) {
        let plan = ledger.plan(seed);
        let all: Vec<String> = drilled(&plan).into_iter().chain(replayed(&plan)).map(key).collect();
        let distinct: BTreeSet<&String> = all.iter().collect();
        prop_assert_eq!(all.len(), distinct.len());
    }

    #[test]
    fn the_same_seed_gives_the_same_plan(ledger in ledger(), seed: u64) {
        prop_assert_eq!(ledger.plan(seed), ledger.plan(seed));
    }

    #[test]
    fn limits_hold(ledger in ledger(), seed: u64, per_session in 1_usize..6, per_lesson in 1_usize..14) {
        let limits = PlanLimits { per_lesson, per_session, ..PlanLimits::careful() };
        let plan = ledger.plan_with(seed, &limits);
        for session in ["a", "b", "c"] {
            let of_session: BTreeSet<TurnId> = ledger.lessons.iter().flat_map(|one| &one.sources).chain(&ledger.confirmed)
                .filter(|past| past.session.0 == session).map(|past| past.turn).collect();
            let drills = plan.drills.iter().filter(|drill| match drill.origin {
                PromptOrigin::Source(turn) | PromptOrigin::Related(turn) | PromptOrigin::Varied(turn) => of_session.contains(&turn),
                PromptOrigin::Everyday => false,
            }).count();
            let replays = plan.replay.iter().filter(|one| one.turn.is_some_and(|turn| of_session.contains(&turn))).count();
            prop_assert!(drills + replays <= per_session);
        }
        for lesson in plan.lessons() {
            prop_assert!(plan.drills.iter().filter(|drill| drill.lesson == Some(lesson)).count() <= per_lesson);
        }
    }

    #[test]
    fn the_teacher_knows_the_lesson_and_never_too_many(ledger in ledger(), seed: u64) {
        let plan = ledger.plan(seed);
        for drill in plan.drills.iter().filter(|drill| drill.purpose == Purpose::Learn) {
            let lesson = ledger.lessons.iter().find(|one| Some(one.lesson.id) == drill.lesson).unwrap();
            prop_assert!(drill.lessons.contains(&lesson.lesson.text));
            prop_assert!(drill.lessons.len() <= crate::lesson::MAX_IN_PROMPT);
        }
    }
}
