//! The dashboard of the review pane: whole screens at three sizes, and what its keys ask for.

use chela::daemon::wire::looking::LoopStats;
use chela::daemon::wire::{LearnPhase, LoopEvent};
use chela::tui::mouse::{Mouse, MouseKind};
use chela::tui::review::{Effect, Event};
use crossterm::event::KeyCode;
use insta::assert_snapshot;
use serde_json::{Value, json};

use super::SIZES;
use super::stage::{NOW, Stage, varied};

fn gate(version: u32, promoted: bool, obeyed: u32, canaries: u32) -> Value {
    let compared = |kept: u32, was: u32, of: u32| json!({"candidate": {"kept": kept, "of": of}, "serving": {"kept": was, "of": of}});
    json!({
        "run": version, "at": NOW - i64::from(9 - version) * 3_600_000, "version": version, "is_promoted": promoted,
        "obeyed": compared(obeyed, 6, 20), "canaries": compared(canaries, 40, 40),
        "held_out": compared(12, 12, 12), "neutral": compared(59, 60, 60),
        "kl_to_base": 0.031, "length_ratio": 0.98, "secrets": 0, "reasons": []
    })
}

fn day(day: u32, source: &str, good: u32, bad: u32) -> Value {
    json!({"day": format!("2026-11-{day:02}"), "source": source, "good": good, "bad": bad, "unclear": 0})
}

fn learning() -> Value {
    json!({
        "dial": "careful", "when": "idle", "paused": false, "running": null, "progress": null,
        "waits_for": "the machine is in use", "n_waiting": 2, "learned_today_s": 0, "last": null
    })
}

fn calibration() -> Value {
    serde_json::to_value(chela::judge::calibration::calibration(&[])).unwrap()
}

fn stats() -> LoopStats {
    serde_json::from_value(json!({
        "from": "2026-10-27", "to": "2026-11-23",
        "rewards": [day(3, "shell", 1, 3), day(9, "chat", 2, 2), day(12, "shell", 2, 2), day(15, "chat", 3, 1),
                    day(18, "shell", 6, 2), day(20, "chat", 5, 1), day(23, "chat", 4, 0), day(23, "shell", 9, 1)],
        "n_waiting": 3,
        "lessons": {"proposed": 1, "active": 5, "learned": 12, "retired": 2, "pruned": 1},
        "runs": {"promoted": 3, "rejected": 1},
        "gate": null, "judge": calibration(),
        "ledger": {"sessions": 56, "turns": 1234, "bytes": 12_345_678},
        "versions": [gate(1, true, 9, 40), gate(2, true, 15, 39), gate(3, false, 4, 31), gate(4, true, 19, 40)],
        "learning": learning(),
        "cost": {"rounds": 4, "wall_s": 1520.0, "rounds_measured": 4, "cpu_s": 2890.5, "rounds_with_energy": 2, "package_joules": 54_000.0},
        "disk": {"ledger": 12_345_678, "adapters": 68_000_000, "rounds": 0, "backups": 9_000_000, "models": 8_100_000, "logs": 240_000}
    }))
    .unwrap()
}

fn empty() -> LoopStats {
    let mut stats = stats();
    (stats.rewards, stats.versions, stats.n_waiting) = (Vec::new(), Vec::new(), 0);
    stats.lessons.clear();
    stats.cost = serde_json::from_value(json!({
        "rounds": 0, "wall_s": 0.0, "rounds_measured": 0, "cpu_s": 0.0, "rounds_with_energy": 0, "package_joules": 0.0
    }))
    .unwrap();
    stats.disk.adapters = 0;
    stats
}

fn check(name: &str, stats: fn() -> LoopStats, play: impl Fn(&mut Stage)) {
    for (columns, rows) in SIZES {
        let mut stage = Stage::with(columns, rows, varied());
        stage.typed("2").event(Event::Stats(Ok(Box::new(stats()))));
        play(&mut stage);
        assert_snapshot!(format!("{name}_{columns}x{rows}"), stage.screen());
    }
}

fn progress() -> Event {
    Event::News(Box::new(LoopEvent::Learning {
        run: 5,
        phase: LearnPhase::Training,
        done: 12,
        total: 40,
        loss: Some(0.4),
        eta_s: Some(75.0),
    }))
}

#[test]
fn the_loop_at_a_glance() {
    check("board", stats, |_| {});
}

#[test]
fn what_is_being_learned_now() {
    check("board_learning", stats, |stage| {
        stage.event(progress());
    });
}

#[test]
fn the_end_of_a_long_dashboard() {
    check("board_end", stats, |stage| {
        stage.typed("G");
    });
}

#[test]
fn a_new_ledger_has_little_to_show() {
    check("board_empty", empty, |_| {});
}

#[test]
fn the_figures_are_counted_when_it_opens_and_when_they_change() {
    let mut stage = Stage::with(80, 24, varied());
    stage.take();
    stage.typed("2");
    assert_eq!(stage.take(), [Effect::LoadStats]);
    stage.event(Event::Stats(Ok(Box::new(stats()))));
    stage.event(progress());
    assert_eq!(stage.take(), []);
    let decided = LoopEvent::Decided {
        run: 5,
        version: chela::turn::PolicyVersion(5),
        is_promoted: true,
        reasons: Vec::new(),
    };
    stage.event(Event::News(Box::new(decided)));
    assert!(stage.take().contains(&Effect::LoadStats));
    assert!(!stage.screen().contains("12/40"));
    stage.typed("1");
    assert!(stage.screen().starts_with("chela review"));
}

#[test]
fn keys_of_the_list_change_nothing_behind_the_dashboard() {
    let mut stage = Stage::with(40, 12, varied());
    stage.typed("2").event(Event::Stats(Ok(Box::new(stats()))));
    stage.take();
    let top = stage.screen();
    stage.typed("dfpXwy+-ae");
    assert_eq!((stage.take(), stage.screen()), (vec![], top.clone()));
    stage.event(Event::Mouse(Mouse { kind: MouseKind::WheelDown, column: 3, row: 3 }));
    assert_ne!(stage.screen(), top);
    stage.typed("k");
    assert_eq!(stage.screen(), top);
    stage.key(KeyCode::Esc);
    assert!(stage.screen().starts_with("chela review"));
}

#[test]
fn a_daemon_that_does_not_answer_is_said() {
    let mut stage = Stage::with(80, 24, varied());
    stage.typed("2").event(Event::Stats(Err("the daemon does not start".into())));
    let screen = stage.screen();
    assert!(screen.contains("counting …") && screen.contains("the daemon does not start"), "{screen}");
}
