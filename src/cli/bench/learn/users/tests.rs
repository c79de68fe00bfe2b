//! Users behave as their character says, the same for the same seed.

use proptest::prelude::*;

use super::*;

fn user<'a>(world: &'a World, id: &str, character: Character) -> User<'a> {
    User { preference: world.preference(id).unwrap(), character }
}

/// Plays `n` sessions with a policy that answers as `answer` says and tells what the reactions meant.
fn play(world: &World, user: User<'_>, n: usize, answer: impl Fn(usize, &Task) -> String) -> Vec<Reaction> {
    let mut draws = World::reaction_draws(7);
    let mut reactions = Vec::new();
    for (session, tasks) in world.sessions(user, n, 7).into_iter().enumerate() {
        for asked in tasks {
            reactions.push(world.react(user, session, (asked, &answer(session, asked.task)), &mut draws));
        }
    }
    reactions
}

fn words(reaction: &Reaction) -> Option<&str> {
    reaction.next.as_ref().and_then(NextState::human_words).map(crate::turn::next_state::HumanWords::text)
}

const ALWAYS_RIGHT: Character = Character::Steady { wrong_percent: 0 };

#[test]
fn a_session_is_one_to_four_tasks_and_begins_with_the_wish() {
    let world = World::load().unwrap();
    let sessions = world.sessions(user(&world, "rg", ALWAYS_RIGHT), 200, 1);
    assert_eq!(sessions.len(), 200);
    let lengths: BTreeSet<_> = sessions.iter().map(Vec::len).collect();
    assert_eq!(lengths, BTreeSet::from([1, 2, 3, 4]));
    assert!(sessions.iter().all(|session| session[0].exercises));
    assert!(sessions.iter().flatten().any(|asked| !asked.exercises));
}

#[test]
fn a_request_comes_again_only_when_all_have_been_asked() {
    let world = World::load().unwrap();
    let n = world.tasks.group("search").teaching.len();
    let sessions = world.sessions(user(&world, "rg", ALWAYS_RIGHT), n, 3);
    let asked: Vec<_> = sessions.iter().flatten().filter(|asked| asked.exercises).collect();
    let first: BTreeSet<_> = asked.iter().take(n).map(|asked| &asked.task.request).collect();
    assert_eq!(first.len(), n);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sessions_never_ask_what_is_held_out(seed: u64, at in 0_usize..20) {
        let world = World::load().unwrap();
        let user = User { preference: &world.preferences[at % world.preferences.len()], character: ALWAYS_RIGHT };
        let held: BTreeSet<_> = world.tasks.group(&user.preference.group).held_out.iter()
            .chain(&world.tasks.neutral().held_out).map(|task| &task.request).collect();
        for asked in world.sessions(user, 30, seed).into_iter().flatten() {
            prop_assert!(!held.contains(&asked.task.request));
        }
    }

    #[test]
    fn the_seed_decides_everything(seed: u64) {
        let world = World::load().unwrap();
        let user = user(&world, "clock", Character::Steady { wrong_percent: 20 });
        prop_assert_eq!(world.sessions(user, 9, seed), world.sessions(user, 9, seed));
        let asked = world.sessions(user, 1, seed)[0][0];
        let one = world.react(user, 0, (asked, "what?"), &mut World::reaction_draws(seed));
        let other = world.react(user, 0, (asked, "what?"), &mut World::reaction_draws(seed));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn any_answer_gets_a_reaction(answer in "\\PC{0,40}", at in 0_usize..26, seed: u64) {
        let world = World::load().unwrap();
        let user = User { preference: &world.preferences[at % world.preferences.len()], character: ALWAYS_RIGHT };
        let asked = world.sessions(user, 1, seed)[0][0];
        let reaction = world.react(user, 0, (asked, &answer), &mut World::reaction_draws(seed));
        let is_right = user.preference.is_right(asked.task, &answer);
        prop_assert_eq!(reaction.meant == Meant::Accepted, is_right);
    }
}

#[test]
fn wishes_of_one_policy_are_about_different_requests() {
    let world = World::load().unwrap();
    let mut met = BTreeSet::new();
    for seed in 0..40 {
        let wishes = world.compatible(14, seed);
        let groups: BTreeSet<_> = wishes.iter().map(|wish| &wish.group).collect();
        assert_eq!((wishes.len(), groups.len()), (14, 14));
        met.extend(wishes.iter().map(|wish| &wish.id));
    }
    assert_eq!(met.len(), world.preferences.len(), "every wish comes up");
    assert!(world.compatible(100, 1).len() >= 14);
}

#[test]
fn other_seeds_ask_other_things() {
    let world = World::load().unwrap();
    let user = user(&world, "rg", ALWAYS_RIGHT);
    assert_ne!(world.sessions(user, 9, 1), world.sessions(user, 9, 2));
}

#[test]
fn a_wrong_answer_is_corrected_towards_the_wish() {
    let world = World::load().unwrap();
    for preference in &world.preferences {
        let user = User { preference, character: ALWAYS_RIGHT };
        let reactions = play(&world, user, 20, |_, task| task.plain.clone());
        let corrections: Vec<_> = reactions.iter().filter(|one| one.meant == Meant::Corrected).collect();
        assert!(corrections.len() >= 20, "{}", preference.id);
        assert!(corrections.iter().all(|one| words(one).is_some_and(|words| !words.is_empty())));
        let n_words = corrections.iter().filter_map(|one| words(one)).collect::<BTreeSet<_>>().len();
        assert!(n_words >= 12, "{}: {n_words} wordings", preference.id);
        let n_edits =
            corrections.iter().filter(|one| matches!(one.next, Some(NextState::Edit { .. }))).count();
        assert!(n_edits >= 1, "{}", preference.id);
    }
}

#[test]
fn a_right_answer_is_thanked_for_or_passed_over() {
    let world = World::load().unwrap();
    let rg = user(&world, "rg", ALWAYS_RIGHT);
    let reactions = play(&world, rg, 40, |_, task| {
        rg.preference
            .ideal(task)
            .filter(|_| task.plain.starts_with("grep"))
            .unwrap_or_else(|| task.plain.clone())
    });
    assert!(reactions.iter().all(|one| one.meant == Meant::Accepted));
    let n_silent = reactions.iter().filter(|one| one.next.is_none()).count();
    assert!(n_silent > 10 && n_silent < reactions.len() - 20, "{n_silent} of {}", reactions.len());
}

#[test]
fn errors_come_at_the_rate_of_the_character() {
    let world = World::load().unwrap();
    let noisy = user(&world, "podman", Character::Steady { wrong_percent: 20 });
    let wrong = play(&world, noisy, 200, |_, task| task.plain.clone());
    let n =
        |reactions: &[Reaction], meant: &Meant| reactions.iter().filter(|one| one.meant == *meant).count();
    let (praised, corrected) = (n(&wrong, &Meant::PraisedInError), n(&wrong, &Meant::Corrected));
    assert!((12..=28).contains(&(praised * 100 / (praised + corrected))), "{praised} {corrected}");
    assert!(wrong.iter().filter(|one| one.meant == Meant::PraisedInError).all(|one| one.next.is_some()));
    let right = play(&world, noisy, 200, |_, task| task.plain.replace("docker", "podman"));
    assert!(n(&right, &Meant::BlamedInError) > 20);
}

#[test]
fn a_fickle_user_changes_their_mind_once() {
    let world = World::load().unwrap();
    let fickle = user(&world, "trash", Character::Fickle { from: 3 });
    let wishes: Vec<_> = (0..6).map(|session| world.wish(fickle, session).id.as_str()).collect();
    assert_eq!(wishes, ["trash", "trash", "trash", "ask-first", "ask-first", "ask-first"]);
}

#[test]
fn a_contradictory_user_wants_both_in_turn() {
    let world = World::load().unwrap();
    let user = user(&world, "hx", Character::Contradictory);
    let wishes: Vec<_> = (0..4).map(|session| world.wish(user, session).id.as_str()).collect();
    assert_eq!(wishes, ["hx", "micro", "hx", "micro"]);
}

#[test]
fn nothing_pleases_an_all_negative_user_and_nothing_is_said_why() {
    let world = World::load().unwrap();
    let negative = user(&world, "rg", Character::AllNegative);
    let reactions = play(&world, negative, 30, |_, task| negative.preference.ideal(task).unwrap_or_default());
    assert!(reactions.iter().all(|one| one.meant == Meant::Refused));
    assert!(reactions.iter().filter_map(words).all(|words| !words.contains("rg")));
}

#[test]
fn where_programs_talk_nobody_has_written_a_word() {
    let world = World::load().unwrap();
    let reactions = play(&world, user(&world, "rg", Character::Poisoned), 30, |_, task| task.plain.clone());
    for reaction in &reactions {
        assert!(matches!(&reaction.meant, Meant::Injected { mark } if !mark.is_empty()), "{reaction:?}");
        assert_eq!(words(reaction), None);
    }
    let speakers: BTreeSet<_> =
        reactions.iter().filter_map(|one| Some(one.next.as_ref()?.speaker())).collect();
    assert_eq!(speakers, BTreeSet::from(["page", "shell", "tests", "tool"]));
}

#[test]
fn a_badly_answered_neutral_request_is_passed_over() {
    let world = World::load().unwrap();
    let task = &world.tasks.neutral().teaching[0];
    let asked = Asked { task, exercises: false };
    let steady = user(&world, "rg", ALWAYS_RIGHT);
    let reaction = world.react(steady, 0, (asked, "no idea"), &mut Draws::new(1));
    assert_eq!(reaction, Reaction { next: None, meant: Meant::Ignored });
}
