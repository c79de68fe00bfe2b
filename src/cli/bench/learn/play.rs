//! One arm with one seed: users have their sessions, weights learn between them, and then everybody is asked what was
//! held out.
//!
//! Three households, each with a daemon of its own so that nobody spoils another's figures: the steady user with all
//! their wishes; users who are fickle, contradict themselves or are content with nothing; and one in whose place only
//! programs speak.

use std::path::Path;

use super::exam::{Answers, BaseAnswers, Neutral, SERVED, TEACHER, WEIGHTS};
use super::home::{Answered, Home, Learned};
use super::interrupt::Interrupt;
use super::metrics::{n_poisoned, share};
use super::preferences::Preference;
use super::report::{Arm, Round, Run, UserFigures};
use super::users::{Asked, Character, Meant, Reaction, User, World};
use crate::cli::output;
use crate::cli::served::Parts;
use crate::client::AnswerAs;
use crate::learn::shuffle::Draws;

/// What all runs share.
pub(super) struct Stage<'a> {
    interrupt: &'a Interrupt,
    base: BaseAnswers,
    /// What answered, as the daemon names it.
    pub(super) model: String,
}

impl<'a> Stage<'a> {
    pub(super) fn new(interrupt: &'a Interrupt) -> Self {
        Self { interrupt, base: BaseAnswers::default(), model: String::new() }
    }
}

/// Who plays what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Played<'a> {
    pub(super) world: &'a World,
    pub(super) arm: Arm,
    pub(super) seed: u64,
    /// Of the steady user.
    pub(super) n_wishes: usize,
    pub(super) n_sessions: usize,
    pub(super) wrong_percent: u64,
    /// Users type the lesson itself where they would correct.
    pub(super) teaches: bool,
    pub(super) only_steady: bool,
    /// A folder for the steady users' ledgers.
    pub(super) keep: Option<&'a Path>,
}

impl<'a> Played<'a> {
    /// `parts`: what a daemon of this arm is made of.
    pub(super) fn run(self, stage: &mut Stage<'_>, parts: &dyn Fn() -> Parts) -> anyhow::Result<Run> {
        let (mut run, n_promoted) = self.steady(stage, parts)?;
        if self.arm == Arm::Nothing {
            return Ok(run);
        }
        if !self.only_steady {
            let home = Home::open(parts(), stage.interrupt)?;
            let mut odd = Household::new(self, &home, self.odd_users());
            odd.live(stage.interrupt)?;
            run.users.extend(odd.seen.iter().map(Seen::figures));
            run.add_rounds(&odd.rounds);
        }
        run.poisoned_promotions = Some(self.poisoned(stage, parts)?);
        output::note(&format!("{}: done, {n_promoted} promoted", self.name()));
        Ok(run)
    }

    fn name(&self) -> String {
        format!("seed {}, {}", self.seed, self.arm.name())
    }

    fn wishes(&self) -> Vec<&'a Preference> {
        self.world.compatible(self.n_wishes, self.seed)
    }

    /// All figures of the steady user, and how many rounds promoted.
    fn steady(&self, stage: &mut Stage<'_>, parts: &dyn Fn() -> Parts) -> anyhow::Result<(Run, usize)> {
        let home = Home::open(parts(), stage.interrupt)?;
        stage.model = home.model()?;
        let character = Character::Steady { wrong_percent: self.wrong_percent };
        let wishes = self.wishes();
        let users = wishes.iter().map(|preference| User { preference, character }).collect();
        let mut house = Household::new(*self, &home, users);
        house.live(stage.interrupt)?;
        let mut run = Run::new(self.arm, self.seed);
        run.users = house.seen.iter().map(Seen::figures).collect();
        run.lesson_ms = house.slowest_ms;
        run.lessons =
            home.lessons()?.into_iter().map(|one| format!("{:?}: {}", one.state, one.text)).collect();
        run.add_rounds(&house.rounds);
        output::note(&format!("{}: held-out requests …", self.name()));
        run.set_neutral(Neutral::of(&home, &self.world.tasks, (self.arm.asking(), &mut stage.base))?);
        for (figures, wish) in run.users.iter_mut().zip(&wishes) {
            stage.interrupt.check()?;
            self.examine(&home, wish, (figures, &mut stage.base))?;
        }
        if let Some(folder) = self.keep {
            home.keep(folder, &self.name())?;
        }
        if self.arm != Arm::Nothing {
            home.take_back()?;
            for (figures, wish) in run.users.iter_mut().zip(&wishes) {
                let group = self.world.tasks.group(&wish.group);
                figures.obedience_after_forget = Answers::of(&home, group, SERVED)?.obedience(wish);
            }
        }
        let n_promoted = house.rounds.iter().filter(|round| round.is_promoted()).count();
        Ok((run, n_promoted))
    }

    fn examine(
        &self,
        home: &Home,
        wish: &Preference,
        (figures, base): (&mut UserFigures, &mut BaseAnswers),
    ) -> anyhow::Result<()> {
        let group = self.world.tasks.group(&wish.group);
        let obedience = |wanted| anyhow::Ok(Answers::of(home, group, wanted)?.obedience(wish));
        figures.obedience_before = Answers::of_base(home, group, base)?.obedience(wish);
        if self.arm == Arm::Nothing {
            return Ok(());
        }
        figures.obedience_with_lessons = obedience(TEACHER)?;
        if self.arm.learns() {
            figures.obedience_without_lessons = obedience(WEIGHTS)?;
        }
        figures.obedience_as_served = obedience(self.arm.asking())?;
        Ok(())
    }

    /// Wishes about different requests; the first two need something to change to.
    fn odd_users(&self) -> Vec<User<'a>> {
        let mut left = self.world.compatible(usize::MAX, self.seed);
        let mut with_rival = || {
            let at = left.iter().position(|one| one.rival.is_some())?;
            Some(left.remove(at))
        };
        let (fickle, contradictory) = (with_rival(), with_rival());
        let from = self.n_sessions.div_ceil(2);
        [
            (fickle, Character::Fickle { from }),
            (contradictory, Character::Contradictory),
            (left.first().copied(), Character::AllNegative),
        ]
        .into_iter()
        .filter_map(|(preference, character)| Some(User { preference: preference?, character }))
        .collect()
    }

    /// How often a program's words got through: promotions, lessons, and answers afterwards.
    fn poisoned(&self, stage: &Stage<'_>, parts: &dyn Fn() -> Parts) -> anyhow::Result<usize> {
        let home = Home::open(parts(), stage.interrupt)?;
        let wishes = self.wishes();
        let users: Vec<_> = wishes
            .iter()
            .take(2)
            .map(|preference| User { preference, character: Character::Poisoned })
            .collect();
        let mut house = Household::new(*self, &home, users);
        house.live(stage.interrupt)?;
        let mut texts: Vec<String> = home.lessons()?.into_iter().map(|lesson| lesson.text).collect();
        for user in &house.users {
            let answers = Answers::of(&home, self.world.tasks.group(&user.preference.group), SERVED)?;
            texts.extend(answers.texts().map(str::to_owned));
        }
        let marks: Vec<&str> = self.world.sayings.poison.iter().map(|one| one.mark.as_str()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let n_promoted = house.rounds.iter().filter(|round| round.is_promoted()).count();
        Ok(n_poisoned(&texts, &marks) + n_promoted)
    }
}

impl Run {
    fn add_rounds(&mut self, rounds: &[Learned]) {
        for round in rounds {
            *self.learning_wall_s.get_or_insert(0.0) += round.wall_s;
            *self.learning_cpu_s.get_or_insert(0.0) += round.cpu_s;
        }
        self.rounds.extend(rounds.iter().map(Round::from));
    }

    fn set_neutral(&mut self, neutral: Neutral) {
        self.unchanged = neutral.unchanged;
        self.unchanged_by_weights = neutral.unchanged_by_weights;
        self.quality_before = neutral.quality_before;
        self.quality_after = neutral.quality_after;
        self.length_ratio = neutral.length_ratio;
    }
}

/// Users of one daemon.
struct Household<'a> {
    played: Played<'a>,
    home: &'a Home,
    users: Vec<User<'a>>,
    /// Of each user, in their order.
    seen: Vec<Seen<'a>>,
    rounds: Vec<Learned>,
    /// From a correction to its lesson.
    slowest_ms: Option<f64>,
}

/// What a user has seen.
struct Seen<'a> {
    user: User<'a>,
    first_replies_right: Vec<bool>,
    /// The same request once more, right after it was corrected.
    again_right: Vec<bool>,
    draws: Draws,
}

impl Seen<'_> {
    fn figures(&self) -> UserFigures {
        UserFigures {
            again_right: share(self.again_right.iter().copied()),
            ..UserFigures::new(
                self.user.preference,
                self.user.character.name(),
                self.first_replies_right.clone(),
            )
        }
    }
}

impl<'a> Household<'a> {
    fn new(played: Played<'a>, home: &'a Home, users: Vec<User<'a>>) -> Self {
        let seen = users.iter().enumerate().map(|(at, user)| Seen {
            user: *user,
            first_replies_right: Vec::new(),
            again_right: Vec::new(),
            draws: World::reaction_draws(seed_of(played.seed, at)),
        });
        let seen = seen.collect();
        Self { played, home, users, seen, rounds: Vec::new(), slowest_ms: None }
    }

    /// All sessions; after each round of them the weights learn, where they do.
    fn live(&mut self, interrupt: &Interrupt) -> anyhow::Result<()> {
        let Played { world, n_sessions, seed, .. } = self.played;
        let plans: Vec<Vec<Vec<Asked<'a>>>> = self
            .users
            .iter()
            .enumerate()
            .map(|(at, user)| world.sessions(*user, n_sessions, seed_of(seed, at)))
            .collect();
        for session in 0..n_sessions {
            let name = self.played.name();
            output::note(&format!("{name}: session {} of {n_sessions} …", session + 1));
            for (at, plan) in plans.iter().enumerate() {
                interrupt.check()?;
                let asked = plan.get(session).map_or(&[][..], Vec::as_slice);
                self.one_session(at, session, asked)?;
            }
            if self.played.arm.learns() {
                self.learn()?;
            }
        }
        Ok(())
    }

    fn learn(&mut self) -> anyhow::Result<()> {
        let learned = self.home.learn()?;
        let name = self.played.name();
        output::note(&format!("{name}: learned for {:.1} s: {}", learned.wall_s, learned.outcome()));
        self.rounds.push(learned);
        Ok(())
    }

    fn one_session(&mut self, at: usize, session: usize, tasks: &[Asked<'a>]) -> anyhow::Result<()> {
        let Played { world, arm, .. } = self.played;
        let name = format!("user {at}, session {session}");
        for (number, asked) in tasks.iter().enumerate() {
            let Answered { turn, text } = self.home.ask(&asked.task.request, &name, arm.asking())?;
            let Some(seen) = self.seen.get_mut(at) else { return Ok(()) };
            let wish = world.wish(seen.user, session);
            if number == 0 {
                seen.first_replies_right.push(wish.is_right(asked.task, &text));
            }
            let reaction = world.react(seen.user, session, (*asked, &text), &mut seen.draws);
            let active_ms = self.pass_on(wish, turn, &reaction)?;
            self.slowest_ms = [self.slowest_ms, active_ms].into_iter().flatten().reduce(f64::max);
            if reaction.meant == Meant::Corrected {
                let again = self.home.ask(&asked.task.request, &name, arm.asking())?;
                let is_right = wish.is_right(asked.task, &again.text);
                self.seen.get_mut(at).into_iter().for_each(|seen| seen.again_right.push(is_right));
            }
        }
        Ok(())
    }

    /// What the user does next, in the way of the arm. If a lesson became active: after how many ms.
    fn pass_on(
        &self,
        wish: &Preference,
        turn: crate::turn::TurnId,
        reaction: &Reaction,
    ) -> anyhow::Result<Option<f64>> {
        let Some(next) = &reaction.next else { return Ok(None) };
        let is_corrected = reaction.meant == Meant::Corrected;
        match self.played.arm {
            Arm::Nothing => Ok(None),
            Arm::RawFollowUp => match next.human_words().filter(|_| is_corrected) {
                Some(words) => self.home.teach(words.text(), turn),
                None => Ok(None),
            },
            _ if self.played.teaches && is_corrected => self.home.teach(&wish.lesson, turn),
            _ => self.home.follow(turn, next),
        }
    }
}

impl Arm {
    /// How its users ask.
    fn asking(self) -> AnswerAs {
        AnswerAs { without_lessons: matches!(self, Self::AdapterOnly | Self::RawFollowUp), policy: None }
    }

    /// Whether weights learn.
    fn learns(self) -> bool {
        matches!(self, Self::AdapterOnly | Self::Both | Self::RawFollowUp)
    }
}

/// Users of one run differ in what they draw.
fn seed_of(seed: u64, user: usize) -> u64 {
    seed * 1000 + user as u64
}

#[cfg(test)]
mod tests;
