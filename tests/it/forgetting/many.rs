//! Forgetting by the session, the folder, the time and the text, and forgetting everything.

use std::os::unix::fs::PermissionsExt;

use chela::config::Paths;
use chela::daemon::wire::Rate;
use chela::daemon::wire::forgetting::ForgottenCounts;
use chela::daemon::wire::shell::{ShellCommand, ShellCommands, ShellKind};
use chela::turn::SessionId;

use super::*;

const SHELL: &str = "0badcafe";
const NO_TURN: [TurnId; 0] = [];

impl Twin {
    fn ask_in(&self, session: &str, cwd: &str, text: &str) -> TurnId {
        let mut chat = request(text);
        let about = chat.chela.as_mut().unwrap();
        (about.session, about.cwd) = (SessionId(session.into()), Some(cwd.into()));
        let mut stream = self.served.client.chat(&chat).unwrap();
        let turn = opened(&mut stream).turn;
        assert!(rest(stream).2.is_none());
        turn
    }

    fn ran(&self, cwd: &str, text: &str, output: &str, suggestion: Option<TurnId>) {
        let command = ShellCommand {
            text: text.into(),
            status: 0,
            pipeline: Vec::new(),
            cwd: cwd.into(),
            cwd_after: None,
            output: Some(output.into()),
            duration_ms: None,
            suggestion,
            ended_ms: 1000,
        };
        let told = ShellCommands { shell: SHELL.into(), kind: ShellKind::Bash, commands: vec![command] };
        self.served.client.tell_shell(&told).unwrap();
    }

    fn remembered(&self) -> Vec<String> {
        let recent = self.served.client.shell_memory(SHELL).unwrap().recent;
        recent.into_iter().map(|command| command.text).collect()
    }

    fn listed(&self) -> Vec<TurnId> {
        let mut turns: Vec<TurnId> = self
            .served
            .client
            .turns(&TurnQuery::default())
            .unwrap()
            .turns
            .iter()
            .map(|line| line.turn.id)
            .collect();
        turns.sort();
        turns
    }

    fn sessions(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.served.client.sessions(100, "").unwrap().sessions.into_iter().map(|row| row.id.0).collect();
        names.sort();
        names
    }

    /// What a wish would do is what it then does.
    #[track_caller]
    fn forget_as_announced(&self, wish: &Forget) -> Forgotten {
        let would = self.forget(&Forget { dry_run: true, ..wish.clone() });
        let before = self.listed();
        assert!(would.dry_run && self.listed() == before, "nothing was done");
        let gone = self.forget(wish);
        assert_eq!((gone.counts, &gone.turns), (would.counts, &would.turns));
        assert!(gone.still_in.is_empty(), "{:?}", gone.still_in);
        gone
    }
}

fn nothing_but() -> Forget {
    Forget { rebuild: true, ..Forget::default() }
}

#[test]
fn a_session_goes_with_its_name() {
    let twin = serve();
    let gone = [twin.ask_in("alpha", "/a", "one"), twin.ask_in("alpha", "/a", "two")];
    let kept = twin.ask_in("beta", "/a", "three");
    twin.ask_in("alphabet", "/a", "four");
    let named = |name: &str| Forget { sessions: vec![SessionId(name.into())], ..nothing_but() };
    twin.check_refused(&named("alph"), "session alph does not exist");
    let report = twin.forget_as_announced(&named("alpha"));
    assert_eq!(report.turns.iter().map(|turn| turn.turn).collect::<Vec<_>>(), gone);
    assert_eq!((report.counts.turns, report.counts.sessions), (2, 1));
    assert_eq!(twin.sessions(), ["alphabet", "beta"]);
    twin.forget_as_announced(&named("alph"));
    assert_eq!((twin.sessions(), twin.listed()), (vec!["beta".to_owned()], vec![kept]));
    twin.served.stop();
}

#[test]
fn a_project_is_a_folder_with_all_below_it() {
    let twin = serve();
    twin.ask_in("alpha", "/srv/zebra", "one");
    twin.ask_in("alpha", "/srv/zebra/src", "two");
    let kept = [twin.ask_in("alpha", "/srv/zebra-2", "three"), twin.ask_in("beta", "/srv", "four")];
    let scope = Some(Scope::Project("/srv/zebra/src".into()));
    let lesson = twin
        .served
        .client
        .teach(&Teach { text: "use make instead of cmake".into(), scope, turn: None })
        .unwrap()
        .id;
    twin.ran("/srv/zebra/src", "make", "done", None);
    twin.ran("/srv", "ls", "zebra", None);
    let gone = twin.forget_as_announced(&Forget { project: Some("/srv/zebra/".into()), ..nothing_but() });
    let expected = ForgottenCounts { turns: 2, lessons: 1, shell_commands: 1, ..ForgottenCounts::default() };
    assert_eq!(gone.counts, ForgottenCounts { prompts: gone.counts.prompts, ..expected });
    assert_eq!(twin.listed(), kept);
    assert_eq!(twin.remembered(), ["ls"]);
    twin.served.client.lesson(lesson).unwrap_err();
    twin.check_refused(
        &Forget { project: Some("zebra".into()), ..nothing_but() },
        "name the folder from the root on",
    );
    twin.served.stop();
}

#[test]
fn what_was_said_run_and_typed_since_a_time_goes() {
    let twin = serve();
    let old = twin.ask_in("alpha", "/a", "one");
    let since = twin.served.client.turn(old).unwrap().started_at + 1;
    until(|| jiff::Timestamp::now().as_millisecond() > since);
    let rate = Rate { good: false, note: Some(format!("it should be {MARKER}")) };
    twin.served.client.rate(old, &rate).unwrap();
    twin.ask_in("alpha", "/a", &format!("two {MARKER}"));
    let typed = twin.served.paths.history_file();
    std::fs::write(
        &typed,
        format!(
            "{{\"at\":1,\"text\":\"one\"}}\n{{\"at\":{},\"text\":\"/bad {MARKER}\"}}\n",
            since / 1000 + 5
        ),
    )
    .unwrap();
    let gone = twin.forget_as_announced(&Forget { since: Some(since), ..nothing_but() });
    assert_eq!((gone.counts.turns, gone.counts.typed), (1, 1));
    assert!(gone.counts.followed >= 1, "{:?}", gone.counts);
    assert_eq!(twin.listed(), [old]);
    assert_eq!(twin.served.client.why(old).unwrap().next_states, []);
    assert_eq!(std::fs::read_to_string(typed).unwrap(), "{\"at\":1,\"text\":\"one\"}\n");
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

/// Three turns teach it, the weights learn it, and it stands in a command, its output, a note, a log and a history.
#[test]
fn a_text_is_found_in_everything_and_stands_in_no_file_afterwards() {
    let twin = serve();
    let other = twin.ask_in("beta", "/b", "unrelated");
    let kept = twin.ask_in("alpha", "/a", "how large is it");
    twin.ran("/a", "du -h", &format!("4K ./{}.txt", MARKER.to_uppercase()), Some(kept));
    twin.served
        .client
        .tell_next_state(kept, &chela::turn::next_state::NextState::Command(outcome()))
        .unwrap();
    twin.ran("/a", "true", "", None);
    let taught = [1, 2, 3].map(|n| twin.ask_in("alpha", "/a", &format!("search {MARKER} number {n}")));
    let lesson = twin.teach(LESSON, "grep", Some(taught[0]));
    assert_eq!(twin.ask(ASKED), (BASE, format!("{MARKER} sed {ASKED}")));
    assert_eq!(twin.learn().state, RunState::Promoted);
    leave_in_files(&twin.served.paths);
    assert!(holding_it(twin.served.home.path()).len() >= 7, "the test can see it");

    // Neither a whole word nor in its letters.
    let wish = Forget { matching: Some("ZebraFishMark".into()), ..nothing_but() };
    let gone = twin.forget_as_announced(&wish);
    assert_eq!(gone.lessons.iter().map(|lesson| lesson.id).collect::<Vec<_>>(), [lesson]);
    let counts = gone.counts;
    assert_eq!((counts.lessons, counts.versions, counts.typed, counts.log_lines), (1, 1, 2, 1), "{counts:?}");
    assert!(counts.followed >= 1 && counts.shell_commands >= 1 && counts.samples > 0, "{counts:?}");
    assert_eq!((gone.served, gone.serves), (V1, BASE));
    // What was asked about it stays where neither the request nor the answer says it.
    assert!(twin.listed().contains(&other) && twin.listed().contains(&kept), "{:?}", twin.listed());
    assert!(taught.iter().all(|turn| !twin.listed().contains(turn)));
    assert_eq!(twin.remembered(), ["true"]);
    assert_eq!(twin.versions(), []);
    check_what_stays_in_files(&twin.served.paths);
    until(|| twin.engine.loaded().is_empty());
    assert_eq!(holding_it(twin.served.home.path()), [] as [PathBuf; 0]);
    assert_eq!(twin.ask(ASKED), (BASE, format!("grep sed {ASKED}")), "back to the base");
    let again = twin.forget(&Forget { dry_run: true, ..wish });
    assert_eq!(again.counts, ForgottenCounts::default());
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

/// In a log, both input histories, what a shell and an editor left, and half of a history.
fn leave_in_files(paths: &Paths) {
    std::fs::write(paths.log_file(), format!("one line\nanother with {MARKER} in it\n")).unwrap();
    for typed in paths.typed_files() {
        let lines = format!("{{\"at\":1,\"text\":\"see the {MARKER}s\"}}\n{{\"at\":2,\"text\":\"hi\"}}\n");
        std::fs::write(typed, lines).unwrap();
    }
    std::fs::write(paths.shell_dir().join("0badcafe.line"), format!("  12  {MARKER}")).unwrap();
    // No process has this number.
    std::fs::write(paths.state_dir.join("message-2147483647.md"), MARKER).unwrap();
    std::fs::write(paths.history_file().with_extension("part"), MARKER).unwrap();
}

fn check_what_stays_in_files(paths: &Paths) {
    assert_eq!(std::fs::read_to_string(paths.log_file()).unwrap(), "one line\n");
    assert_eq!(std::fs::metadata(paths.log_file()).unwrap().permissions().mode() & 0o777, 0o644);
    for typed in paths.typed_files() {
        assert!(std::fs::read_to_string(typed).unwrap().contains("hi"));
    }
}

fn outcome() -> chela::turn::next_state::CommandOutcome {
    chela::turn::next_state::CommandOutcome {
        command: format!("cat {MARKER}"),
        status: 0,
        pipeline: Vec::new(),
        output: String::new(),
        duration_ms: None,
    }
}

#[test]
fn an_earlier_wording_goes_and_the_lesson_stays() {
    let twin = serve();
    let lesson = twin.teach(LESSON, "grep", None);
    let change = chela::daemon::wire::ChangeLesson {
        change: chela::daemon::wire::LessonWish::Reword { text: "use rg instead of grep".into() },
        reason: format!("no longer {MARKER}"),
    };
    twin.served.client.change_lesson(lesson, &change).unwrap();
    let gone = twin.forget_as_announced(&Forget { matching: Some(MARKER.into()), ..nothing_but() });
    assert_eq!((gone.counts.lessons, gone.counts.words > 0), (0, true), "{:?}", gone.counts);
    assert_eq!(twin.served.client.lesson(lesson).unwrap().lesson.text, "use rg instead of grep");
    let home = twin.served.stop();
    assert_eq!(holding_it(home.path()), [] as [PathBuf; 0]);
}

#[test]
fn everything_goes_and_what_comes_afterwards_is_new() {
    let twin = serve();
    let turns: Vec<TurnId> = (0..5).map(|n| twin.ask_in("alpha", "/a", &format!("{MARKER} {n}"))).collect();
    twin.teach(LESSON, "grep", Some(turns[0]));
    twin.teach(OTHER, "sed", None);
    assert_eq!(twin.learn().state, RunState::Promoted);
    twin.ran("/a", &format!("echo {MARKER}"), "", None);
    std::fs::write(twin.served.paths.history_file(), format!("{{\"at\":1,\"text\":\"{MARKER}\"}}\n"))
        .unwrap();
    let gone = twin.forget_as_announced(&Forget { all: true, ..nothing_but() });
    assert_eq!((gone.counts.lessons, gone.counts.versions, gone.rebuild), (2, 1, None));
    assert_eq!((twin.listed(), twin.sessions(), twin.versions()), (NO_TURN.to_vec(), Vec::new(), Vec::new()));
    assert_eq!(twin.served.client.lessons(None, "", 10).unwrap().lessons, []);
    assert_eq!(twin.served.client.learn_runs(10).unwrap().runs, []);
    assert_eq!(twin.remembered(), Vec::<String>::new());
    assert_eq!(holding_it(twin.served.home.path()), [] as [PathBuf; 0]);

    let next = twin.ask_in("alpha", "/a", "begin anew");
    assert!(turns.iter().all(|turn| *turn < next), "no number is given twice");
    assert_eq!(twin.served.client.sessions(10, "begin").unwrap().sessions.len(), 1, "it can be found");
    twin.forget_as_announced(&turns_of(&[next]));
    let home = twin.served.stop();
    let mut reader = chela::store::Reader::open(&paths_in(&home).ledger()).unwrap();
    assert_eq!(reader.integrity_check().unwrap(), Vec::<String>::new());
}

fn turns_of(named: &[TurnId]) -> Forget {
    Forget { turns: named.to_vec(), ..nothing_but() }
}

#[test]
fn a_version_that_practised_on_a_conversation_holds_what_that_began_with() {
    let twin = serve();
    let first = [Message::new(Role::User, format!("search for {MARKER}"))];
    let (asked, _, answer) = twin.say(None, &first);
    let thread = [
        first[0].clone(),
        Message::new(Role::Assistant, answer),
        Message::new(Role::User, "search src for todo"),
    ];
    let (next, ..) = twin.say(Some(asked), &thread);
    twin.teach(OTHER, "sed", Some(next));
    let run = twin.learn();
    assert_eq!(run.state, RunState::Promoted, "{}", reason(&run));
    let samples = twin.served.client.why(next).unwrap().samples;
    let would = twin.forget(&Forget { dry_run: true, ..turns_of(&[asked]) });
    let is_practised = samples.iter().any(|row| row.sample.role.is_trained_on());
    assert_eq!((would.versions.as_slice(), is_practised), ([V1].as_slice(), true), "{samples:?}");
    twin.served.stop();
}

#[test]
fn one_thing_is_forgotten_at_a_time_and_others_are_answered_meanwhile() {
    let gate = Gate::default();
    let held = gate.clone();
    let waits = Scripted::new(
        "scripted",
        4096,
        Box::new(move |_| vec![Step::Wait(held.clone()), Step::Say("done".into())]),
    );
    let twin = serve_in(home(), waits, Dial::Careful);
    let lesson = twin.teach(LESSON, "grep", None);
    std::thread::scope(|scope| {
        let first =
            std::thread::Builder::new().spawn_scoped(scope, || twin.forget(&lessons(&[lesson]))).unwrap();
        // It asks the version that serves, which waits.
        until(|| !twin.engine.asked().is_empty());
        let all = Forget { all: true, ..nothing_but() };
        twin.check_refused(&all, "something is being forgotten already; try again when that is done");
        assert_eq!(twin.listed(), NO_TURN);
        gate.open();
        assert_eq!(first.join().unwrap().counts.lessons, 1);
    });
    twin.served.stop();
}

#[test]
fn it_can_be_asked_for_over_http() {
    let twin = serve();
    let turn = twin.ask_in("alpha", "/a", MARKER);
    let address = "/chela/v1/forget";
    let would = twin.served.post(address, &[], &format!("{{\"matching\":\"{MARKER}\",\"dry_run\":true}}"));
    assert_eq!((would.status, would.json()["counts"]["turns"].as_u64()), (200, Some(1)), "{}", would.body);
    assert_eq!(would.json()["turns"][0]["turn"], turn.0);
    let empty = twin.served.post(address, &[], "{\"matching\":\" \"}");
    assert_eq!((empty.status, empty.message()), (400, "an empty text stands everywhere; name one".into()));
    assert_eq!(twin.served.post(address, &[], "{\"matchng\":\"x\"}").status, 400);
    twin.served.stop();
}
