//! Rules as people write them, and command lines as they are ruled on.

use std::path::Path;

use super::*;

const RULES: &str = r#"
[[allow]]
command = "git status *"
[[allow]]
command = "git *"
in = "/p"
[[allow]]
command = "cargo test *"
[[allow]]
command = "ls *"
[[allow]]
command = "wc *"
[[allow]]
command = "rm -rf target"
[[allow]]
command = "rm -rf *"
[[allow]]
command = "rm -rf /"
[[allow]]
command = "rm -rf .."
[[allow]]
command = "rm -rf ."
[[allow]]
command = "rm -rf ~/x"
[[allow]]
command = "find *"
[[allow]]
command = "find . -name '*.pyc' -delete"
[[allow]]
command = "find / -delete"
[[allow]]
command = "sudo *"
[[allow]]
command = "ssh web *"
[[allow]]
command = "touch *.txt"
[[allow]]
command = "make"
in = "~/own"
[[ask]]
command = "git push"
[[deny]]
command = "git push --force"
why = "others work there"
[[deny]]
command = "curl"
[[deny]]
command = "rm -rf node_modules"
"#;

fn project() -> Project {
    Project::of("/p".into(), "/p/sub".into(), Some("/home/u".into()))
}

#[track_caller]
fn ruled_in(project: &Project, command: &str, decision: Decision) -> String {
    let rules = Rules::read(RULES, project).unwrap();
    let ruling = rule_on(&rules, command, project);
    assert_eq!(ruling.decision, decision, "{command}: {}", ruling.why);
    ruling.why
}

#[track_caller]
fn check(decision: Decision, commands: &[&str]) {
    for command in commands {
        ruled_in(&project(), command, decision);
    }
}

#[test]
fn what_every_part_is_allowed_to_do_runs() {
    check(
        Decision::Allow,
        &[
            "git status",
            "git status -s src",
            "/usr/bin/git status",
            "git status | wc -l",
            "cd src && cargo test",
            "ls; echo done",
            "time cargo test --release 2>&1",
            "bash -c 'git status; ls'",
            "ls > out.txt",
            "ls 2>/dev/null",
            "sudo ls /root",
            "git log $(ls) || ls".trim_end_matches("$(ls) || ls"),
            "touch a.txt",
            "NO_COLOR=1 ls",
            "ssh web uptime",
            "(ls; ls)",
            "if ls; then ls; fi",
        ],
    );
}

#[test]
fn what_any_part_is_not_allowed_to_do_asks() {
    check(
        Decision::Ask,
        &[
            "make",
            "echo hi",
            "cd src",
            "ls && make",
            "ls | sh",
            "ls | xargs ls",
            "ls $(make)",
            "ls `make`",
            "ls <(make)",
            "bash -c 'ls; make'",
            "bash",
            "sudo make",
            "./ls",
            "/tmp/ls",
            "touch a.md",
            "touch a.txt b.txt",
            "git push",
            "git -C x push origin",
            "",
            "'ls",
        ],
    );
}

#[test]
fn what_is_not_known_asks_whatever_is_allowed() {
    check(
        Decision::Ask,
        &[
            "ls $dir",
            "ls \"$dir\"",
            "ls $(ls)",
            "$ls",
            "cd $x; ls",
            "cd -; ls",
            "ls > $f",
            "ls > /etc/x",
            "ls >> ~/.bashrc",
            "ls > ../../x",
            "cd /tmp; ls > x",
            "LD_PRELOAD=x ls",
            "PATH=. ls",
            "PATH=.; ls",
            "env LD_PRELOAD=x ls",
            "eval \"$x\"",
            "source x",
            "git status & $y",
        ],
    );
}

#[test]
fn deny_wins_over_everything() {
    check(
        Decision::Deny,
        &[
            "git push --force",
            "git push origin main --force",
            "git push --force=x",
            "git -c a=b push --force",
            "ls && git push --force",
            "sudo git push --force",
            "bash -c 'git push --force'",
            "echo $(curl x)",
            "curl x | sh",
            "xargs curl",
            "/usr/bin/curl x",
            "'curl' x",
            "ssh web curl x",
            "rm -fr node_modules",
            "rm -r -f ./a node_modules $x",
            "cd $x && curl y",
        ],
    );
    assert_eq!(
        ruled_in(&project(), "git push --force", Decision::Deny),
        "Your rule denies `git push --force` (others work there)."
    );
    check(Decision::Ask, &["git push -f", "git push --force-with-lease"]);
}

#[test]
fn a_recursive_delete_outside_the_project_always_asks() {
    check(Decision::Allow, &["rm -rf target", "cd .. && rm -rf target", "find . -name '*.pyc' -delete"]);
    check(
        Decision::Ask,
        &[
            "rm -rf /",
            "rm -rf ..",
            "rm -rf ../..",
            "rm -rf ~/x",
            "rm -rf /p",
            "cd .. && rm -rf .",
            "cd / && rm -rf target",
            "cd; rm -rf target",
            "cd $x; rm -rf target",
            "rm -rf $x",
            "rm -rf \"$HOME\"",
            "rm -rf ../.git",
            "rm -rf ~root",
            "find / -delete",
            "find / -name x -delete",
            "find .. -exec rm {} +",
            "find -delete",
            "ls | xargs rm -rf",
            "sudo rm -rf /",
            "ssh web rm -rf x",
            "bash -c 'rm -rf /'",
            "rm -rf a*/../../..",
            "rsync -a --delete a/ /b",
        ],
    );
    let rules = Rules::read(RULES, &project()).unwrap();
    assert!(rule_on(&rules, "rm -rf ~/x", &project()).always_asks);
    let home = Project::of("/home/u".into(), "/home/u".into(), Some("/home/u".into()));
    ruled_in(&home, "rm -rf target", Decision::Ask);
    let root = Project::of("/".into(), "/".into(), Some("/home/u".into()));
    ruled_in(&root, "rm -rf target", Decision::Ask);
}

#[test]
fn what_is_grave_needs_a_rule_that_names_it() {
    check(Decision::Ask, &["git reset --hard", "rm -rf build", "git clean -fdx", "find . -exec rm {} +"]);
    check(Decision::Allow, &["git commit --amend", "rm -rf target"]);
}

#[test]
fn a_rule_holds_in_its_directory() {
    let own = Project::of("/home/u/own/a".into(), "/home/u/own/a".into(), Some("/home/u".into()));
    ruled_in(&own, "make", Decision::Allow);
    ruled_in(&own, "cd /p && make", Decision::Ask);
    ruled_in(&own, "git log", Decision::Ask);
    ruled_in(&own, "git status", Decision::Allow);
    let beside = Project::of("/home/u/owner".into(), "/home/u/owner".into(), Some("/home/u".into()));
    ruled_in(&beside, "make", Decision::Ask);
}

#[test]
fn links_are_followed() {
    let dir = std::env::temp_dir().join(format!("chela-rules-{}", std::process::id()));
    let project_dir = dir.join("project");
    std::fs::create_dir_all(project_dir.join(".git")).unwrap();
    std::fs::create_dir_all(dir.join("other/x")).unwrap();
    std::os::unix::fs::symlink(dir.join("other"), project_dir.join("target")).unwrap();
    let project = Project::at(&project_dir, Some("/home/u".into()));
    assert_eq!(project.root, std::fs::canonicalize(&project_dir).unwrap());
    ruled_in(&project, "rm -rf target", Decision::Ask);
    std::fs::remove_file(project_dir.join("target")).unwrap();
    ruled_in(&project, "rm -rf target", Decision::Allow);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    assert_eq!(Rules::read(text, &project()).unwrap_err().to_string(), expected);
}

#[test]
fn a_mistake_is_named_with_its_line() {
    check_error("[[allow]]\ncommand = ls\n", "line 2: string values must be quoted, expected literal string");
    check_error(
        "\n[[allow]]\ncommnd = \"ls\"\n",
        "line 3: unknown field `commnd`, expected one of `command`, `in`, `why`",
    );
    check_error("[[allow]]\nwhy = \"x\"\n", "line 1: missing field `command`");
    check_error(
        "[[alow]]\ncommand = \"ls\"\n",
        "line 1: unknown field `alow`, expected one of `allow`, `ask`, `deny`, `sandbox`",
    );
    check_error("[[deny]]\ncommand = \"\"\n", "line 2: ``: the pattern is empty");
    check_error(
        "[[allow]]\ncommand = \"a && b\"\n",
        "line 2: `a && b`: a pattern is one command; write a rule for each part",
    );
    check_error(
        "[[allow]]\ncommand = \"* x\"\n",
        "line 2: `* x`: the program must be named: it cannot have a `*`",
    );
    check_error(
        "[[allow]]\ncommand = \"ls > x\"\n",
        "line 2: `ls > x`: a pattern has a program and words, no redirection and no variable",
    );
    check_error(
        "[[allow]]\ncommand = \"ls\"\nin = \"src\"\n",
        "line 3: `src` is no absolute directory (~ is the home)",
    );
    check_error("[sandbox]\nenabled = 1\n", "line 2: invalid type: integer `1`, expected a boolean");
}

#[test]
fn the_default_file_says_nothing_and_its_examples_are_right() {
    assert_eq!(Rules::read(default_file(), &project()).unwrap(), Rules::default());
    let is_example =
        |line: &&str| line.starts_with("# [") || line.contains(" = \"") || line.starts_with("# write");
    let examples: Vec<&str> = default_file()
        .lines()
        .filter(|line| {
            !line.starts_with("# [[allow]]  ")
                && !line.starts_with("# [[ask]]  ")
                && !line.starts_with("# [[deny]]  ")
        })
        .filter(is_example)
        .collect();
    let text = examples.join("\n").replace("# ", "");
    let rules = Rules::read(&text, &project()).unwrap();
    assert_eq!(rules.rules.len(), 3);
    assert_eq!(rules.sandbox.write, [Path::new("/home/u/.cargo"), Path::new("/home/u/.cache")]);
}

#[track_caller]
fn check_proposed(command: &str, expected: &[&str]) {
    let rules = rules_for(&Rules::default(), command, &project()).unwrap();
    assert_eq!(rules.iter().map(|rule| rule.command.as_str()).collect::<Vec<_>>(), expected, "{command}");
    assert!(rules.iter().all(|rule| rule.within.as_deref() == Some(Path::new("/p"))));
}

#[test]
fn always_is_as_narrow_as_it_can_be() {
    check_proposed("ls -la src", &["ls *"]);
    check_proposed("git status -s", &["git status *"]);
    check_proposed("cargo test --release x", &["cargo test *"]);
    check_proposed("cd sub && cargo build 2>&1 | tail -5", &["cargo build *", "tail *"]);
    check_proposed("touch a.txt", &["touch a.txt"]);
    check_proposed("touch 'a b'", &["touch 'a b'"]);
    check_proposed("rm a.txt", &["rm a.txt"]);
    check_proposed("rm -rf build", &["rm -rf build"]);
    check_proposed("git reset --hard", &["git reset --hard"]);
    check_proposed("sudo ls", &["sudo ls", "ls *"]);
    check_proposed("git -c a=b status", &["git -c a=b status"]);
    check_proposed("bash -c 'ls; pwd'", &["ls *"]);
    check_proposed("echo hi", &["echo hi"]);
}

#[test]
fn always_is_not_offered_where_nothing_could_allow_it() {
    for command in ["rm -rf /", "ls $x", "curl x | sh", "ls > /etc/x", "A=1 make", "'"] {
        assert!(rules_for(&Rules::default(), command, &project()).is_err(), "{command}");
    }
    let rules = Rules::read(RULES, &project()).unwrap();
    assert!(rules_for(&rules, "git push --force", &project()).is_err());
    assert!(rules_for(&rules, "git push", &project()).is_err(), "an ask rule stays");
}

#[test]
fn added_rules_leave_the_file_as_it_is() {
    let rules = rules_for(&Rules::default(), "git status -s", &project()).unwrap();
    let text = with_rules(default_file(), &rules, "2026-01-02").unwrap();
    assert!(text.starts_with(default_file().trim_end()), "{text}");
    assert!(
        text.ends_with(
            "\n[[allow]]\ncommand = \"git status *\"\nin = \"/p\"\nwhy = \"always, said on 2026-01-02\"\n"
        ),
        "{text}"
    );
    let again =
        with_rules(&text, &rules_for(&Rules::default(), "touch 'a b'", &project()).unwrap(), "2026-01-03")
            .unwrap();
    let read = Rules::read(&again, &project()).unwrap();
    assert_eq!(
        read.rules.iter().map(|rule| rule.command.as_str()).collect::<Vec<_>>(),
        ["git status *", "touch 'a b'"]
    );
    assert_eq!(rule_on(&read, "touch 'a b' && git status", &project()).decision, Decision::Allow);
    let own = with_rules(RULES, &rules, "2026-01-02").unwrap();
    assert!(
        Rules::read(&own, &project()).unwrap().rules.len()
            == Rules::read(RULES, &project()).unwrap().rules.len() + 1
    );
}
