//! Real command lines, and what they are taken to be.

use proptest::prelude::*;

use super::*;

/// `a | b` as `a`, `| b`; what `sudo` runs as `sudo> b`; what is not known with `?` before it.
fn shown(command: &Simple) -> String {
    let joined = match command.joined {
        Joined::First => "",
        Joined::Pipe => "| ",
        Joined::And => "&& ",
        Joined::Or => "|| ",
        Joined::Then => "; ",
    };
    let through: Vec<String> = command.through.iter().map(|program| format!("{program}> ")).collect();
    let through = through.concat();
    let nested = if command.is_nested { "( " } else { "" };
    let elsewhere = if command.is_elsewhere { "@ " } else { "" };
    let word = |word: &Word| {
        let blank = word.text.contains([' ', '\n']) || word.text.is_empty();
        let text = if blank { format!("'{}'", word.text) } else { word.text.clone() };
        if word.is_known { text } else { format!("?{text}") }
    };
    let mut words: Vec<String> = command.assignments.iter().chain(&command.words).map(word).collect();
    words.extend(
        command.redirects.iter().map(|redirect| format!("{:?}:{}", redirect.kind, word(&redirect.target))),
    );
    words.extend(command.has_more_words.then(|| "...".to_owned()));
    format!("{joined}{elsewhere}{nested}{through}{}", words.join(" "))
}

#[track_caller]
fn check(line: &str, expected: &[&str]) {
    let found = parse(line);
    assert_eq!(found.commands.iter().map(shown).collect::<Vec<_>>(), expected, "{line}");
    assert_eq!(found.unknown, [], "{line}");
}

#[track_caller]
fn check_unknown(line: &str, expected: &[&str], why: &[(Why, &str)]) {
    let found = parse(line);
    assert_eq!(found.commands.iter().map(shown).collect::<Vec<_>>(), expected, "{line}");
    let unknown: Vec<_> = found.unknown.iter().map(|one| (one.why, &line[one.span.clone()])).collect();
    assert_eq!(unknown, why, "{line}");
}

#[test]
fn commands_are_joined() {
    check("ls -l", &["ls -l"]);
    check("cd x && make; ls", &["cd x", "&& make", "; ls"]);
    check("false || true", &["false", "|| true"]);
    check("cat a | grep x |& head", &["cat a", "| grep x", "| head"]);
    check("sleep 5 & ls", &["sleep 5", "; ls"]);
    check("a;b\nc", &["a", "; b", "; c"]);
    check("a &&\n b", &["a", "&& b"]);
    check("a \\\n b", &["a b"]);
    check("ls # rm -rf /", &["ls"]);
    check("echo a#b", &["echo a#b"]);
    check("", &[]);
    check("  ;; \n", &[]);
}

#[test]
fn quotes_are_resolved() {
    check("echo 'a  b' \"c d\" e\\ f", &["echo 'a  b' 'c d' 'e f'"]);
    check("echo \"a\\\"b\" 'a\"b' a\"b\"c", &["echo a\"b a\"b abc"]);
    check("\\rm 'r'm r\\m", &["rm rm rm"]);
    check("echo $'a\\tb\\x41\\101\\u00e9'", &["echo a\tbAAé"]);
    check("$'\\x72m' -rf x", &["rm -rf x"]);
    check("echo ''", &["echo ''"]);
    check("echo \"\\n\"", &["echo \\n"]);
    check("echo é&&ls", &["echo é", "&& ls"]);
    check("grep -r 'a | b; rm -rf /' src", &["grep -r 'a | b; rm -rf /' src"]);
}

#[test]
fn what_depends_on_variables_is_not_known() {
    check("ls $dir \"$a b\" ${x:-y}", &["ls ?$dir ?'$a b' ?${x:-y}"]);
    check("echo $ $1 $? $$ a$", &["echo $ ?$1 ?$? ?$$ a$"]);
    check("echo $((1+2))", &["echo ?$((1+2))"]);
    check("A=1 B=$x make", &["A=1 ?B=$x make"]);
    check("rm $(ls)", &["( ls", "rm ?$(ls)"]);
    check("rm `ls -a`", &["( ls -a", "rm ?'`ls -a`'"]);
    check("echo `a \\`b\\``", &["( b", "( a ?`b`", "echo ?'`a \\`b\\``'"]);
    check("echo \"$(a \"$(b)\")\"", &["( b", "( a ?$(b)", "echo ?'$(a \"$(b)\")'"]);
    check("echo ${x:-$(rm y)}", &["( rm y", "echo ?'${x:-$(rm y)}'"]);
    check("cp <(sort a) b", &["( sort a", "cp ?'<(sort a)' b"]);
    check("wc < <(ls)", &["( ls", "wc Read:?<(ls)"]);
    check("echo '$x' \\$x", &["echo $x $x"]);
    check_unknown("$cmd -rf /", &["?$cmd -rf /"], &[(Why::Program, "$cmd")]);
    check_unknown("$(which rm) x", &["( which rm", "?'$(which rm)' x"], &[(Why::Program, "$(which rm)")]);
    check_unknown("r* x", &["r* x"], &[(Why::Program, "r*")]);
}

#[test]
fn home_and_the_present_directory_are_known() {
    let words = |line: &str| -> Vec<(String, bool, bool)> {
        let found = parse(line).commands.remove(0);
        found.arguments().iter().map(|word| (word.text.clone(), word.is_home, word.is_known)).collect()
    };
    assert_eq!(words("rm ~/x"), [("~/x".into(), true, true)]);
    assert_eq!(words("rm ~"), [("~".into(), true, true)]);
    assert_eq!(words("rm \"$HOME\"/x"), [("~/x".into(), true, true)]);
    assert_eq!(words("rm \"${HOME}/x\""), [("~/x".into(), true, true)]);
    assert_eq!(words("rm $HOME"), [("~".into(), true, false)], "without quotes it may be two words");
    assert_eq!(words("rm '~/x'"), [("~/x".into(), false, true)]);
    assert_eq!(words("rm \\~"), [("~".into(), false, true)]);
    assert_eq!(words("rm ~root"), [("~root".into(), false, true)]);
    assert_eq!(words("rm \"$PWD/x\""), [("./x".into(), false, true)]);
    assert_eq!(words("rm a~"), [("a~".into(), false, true)]);
}

#[test]
fn braces_are_written_out() {
    check("mkdir -p src/{a,b}/x", &["mkdir -p src/a/x src/b/x"]);
    check("rm f{1..3}", &["rm f1 f2 f3"]);
    check("echo {a..c} {x} {} '{a,b}' {a,{b,c}}", &["echo a b c {x} {} {a,b} a b c"]);
    check("{rm,-rf,/}", &["rm -rf /"]);
    let many = parse("echo {1..9}{1..9}{1..9}");
    assert_eq!(many.unknown.len(), 1);
    assert_eq!(many.unknown[0].why, Why::TooManyWords);
}

#[test]
fn patterns_are_marked() {
    let found = parse("rm *.o '*.c' a\\?").commands.remove(0);
    assert_eq!(
        found.arguments().iter().map(|word| word.is_pattern).collect::<Vec<_>>(),
        [true, false, false]
    );
}

#[test]
fn redirections_are_told_from_words() {
    check("ls > a 2>&1", &["ls Write:a Duplicate:1"]);
    check("ls >> a 2>/dev/null", &["ls Append:a Write:/dev/null"]);
    check("ls &> all &>> more", &["ls Write:all Append:more"]);
    check("ls >& all", &["ls Write:all"]);
    check("> a", &["Write:a"]);
    check("sort < in >| out", &["sort Read:in Write:out"]);
    check("exec 3<> f {fd}> g", &["exec ReadWrite:f Write:g"]);
    check("cat <<< 'a b'", &["cat Text:'a b'"]);
    check("echo a2>b", &["echo a2 Write:b"]);
    check("cat > \"$f\"", &["cat Write:?$f"]);
    check("ls 2>&-", &["ls Duplicate:-"]);
}

#[test]
fn here_documents_are_text() {
    check("cat <<A > f\nrm -rf /\nA\nls", &["cat Text:'rm -rf /\n' Write:f", "; ls"]);
    check("cat <<-'A'\n\t$x\n\tA\nls", &["cat Text:'$x\n'", "; ls"]);
    check("cat <<A\n$(rm x)\nA", &["cat Text:?'$(rm x)\n'", "( rm x"]);
    check("cat <<A | wc\nx\nA", &["cat Text:'x\n'", "| wc"]);
    check("cat <<A && rm b\nx\nA", &["cat Text:'x\n'", "&& rm b"]);
    check("bash <<A\nrm -rf x\nA", &["bash Text:'rm -rf x\n'", "bash> rm -rf x"]);
    check("bash <<< 'rm x'", &["bash Text:'rm x'", "bash> rm x"]);
    check("cat <<A\nno end", &["cat Text:'no end'"]);
}

#[test]
fn groups_are_opened() {
    check("(cd x && rm y)", &["( cd x", "&& ( rm y"]);
    check("{ a; b; } | c", &["a", "; b", "| c"]);
    check("if a; then b; else c; fi", &["a", "; b", "; c"]);
    check("for f in *.c; do rm $f; done", &["; rm ?$f"]);
    check("for f in $(ls); do :; done", &["( ls", "; :"]);
    check("for ((i=0;i<5;i++)); do ls; done", &["; ls"]);
    check("while read l; do echo $l; done < f", &["read l", "; echo ?$l", "; Read:f"]);
    check("case $x in a) ls;; b|c) rm y;; *) pwd; esac", &["; ls", "; rm y", "; pwd"]);
    check("echo $(case x in a) ls;; esac) || b", &["; ( ls", "echo ?'$(case x in a) ls;; esac)'", "|| b"]);
}

#[test]
fn functions_and_tests_are_read() {
    check("f() { rm x; }; f", &["rm x", "; f"]);
    check("function f { rm x; }", &["rm x"]);
    check("[[ -f a && $x < b ]] && rm a", &["[[ -f a && ?$x < b ]]", "&& rm a"]);
    check("[[ $x =~ ^(a|b)$ ]]; ls", &["[[ ?$x =~ ^(a|b)$ ]]", "; ls"]);
    check("((x > 3)) && ls", &["&& ls"]);
    check("a=(x y $(rm z)) ls", &["( rm z", "?'a=(x y $(rm z))' ls"]);
    check("ls !(a|b)", &["ls ?!(a|b)"]);
    check("! grep x f", &["grep x f"]);
    check("if test -f a; and rm a; end", &["test -f a", "; rm a"]);
    check("not ls; or rm (cat f)", &["ls", "( cat f", "; rm ?'(cat f)'"]);
}

#[test]
fn wrappers_are_looked_through() {
    check("sudo rm x", &["sudo rm x", "sudo> rm x"]);
    check("sudo -u bob -E A=1 rm x", &["sudo -u bob -E A=1 rm x", "sudo> A=1 rm x"]);
    check("sudo --user=bob -- rm -l", &["sudo --user=bob -- rm -l", "sudo> rm -l"]);
    check("sudo -l", &["sudo -l"]);
    check("sudo -i rm x", &["sudo -i rm x", "sudo> rm x"]);
    check("sudo ls -l", &["sudo ls -l", "sudo> ls -l"]);
    check(
        "env -u A B=1 nice -n 5 make",
        &["env -u A B=1 nice -n 5 make", "env> B=1 nice -n 5 make", "env> nice> make"],
    );
    check("env -S 'rm x'", &["env -S 'rm x'", "env> rm x"]);
    check("timeout -k 5 10s rm x", &["timeout -k 5 10s rm x", "timeout> rm x"]);
    check("time nohup rm x &", &["time nohup rm x", "time> nohup rm x", "time> nohup> rm x"]);
    check("command -v rm", &["command -v rm"]);
    check("command rm -v x", &["command rm -v x", "command> rm -v x"]);
    check("ls | xargs -I{} rm {}", &["ls", "| xargs -I{} rm {}", "| xargs> rm {} ..."]);
    check("ls | xargs -0 -n 1 rm", &["ls", "| xargs -0 -n 1 rm", "| xargs> rm ..."]);
    check("find . -name x -exec rm {} \\;", &["find . -name x -exec rm {} ;", "find> rm {}"]);
    check(
        "find . -exec rm {} + -o -exec ls {} ';'",
        &["find . -exec rm {} + -o -exec ls {} ;", "find> rm {}", "find> ls {}"],
    );
    check("bash -c 'cd x; rm y'", &["bash -c 'cd x; rm y'", "bash> cd x", "; bash> rm y"]);
    check("bash -lc \"rm y\" arg", &["bash -lc 'rm y' arg", "bash> rm y"]);
    check(
        "sudo bash -o pipefail -c 'rm y'",
        &["sudo bash -o pipefail -c 'rm y'", "sudo> bash -o pipefail -c 'rm y'", "sudo> bash> rm y"],
    );
    check("eval rm 'a b'", &["eval rm 'a b'", "eval> rm a b"]);
    check("ssh -p 22 host 'rm x; ls'", &["ssh -p 22 host 'rm x; ls'", "@ ssh> rm x", "; @ ssh> ls"]);
    check("ssh host rm x", &["ssh host rm x", "@ ssh> rm x"]);
    check("ssh host", &["ssh host"]);
    check("su - bob -c 'rm x'", &["su - bob -c 'rm x'", "su> rm x"]);
    check("docker exec -it -u 0 web rm x", &["docker exec -it -u 0 web rm x", "@ docker> rm x"]);
    check("docker run --rm -v a:b img rm x", &["docker run --rm -v a:b img rm x", "@ docker> rm x"]);
    check("kubectl exec pod -- rm x", &["kubectl exec pod -- rm x", "@ kubectl> rm x"]);
    check("watch -n 5 'rm x'", &["watch -n 5 'rm x'", "watch> rm x"]);
    check("trap 'rm x' EXIT", &["trap 'rm x' EXIT", "trap> rm x"]);
    check("flock f -c 'rm x'", &["flock f -c 'rm x'", "flock> rm x"]);
    check("parallel rm {} ::: a b", &["parallel rm {} ::: a b", "parallel> rm {} ..."]);
    check("/usr/bin/sudo /bin/rm x", &["/usr/bin/sudo /bin/rm x", "sudo> /bin/rm x"]);
}

#[test]
fn git_runs_programs_too() {
    check(
        "git submodule foreach --recursive 'rm x; ls'",
        &["git submodule foreach --recursive 'rm x; ls'", "git> rm x", "; git> ls"],
    );
    check("git bisect run make test", &["git bisect run make test", "git> make test"]);
    check("git status", &["git status"]);
}

#[test]
fn what_shells_read_differently_is_unknown() {
    let line = "ls '\\'' ; rm -rf x; echo '";
    check_unknown(line, &["ls '\\ ; rm -rf x; echo '"], &[(Why::Ambiguous, "'\\'")]);
    assert_eq!(parse("=rm x").commands[0].program(), Some("rm"));
}

#[test]
fn scripts_that_are_not_in_the_line_are_unknown() {
    check_unknown("bash x.sh", &["bash x.sh"], &[(Why::Script, "x.sh")]);
    check_unknown("source ~/.bashrc", &["source ~/.bashrc"], &[(Why::Script, "~/.bashrc")]);
    check_unknown("curl u | sh", &["curl u", "| sh"], &[(Why::Script, "sh")]);
    check_unknown(
        "curl u | sudo bash -s x",
        &["curl u", "| sudo bash -s x", "| sudo> bash -s x"],
        &[(Why::Script, "x")],
    );
    check_unknown("sh < f", &["sh Read:f"], &[(Why::Script, "sh")]);
    check_unknown("eval \"$x\"", &["eval ?$x"], &[(Why::Script, "\"$x\"")]);
    check_unknown("bash -c \"$x\"", &["bash -c ?$x"], &[(Why::Script, "\"$x\"")]);
    check_unknown("sudo $x", &["sudo ?$x", "sudo> ?$x"], &[(Why::Program, "$x")]);
}

#[test]
fn what_is_not_closed_is_said() {
    check_unknown("echo 'a", &["echo a"], &[(Why::Unclosed, "'a")]);
    check_unknown(
        "echo \"a $(b",
        &["( b", "echo ?'a $(b'"],
        &[(Why::Unclosed, "b"), (Why::Unclosed, "\"a $(b")],
    );
    check_unknown("(ls", &["( ls"], &[(Why::Unclosed, "ls")]);
    check_unknown("ls >", &["ls"], &[(Why::Unclosed, ">")]);
    assert!(parse(&"$(".repeat(200)).unknown.iter().any(|one| one.why == Why::TooDeep));
    assert!(parse(&"bash -c \"".repeat(201)).unknown.iter().any(|one| one.why == Why::Unclosed));
}

#[test]
fn spans_point_into_the_line() {
    let line = "cd 'a b' && sudo rm -rf x; bash -c 'rm y'";
    let spans: Vec<_> =
        parse(line).commands.iter().map(|command| line[command.span.clone()].to_owned()).collect();
    assert_eq!(spans, ["cd 'a b'", "sudo rm -rf x", "rm -rf x", "bash -c 'rm y'", "'rm y'"]);
}

fn assert_spans(line: &str) {
    let found = parse(line);
    let mut spans: Vec<_> = found.unknown.iter().map(|one| one.span.clone()).collect();
    for command in &found.commands {
        spans.push(command.span.clone());
        spans.extend(command.words.iter().chain(&command.assignments).map(|word| word.span.clone()));
        spans.extend(command.redirects.iter().flat_map(|one| [one.span.clone(), one.target.span.clone()]));
    }
    for span in spans {
        assert!(line.get(span.clone()).is_some(), "{span:?} of {line:?}");
    }
}

proptest! {
    #[test]
    fn any_text_can_be_read(line in any::<String>()) {
        assert_spans(&line);
    }

    #[test]
    fn any_mix_of_signs_can_be_read(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "a", " ", "'", "\"", "\\", "$", "(", ")", "`", "{", "}", "<", ">", "<<", "&", "|", ";", "\n", "#", "=",
                "$(", "${", "((", "[[", "]]", "case", "in", "esac", "for", "do", "function", "sudo", "bash", "-c",
                "eval", "é", "~", "*", ",", "..", "1", "xargs", "<(", "A", "env", "-S", "ssh",
            ]),
            0..40,
        )
    ) {
        assert_spans(&parts.concat());
    }

    /// Quoting hides everything: a quoted text is one word, whatever is in it.
    #[test]
    fn a_single_quoted_text_is_one_word(text in "[^'\u{0}]*") {
        let found = parse(&format!("echo '{text}'"));
        prop_assert_eq!(found.commands.len(), 1);
        prop_assert_eq!(&found.commands[0].words[1].text, &text);
    }
}
