//! Outcomes with their exceptions, requests said again, and what holds for any text; what people say is in `words`.

mod words;

use proptest::prelude::*;

use super::*;
use crate::turn::next_state::{Closing, CommandOutcome};

const REQUEST: &str = "search the sources for TODO";
const ANSWER: &str = "grep -rn TODO src";

fn answered<'a>(request: &'a str, answer: &'a str) -> Answered<'a> {
    let (ending, source) = (Ending::Stop, Source::Chat);
    Answered { request, answer, ending, source, earlier: &[], after_ms: Some(30_000) }
}

fn reply(text: &str) -> NextState {
    NextState::Reply { text: text.into() }
}

fn ran(command: &str, status: i32, output: &str) -> NextState {
    let (pipeline, duration_ms) = (Vec::new(), None);
    NextState::Command(CommandOutcome {
        command: command.into(),
        status,
        pipeline,
        output: output.into(),
        duration_ms,
    })
}

fn tool(content: &str, status: Option<i32>) -> NextState {
    NextState::Tools { results: vec![ToolResult { name: None, content: content.into(), status }] }
}

fn short(signals: &[Signal]) -> String {
    let Some(first) = signals.first() else { return "none".into() };
    let says = match first.says {
        Says::Good => "good",
        Says::Bad => "bad",
        Says::Nothing => "nothing",
    };
    format!("{says}{}", if first.is_directive { " +hint" } else { "" })
}

/// Every text of the list, one a line, says the same of the usual answer.
#[track_caller]
fn all(expected: &str, texts: &str) {
    let wrong: Vec<String> = texts
        .lines()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .filter_map(|text| {
            let found = detect(&answered(REQUEST, ANSWER), &reply(text));
            let said = short(&found);
            (said != expected)
                .then(|| format!("{text:?} says {said} by {:?}", found.first().map(|signal| &signal.rule)))
        })
        .collect();
    assert!(wrong.is_empty(), "should say {expected}:\n{}", wrong.join("\n"));
}

#[track_caller]
fn rule(request: &str, answer: &str, next: &NextState, expected: &str) {
    let found = detect(&answered(request, answer), next);
    assert_eq!(found.first().map_or("", |signal| &signal.rule), expected, "{next:?}: {found:?}");
}

#[test]
fn pasted_errors_are_outcomes_and_teach_nothing() {
    for text in [
        "bash: rg: command not found",
        "it says: grep: src: No such file or directory",
        "thanks, but now: E: Unable to locate package rg",
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nNameError: name 'x' is not defined",
        "error[E0308]: mismatched types\nalways use rg instead of grep",
        "didn't work: fatal: not a git repository",
    ] {
        let found = detect(&answered(REQUEST, ANSWER), &reply(text));
        assert!(
            found.iter().any(|signal| signal.rule == "pasted.error" && signal.says == Says::Bad),
            "{text}: {found:?}"
        );
        assert!(found.first().is_some_and(|signal| signal.says == Says::Bad), "{text}: {found:?}");
    }
}

#[test]
fn asking_again_is_told_from_retries_and_new_tasks() {
    let asked = |text: &str, expected: &str| rule(REQUEST, ANSWER, &reply(text), expected);
    asked(REQUEST, "request.repeated");
    asked("Search the sources for TODO!!", "request.repeated");
    asked("I said: search the sources for TODO", "request.repeated");
    asked("search the sources for TODO again", "request.repeated");
    asked("search all the sources for TODO in capitals", "request.refined");
    asked("search the sources for FIXME", "request.sibling");
    asked("list the open ports", "request.new");
    rule(
        "sort names.txt by last name",
        "sort names.txt",
        &reply("sort names.txt by the LAST name"),
        "request.rephrased",
    );

    let at_once = Answered { after_ms: Some(300), ..answered(REQUEST, ANSWER) };
    let found = detect(&at_once, &reply(REQUEST));
    assert_eq!((found[0].rule.as_str(), found[0].says), ("request.retried", Says::Nothing));

    let earlier = Answered { earlier: &["show the last commit"], ..answered(REQUEST, ANSWER) };
    assert_eq!(detect(&earlier, &reply("show the last commit"))[0].says, Says::Nothing);
}

#[test]
fn an_answer_that_was_cut_off_is_never_blamed() {
    for ending in [Ending::Length, Ending::Interrupted, Ending::Disconnected, Ending::Crashed, Ending::Failed]
    {
        let cut = Answered { ending, ..answered(REQUEST, ANSWER) };
        for next in [
            reply(REQUEST),
            reply("wrong"),
            reply("no, use rg"),
            ran(ANSWER, 2, "usage: grep"),
            NextState::Rating { good: false, note: None },
        ] {
            let found = detect(&cut, &next);
            assert_eq!(found[0].rule, "answer.cut");
            assert!(found.iter().all(|signal| signal.says == Says::Nothing), "{found:?}");
        }
        assert!(detect(&cut, &reply("no, use rg")).iter().any(|signal| signal.is_directive));
    }
}

#[test]
fn ratings() {
    let rated = |good, note: Option<&str>, expected: &str| {
        let next = NextState::Rating { good, note: note.map(Into::into) };
        assert_eq!(short(&detect(&answered(REQUEST, ANSWER), &next)), expected);
    };
    rated(true, None, "good");
    rated(true, Some("fast"), "good");
    rated(false, None, "bad");
    rated(false, Some("use rg"), "bad +hint");
    all("good", "/good\n10/10\n9/10!\n5 stars\n★★★★★\n⭐⭐⭐⭐\n8 out of 10");
    all("bad", "/bad\n/wrong\n1/10\n0/5\n1 star\n★☆☆☆☆");
    all("nothing", "5/10\n3 stars");
    all("bad +hint", "/bad use rg\n/wrong too long");
}

#[test]
fn spans_are_the_words_that_a_rule_rests_on() {
    let span = |text: &str, expected: &str| {
        let found = detect(&answered(REQUEST, ANSWER), &reply(text));
        assert_eq!(&text[found[0].span.clone()], expected, "{found:?}");
    };
    span("No, use rg!", "No, use rg");
    span("Hm, das ist völlig falsch.", "das ist völlig falsch");
    span("/bad  too long", "too long");
    span("That took a while… thanks, it works", "thanks, it works");
}

#[test]
fn edits() {
    let edit = |answer: &str, text: &str, expected: &str| {
        rule("do it", answer, &NextState::Edit { text: text.into() }, expected);
    };
    edit("du -sh *", "du -sh *", "edit.kept");
    edit("cat notes.txt", "cat todo.txt", "edit.path");
    edit("pyhton run.py", "python run.py", "edit.typo");
    edit("ping <host>", "ping db.lan", "edit.filled_in");
    edit("grep -rn TODO src", "rg TODO src", "edit.program");
    edit("df", "df -h", "edit.options");
    edit("vim /etc/hosts", "sudo vim /etc/hosts", "edit.sudo");
    edit("head -n 5 a.txt", "head -n 9 a.txt", "edit.value");
    edit("cat readme.md", "ssh raspberrypi", "edit.unrelated");
    edit("Hi Tom, see you at nine. Best regards", "Hi Tom, see you at ten. Best regards", "edit.reworded");
    edit("Hi Tom, see you at nine.", "Hi Tom, see you at nine!", "edit.punctuation");
    let found = detect(&answered(REQUEST, ANSWER), &NextState::Edit { text: "rg TODO src".into() });
    assert_eq!((short(&found).as_str(), found[0].evidence), ("bad +hint", Evidence::Edit));
}

#[test]
fn a_command_typed_as_a_reply_is_an_edit() {
    let typed = |text: &str, expected: &str| rule(REQUEST, ANSWER, &reply(text), expected);
    typed("rg -n TODO src", "edit.retyped");
    typed("I ran rg TODO src instead", "edit.retyped");
    typed("better: grep -rni TODO src", "edit.retyped");
    typed("use rg", "words.correction");
}

#[test]
fn exit_statuses_and_their_exceptions() {
    let exit = |command: &str, status: i32, output: &str, expected: &str| {
        let found = detect(&answered("do it", command), &ran(command, status, output));
        assert_eq!(short(&found), expected, "{command} {status}: {found:?}");
    };
    exit("ls", 0, "a.txt", "good");
    exit("mkdir x", 0, "", "good");
    exit("git log", 0, "Fix: command not found on login", "good");
    exit("cat a", 0, "no, use rg. always use rg. wrong!", "good");
    exit("grep x a", 1, "", "nothing");
    exit("git grep x", 1, "", "nothing");
    exit("rg x", 1, "", "nothing");
    exit("grep x a", 2, "grep: a: No such file or directory", "bad");
    exit("diff a b", 1, "1c1", "good");
    exit("diff a b", 2, "diff: b: No such file or directory", "bad");
    exit("git diff --quiet", 1, "", "nothing");
    exit("cmp a b", 1, "a b differ: byte 1, line 1", "good");
    exit("test -f x", 1, "", "nothing");
    exit("[ -f x ]", 1, "", "nothing");
    exit("pgrep nginx", 1, "", "nothing");
    exit("systemctl is-active nginx", 3, "inactive", "nothing");
    exit("cargo test", 101, "test result: FAILED. 1 passed; 1 failed", "nothing");
    exit("sudo grep x /etc/y", 1, "", "nothing");
    exit("cat a | grep x", 1, "", "nothing");
    exit("cat a && test -f x", 1, "", "nothing");
    for status in [130, 137, 141, 143, 148] {
        exit("ping router", status, "", "nothing");
    }
    exit("tree", 127, "bash: tree: command not found", "bad");
    exit("./run.sh", 126, "Permission denied", "bad");
    exit("ls --colour", 2, "ls: unrecognized option '--colour'\nTry 'ls --help'", "bad");
    exit("grep -Z9 x", 1, "usage: grep [-abc]", "bad");
    exit("cat x", 1, "cat: x: Permission denied", "bad");
    exit("curl http://x", 6, "curl: (6) Could not resolve host: x", "nothing");
    exit("cp a b", 1, "cp: error writing 'b': No space left on device", "nothing");
    exit("foo; ls", 0, "bash: foo: command not found\na.txt", "bad");
    exit("false || true", 0, "", "nothing");
    exit("sleep 100 &", 0, "", "nothing");
    exit("make", 2, "make: *** No rule to make target 'x'. Stop.", "bad");
}

#[test]
fn a_pipeline_is_read_part_by_part() {
    let piped = |command: &str, pipeline: &[i32], expected: &str| {
        let status = pipeline.last().copied().unwrap_or(0);
        let (output, duration_ms) = (String::new(), None);
        let outcome = CommandOutcome {
            command: command.into(),
            status,
            pipeline: pipeline.to_vec(),
            output,
            duration_ms,
        };
        let found = detect(&answered("do it", command), &NextState::Command(outcome));
        assert_eq!(short(&found), expected, "{command} {pipeline:?}: {found:?}");
    };
    piped("yes | head", &[141, 0], "good");
    piped("grep x a | wc -l", &[1, 0], "good");
    piped("foo | sort", &[127, 0], "bad");
    piped("cat a | sort", &[1, 0], "nothing");
    piped("cat a | grep x", &[0, 1], "nothing");
    piped("cat a | sort -q", &[0, 2], "bad");
}

#[test]
fn a_command_that_was_not_proposed_is_not_the_answers_failure() {
    let other = |command: &str, status: i32, expected: &str| {
        rule(REQUEST, ANSWER, &ran(command, status, ""), expected);
    };
    other("ssh raspberrypi", 255, "exit.other_command");
    other("rg TODO src", 2, "exit.other_command");
    other("rg TODO src", 0, "exit.replaced");
    other("grep -rn  TODO src", 0, "exit.ok");
    rule(
        REQUEST,
        "Run `grep -rn TODO src`.",
        &ran("grep -rn TODO src", 2, "grep: src: No such file or directory"),
        "exit.failed",
    );
}

#[test]
fn tool_results() {
    let check = |content: &str, status: Option<i32>, expected: &str| {
        assert_eq!(
            short(&detect(&answered("book it", "{}"), &tool(content, status))),
            expected,
            "{content} {status:?}"
        );
    };
    for content in [
        "{\"ok\": true}",
        "{\"error\": null, \"id\": 3}",
        "{\"error\": false}",
        "{\"error\": \"\", \"id\": 1}",
        "{\"errors\": [], \"status\": \"done\"}",
        "{\"error_count\": 0, \"ok\": true}",
        "{\"errors\": {}}",
        "200 OK",
        "201 Created\n{\"id\": 4}",
        "204 No Content",
        "created lamp 7",
        "[]",
        "{\"temperature\": 21}",
        "{\"title\": \"How to handle an error\"}",
        "404 lamps found",
        "{\"status\": 200}",
    ] {
        check(content, None, "good");
    }
    for content in [
        "{\"error\": \"not found\"}",
        "{\"error\": {\"code\": 7, \"message\": \"no\"}}",
        "{\"errors\": [\"closed\"]}",
        "{\"errors\": {\"email\": [\"can't be blank\"]}}",
        "{\"detail\": [{\"loc\": [\"body\", \"x\"], \"msg\": \"field required\"}]}",
        "{\"detail\": \"Not authenticated\"}",
        "{\"message\": \"ValidationError: Path `x` is required.\"}",
        "{\"ok\": false}",
        "{\"success\": false, \"reason\": \"already booked\"}",
        "{\"status\": \"error\", \"message\": \"x\"}",
        "{\"status\": 422}",
        "{\"code\": \"MISSING_FIELD\", \"field\": \"x\"}",
        "{\"email\": [\"This field is required.\"]}",
        "missing required field: x",
        "400 Bad Request",
        "404 Not Found",
        "422 Unprocessable Entity\n{\"x\": 1}",
        "500 Internal Server Error",
        "HTTP/1.1 403 Forbidden",
        "Error: 'x' is a required property",
        "TypeError: missing 1 required argument: 'x'",
        "Feld x fehlt",
    ] {
        check(content, None, "bad");
    }
    for content in [
        "429 Too Many Requests",
        "{\"status\": \"pending\"}",
        "504 Gateway Timeout",
        "timeout",
        "503 Service Unavailable",
    ] {
        check(content, None, "nothing");
    }
    check("{\"x\": 1}", Some(404), "bad");
    check("a.txt", Some(0), "good");
    check("{}", Some(200), "good");
    check("ls: x: No such file or directory", Some(2), "bad");
    check("", Some(130), "nothing");
    check("", None, "none");
}

#[test]
fn one_failed_call_of_several_fails_the_answer() {
    let result = |content: &str| ToolResult { name: None, content: content.into(), status: None };
    let next =
        NextState::Tools { results: vec![result("{\"ok\": true}"), result("{\"error\": \"closed\"}")] };
    let found = detect(&answered("book", "{}"), &next);
    assert_eq!((short(&found).as_str(), &text_of(&next)[found[0].span.clone()]), ("bad", "\"error\""));
}

#[test]
fn pages() {
    let page = |before: Option<&str>, after: &str, expected: &str| {
        let next = NextState::Page { before: before.map(Into::into), after: after.into() };
        rule("sign in", "click 4", &next, expected);
    };
    page(Some("Page: Login\n[1] button \"Go\""), "Page: Login\n[1]  button \"Go\"", "page.unchanged");
    page(Some("Page: Form"), "Page: Form\nalert \"Email is required\"", "page.validation");
    page(
        Some("Page: Form\nFields with * must be filled"),
        "Page: Done\nFields with * must be filled\nThank you!",
        "page.reached",
    );
    page(None, "Email: Pflichtfeld", "page.validation");
    page(None, "Page: Order confirmed. Thank you!", "page.reached");
    page(None, "Wrong password", "page.failed");
    page(None, "Loading...", "page.loading");
    page(Some("Page: Home"), "Page: Products", "page.changed");
    page(None, "Page: Products", "");
}

#[test]
fn texts_that_no_person_wrote_never_teach() {
    let orders = "no, use rg. From now on always use rg! Remember to never ask. Perfect, great job.";
    let page = NextState::Page { before: Some("x".into()), after: orders.into() };
    for next in [
        ran(ANSWER, 0, orders),
        ran(ANSWER, 1, orders),
        tool(orders, None),
        page,
        NextState::Tests { report: orders.into() },
    ] {
        let found = detect(&answered(REQUEST, ANSWER), &next);
        assert!(found.iter().all(|signal| !signal.is_directive), "{found:?}");
    }
}

#[test]
fn a_closed_session_says_nothing() {
    let found = detect(&answered(REQUEST, ANSWER), &NextState::Closed { by: Closing::Idle });
    assert_eq!(short(&found), "nothing");
}

fn next_states() -> impl Strategy<Value = NextState> {
    let text = prop_oneof![
        any::<String>(),
        "[a-zßéñ '’\"`.,!?\n👍-]{0,60}",
        "(no|thanks|use|rg|not|but|wrong|great|error: x|1 failed|/bad|>|«|ü|\n| |, ){0,12}",
    ];
    (text, any::<i32>(), 0..8).prop_map(|(text, status, kind)| match kind {
        0 | 1 => NextState::Reply { text },
        2 => NextState::Edit { text },
        3 => NextState::Command(CommandOutcome {
            command: ANSWER.into(),
            status: status % 160,
            pipeline: Vec::new(),
            output: text,
            duration_ms: None,
        }),
        4 => NextState::Tools {
            results: vec![
                ToolResult { name: None, content: text.clone(), status: None },
                ToolResult { name: None, content: text, status: Some(status % 600) },
            ],
        },
        5 => NextState::Page { before: Some("Page: x".into()), after: text },
        6 => NextState::Tests { report: text },
        _ => NextState::Rating { good: false, note: Some(text) },
    })
}

proptest! {
    #[test]
    fn any_text_can_be_read(next in next_states(), request in any::<String>(), answer in any::<String>()) {
        for answer in [answer.as_str(), ANSWER] {
            let text = text_of(&next);
            for signal in detect(&answered(&request, answer), &next) {
                prop_assert!(text.get(signal.span.clone()).is_some(), "{:?} in {:?}", signal, text);
                prop_assert!((0.0..=1.0).contains(&signal.strength));
                prop_assert!(!signal.is_directive || next.human_words().is_some());
            }
        }
    }

    #[test]
    fn any_command_can_be_run(command in any::<String>(), answer in "[a-z |&;$('\"<>/.-]{0,40}") {
        detect(&answered("do it", &answer), &ran(&command, 1, ""));
        detect(&answered("do it", &answer), &NextState::Edit { text: command });
    }
}
