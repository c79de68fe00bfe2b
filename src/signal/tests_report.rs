//! What a report of tests or a build says: how many passed, how many failed, whether any ran.
//!
//! Counts come first (`3 passed`, `failures=1`, attributes of `JUnit`), then the marks that runners put at the start of a
//! line. A test that is named `test_error` and passes is no failure: names are never read.

use std::ops::Range;

use super::{Evidence, Says, Signal};

/// Starts of lines that only a failure prints.
const FAILED: &[&str] = &[
    "FAILED",
    "--- FAIL:",
    "FAIL\t",
    "FAIL ",
    "not ok ",
    "error[E",
    "error: ",
    "ERROR ",
    "ERRORS",
    "✕ ",
    "✗ ",
    "✖ ",
    "× ",
    "BUILD FAILED",
    "BUILD FAILURE",
    "SyntaxError",
    "IndentationError",
    "E   ",
    "thread '",
    "panic:",
    "fatal error:",
    "<failure",
    "<error",
    "Build failed",
    "Build FAILED",
    "FAILURES!",
    "FAILURE:",
    "npm ERR!",
    "FAIL:",
    "ERROR:",
    "make: ***",
    "ninja: build stopped",
    "collect2: error",
    "AssertionError",
];
/// Starts of lines that say that all is well, without a count.
const PASSED: &[&str] = &[
    "PASS",
    "ok \t",
    "ok  \t",
    "ok  ",
    "BUILD SUCCESSFUL",
    "BUILD SUCCESS",
    "All tests passed",
    "all tests passed",
    "OK",
    "test result: ok",
    "Finished `",
    "Finished dev",
    "Finished release",
    "Build succeeded",
    "✓ ",
    "✔ ",
    "--- PASS",
    "All checks passed",
    "Success: no issues",
];
const NOT_RUN: &[&str] = &[
    "no tests ran",
    "no tests found",
    "no test files",
    "collected 0 items",
    "running 0 tests",
    "keyboardinterrupt",
    "still running",
    "timed out",
    "no tests to run",
    "no tests executed",
    "collecting ...",
];
/// A compiler's complaint: `file:3:5: error: …`, `file.ts(3,5): error TS…`.
const DIAGNOSTICS: &[&str] = &[
    ": error:",
    ": fatal error:",
    ": error ts",
    "): error",
    ": undefined reference",
    "' panicked at",
    ": syntaxerror:",
];

/// What a report counts.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    /// The first count or mark of a failure.
    failure: Option<Range<usize>>,
    success: Option<Range<usize>>,
    /// A runner's summary was read, whatever it counts.
    has_summary: bool,
}

/// The signal of a report.
pub(super) fn reported(report: &str) -> Vec<Signal> {
    let counts = counted(report);
    let marked = marks(report);
    let none_ran = not_run(report);
    if counts.failed > 0 {
        return vec![signal("tests.failed", Says::Bad, 0.9, counts.failure.unwrap_or_default())];
    }
    if let (Some(span), None) = (none_ran.clone(), &counts.success) {
        return vec![signal("tests.not_run", Says::Nothing, 0.85, span)];
    }
    match (marked.failure, counts.success.or(marked.success)) {
        // A count of zero failures outweighs a mark: the mark is a test's own output.
        (Some(_), Some(success)) if counts.passed > 0 => {
            vec![signal("tests.passed", Says::Good, 0.8, success)]
        }
        (Some(span), _) => vec![signal("tests.failed", Says::Bad, 0.85, span)],
        (None, Some(span)) => vec![signal("tests.passed", Says::Good, 0.9, span)],
        (None, None) if counts.has_summary => vec![signal("tests.not_run", Says::Nothing, 0.8, 0..0)],
        (None, None) => Vec::new(),
    }
}

/// Sums of all counts: `12 passed`, `failed: 3`, `errors="1"`, `Failures: 2`.
fn counted(report: &str) -> Counts {
    let mut counts = Counts::default();
    for (line, at) in lines(report) {
        if is_case(line) {
            continue;
        }
        let words = pieces(line);
        for (i, (word, span)) in words.iter().enumerate() {
            let before = i.checked_sub(1).and_then(|before| words.get(before));
            let number = number_beside(word, before, words.get(i + 1), line);
            if let Some((number, kind)) = number.zip(kind(word)) {
                let start = before
                    .filter(|(text, _)| text.parse::<u64>().is_ok())
                    .map_or(span.start, |(_, span)| span.start);
                count(&mut counts, number, kind, at + start..at + span.end);
            }
        }
        if let Some(ran) = ran_of(line) {
            counts.has_summary = true;
            counts.passed += ran;
        }
    }
    if counts.passed > 0 && counts.success.is_none() && counts.failed == 0 && report.contains("OK") {
        counts.success = report.find("OK").map(|start| start..start + 2);
    }
    counts
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Passed,
    Failed,
    /// Skipped, ignored: a summary all the same.
    Other,
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "passed" | "passing" | "pass" | "succeeded" | "completed" | "examples" | "example" => {
            Some(Kind::Passed)
        }
        "failed" | "failing" | "failures" | "failure" | "fail" | "errors" | "error" | "errored"
        | "broken" => Some(Kind::Failed),
        "skipped" | "ignored" | "todo" | "pending" | "xfailed" | "deselected" => Some(Kind::Other),
        _ => None,
    }
}

/// The count that belongs to the word: before it (`3 failed`), or behind `=` or `:` (`failures=3`, `Failures: 3`).
fn number_beside(
    word: &str,
    before: Option<&(String, Range<usize>)>,
    after: Option<&(String, Range<usize>)>,
    line: &str,
) -> Option<u64> {
    let number =
        |piece: Option<&(String, Range<usize>)>| piece.and_then(|(text, _)| text.parse::<u64>().ok());
    let small = line.to_lowercase();
    let assigned =
        [format!("{word}="), format!("{word}:"), format!("{word} =")].iter().any(|form| small.contains(form));
    if assigned { number(after) } else { number(before).or_else(|| failed_of(&small, word)) }
}

/// `1 of 12 tests failed`, `3 tests completed`.
fn failed_of(small: &str, word: &str) -> Option<u64> {
    let head = small.split(word).next()?;
    let numbers: Vec<u64> = head
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter_map(|piece| piece.parse().ok())
        .collect();
    let short = head.split_whitespace().count() <= 5 && head.contains("test");
    short.then(|| numbers.first().copied()).flatten()
}

fn count(counts: &mut Counts, number: u64, kind: Kind, span: Range<usize>) {
    counts.has_summary = true;
    match kind {
        Kind::Failed if number > 0 => {
            counts.failed += number;
            counts.failure.get_or_insert(span);
        }
        Kind::Passed if number > 0 => {
            counts.passed += number;
            counts.success.get_or_insert(span);
        }
        _ => {}
    }
}

/// `Ran 5 tests in 0.1s`, `OK (12 tests, 30 assertions)`, `tests="3"`.
fn ran_of(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("Ran ").or_else(|| line.strip_prefix("OK ("))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// One test's own line: its name may hold any word.
fn is_case(line: &str) -> bool {
    line.starts_with("test ") && line.contains(" ... ")
        || line.contains("::") && !line.starts_with("FAILED") && !line.starts_with("ERROR")
        || ["✓ ", "✔ ", "--- PASS", "PASS ", "ok ", "PASSED"].iter().any(|mark| line.starts_with(mark))
            && !line.contains("tests completed")
        || line.ends_with("PASSED")
        || line.ends_with(" ok")
}

fn marks(report: &str) -> Counts {
    let mut found = Counts::default();
    for (line, at) in lines(report) {
        let span = at..at + line.len();
        let small = line.to_lowercase();
        let failing_case = line.starts_with("test ") && small.ends_with("... failed")
            || line.ends_with(" FAILED")
            || line.ends_with(" ERROR");
        let failed = FAILED.iter().any(|mark| line.starts_with(mark))
            && (!line.starts_with("thread '") || small.contains("panicked"))
            || DIAGNOSTICS.iter().any(|mark| small.contains(mark))
            || line == "FAIL"
            || failing_case
            || line.contains("test result: FAILED");
        if failed && !is_case(line) || failing_case {
            found.failure.get_or_insert(span);
        } else if PASSED.iter().any(|mark| line.starts_with(mark)) || is_case(line) && !failing_case {
            found.success.get_or_insert(span);
        }
    }
    found
}

fn not_run(report: &str) -> Option<Range<usize>> {
    let (line, at) = lines(report).find(|(line, _)| {
        let small = line.to_lowercase();
        NOT_RUN.iter().any(|mark| small.contains(mark)) && !is_case(line)
    })?;
    Some(at..at + line.len())
}

/// Letters and digits in runs, in small letters, with their bytes in the line. A number with a point is one piece.
fn pieces(line: &str) -> Vec<(String, Range<usize>)> {
    let mut found: Vec<(String, Range<usize>)> = Vec::new();
    let mut start = None;
    for (at, letter) in line.char_indices().chain([(line.len(), ' ')]) {
        let inside = letter.is_alphanumeric() || matches!(letter, '_' | '.' | '/');
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = line.get(from..at).unwrap_or_default().trim_end_matches(['.', '/']);
                found.push((word.to_lowercase(), from..from + word.len()));
                start = None;
            }
            _ => {}
        }
    }
    found.retain(|(word, _)| !word.is_empty());
    found
}

/// Trimmed lines with where they begin.
fn lines(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |whole| {
        let start = at + whole.len() - whole.trim_start().len();
        at += whole.len();
        (whole.trim(), start.min(at))
    })
}

fn signal(rule: &str, says: Says, strength: f32, span: Range<usize>) -> Signal {
    Signal { rule: rule.into(), says, evidence: Evidence::Outcome, strength, span, is_directive: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(report: &str, expected: Option<Says>) {
        let found = reported(report);
        assert_eq!(found.first().map(|signal| signal.says), expected, "{report:?}: {found:?}");
    }

    const GOOD: Option<Says> = Some(Says::Good);
    const BAD: Option<Says> = Some(Says::Bad);
    const NOTHING: Option<Says> = Some(Says::Nothing);

    #[test]
    fn pytest_and_unittest() {
        check("12 passed in 0.34s", GOOD);
        check("===== 3 passed, 1 warning in 1.2s =====", GOOD);
        check("5 passed, 1 skipped", GOOD);
        check("1 failed, 11 passed in 0.40s", BAD);
        check("4 passed, 1 error in 0.3s", BAD);
        check("FAILED tests/test_sum.py::test_sum - assert -1 == 3", BAD);
        check("E   AssertionError: assert 1 == 2\n1 failed", BAD);
        check("ERROR test_x.py - SyntaxError: invalid syntax", BAD);
        check("no tests ran in 0.01s", NOTHING);
        check("ERROR: not found: tests/test_login.py\nno tests ran in 0.00s", NOTHING);
        check("collected 0 items", NOTHING);
        check("3 skipped", NOTHING);
        check("!!! KeyboardInterrupt !!!", NOTHING);
        check("Ran 5 tests in 0.1s\n\nOK", GOOD);
        check("Ran 5 tests in 0.1s\n\nFAILED (failures=1)", BAD);
        check("Ran 5 tests in 0.1s\n\nFAILED (errors=1)", BAD);
        check("tests/test_a.py::test_error_is_shown PASSED\n1 passed", GOOD);
        check("test_raises_error PASSED\n4 passed", GOOD);
    }

    #[test]
    fn cargo_and_go() {
        check("test result: ok. 12 passed; 0 failed; 0 ignored", GOOD);
        check(
            "running 1 test\ntest test_error ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored",
            GOOD,
        );
        check("test result: FAILED. 11 passed; 1 failed; 0 ignored", BAD);
        check("test a ... FAILED\ntest result: FAILED. 0 passed; 1 failed", BAD);
        check("thread 'a' panicked at 'assertion failed: left == right'", BAD);
        check("error[E0308]: mismatched types\nerror: could not compile `x`", BAD);
        check("running 0 tests\n\ntest result: ok. 0 passed; 0 failed", NOTHING);
        check(
            "running 0 tests\ntest result: ok. 0 passed; 0 failed\nrunning 2 tests\ntest result: ok. 2 passed; 0 failed",
            GOOD,
        );
        check("    Finished `dev` profile in 4.1s", GOOD);
        check("ok  \texample.com/x\t0.01s", GOOD);
        check("--- FAIL: TestX (0.00s)\nFAIL", BAD);
        check("--- PASS: TestFailure (0.00s)\nPASS", GOOD);
        check("?   \tx\t[no test files]", NOTHING);
        check("FAIL\tx\t0.01s", BAD);
    }

    #[test]
    fn javascript_java_and_compilers() {
        check("Tests: 3 passed, 3 total", GOOD);
        check("Tests: 1 failed, 2 passed, 3 total", BAD);
        check("Test Suites: 1 passed, 1 total\nTests: 4 passed, 4 total", GOOD);
        check("PASS test/a.test.js\n  ✓ shows an error (3 ms)", GOOD);
        check("✕ adds (2 ms)\nExpected: 3\nReceived: 4", BAD);
        check("3 passing (12ms)", GOOD);
        check("1 failing\n  1) adds: expected 3 to equal 4", BAD);
        check("0 failures, 3 examples", GOOD);
        check("3 examples, 1 failure", BAD);
        check("BUILD SUCCESSFUL", GOOD);
        check("BUILD FAILED", BAD);
        check("<testsuite tests=\"3\" failures=\"1\" errors=\"0\">", BAD);
        check("main.c:3:5: error: expected ';'", BAD);
        check("src/a.ts(3,5): error TS2304: Cannot find name 'x'.", BAD);
        check("All tests passed", GOOD);
        check("1 of 12 tests failed", BAD);
        check("not ok 2 - adds", BAD);
        check("0 passed, 0 failed", NOTHING);
        check("tests are still running", NOTHING);
        check("OK (12 tests)", GOOD);
        check("Tests run: 5, Failures: 0, Errors: 0, Skipped: 0", NOTHING);
        check("Tests run: 5, Failures: 1, Errors: 0, Skipped: 0", BAD);
        check("hello", None);
        check("", None);
    }
}
