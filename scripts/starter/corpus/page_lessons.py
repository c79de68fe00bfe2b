"""Lessons on pages: two ways are offered, and a lesson says which is wanted; and lessons that do not matter there."""

from __future__ import annotations

from .draws import Draw
from .page_kinds import begun
from .screens import Element, Flow, name, names

CHOICES = [
    ("button", "Company account", "Personal account", "Choose an account", "continue to {x}"),
    ("button", "Express shipping", "Standard shipping", "Shipping", "choose how {x} is sent"),
    ("button", "Pay by invoice", "Pay by card", "Payment", "pay for {x}"),
    ("link", "Light theme", "Dark theme", "Theme", "choose a theme for {x}"),
    ("button", "Download as PDF", "Download as Word", "Download", "download {x}"),
    ("link", "English", "Deutsch", "Language", "choose the language of {x}"),
    ("button", "Email", "Text message", "Where to send the code", "get the code for {x}"),
    ("button", "Aisle seat", "Window seat", "Seats", "choose a seat to {x}"),
    ("link", "Work calendar", "Private calendar", "Calendars", "add {x} to a calendar"),
    ("button", "Yearly", "Monthly", "Plans", "subscribe to {x}"),
    ("button", "Pick up in store", "Send to my home", "Delivery", "order {x}"),
    ("button", "Print now", "Print later", "Printing", "print {x}"),
]  # fmt: skip
CHOOSING = ["choose {a}", "use {a}, not {b}", "take {a}", "always pick {a}", "prefer {a} to {b}", "never {b}",
    "{a}, please", "I want {a}", "{a} instead of {b}", "not {b} but {a}",
            "when there is {a}, take it", "we use {a}"]  # fmt: skip


def choice(draw: Draw) -> tuple[Flow, str, str]:
    """A flow of one choice, the lesson for it, and the answer without it (the first of the two)."""
    role, a, b, title, goal = draw.pick(CHOICES)
    if draw.chance(0.5):
        a, b = names(draw, 2)
        title, goal = (
            name(draw),
            draw.pick(["choose one for {x}", "continue with {x}", "pick a variant for {x}", "go on to {x}"]),
        )
    if draw.chance(0.5):
        a, b = b, a
    flow = begun(draw, goal.format(x=draw.word(2)), draw.pick([2, 4, 6]))
    pair = draw.shuffled([Element(role, a), Element(role, b)])
    flow.page(title, pair)
    flow.click(pair[0] if pair[0].label == a else pair[1])
    lesson = draw.wording(CHOOSING).format(a=draw.pick([a, a.lower()]), b=draw.pick([b, b.lower()]))
    return flow, lesson, f"click {pair[0].id}"


def irrelevant(draw: Draw) -> list[str]:
    texts = ["call me {w}", "use {w} instead of {x}", "keep answers short", "{w} means {x}", "choose {w}, not {x}",
        "the {w} server is {x}", "project {w} is in ~/{x}", "never use sudo",
             "for {w} take {x}", "my editor is {w}", "prefer {w} to {x}", "the password hint is {w}"]  # fmt: skip
    return [draw.wording(texts).format(w=draw.word(2), x=draw.word(2)) for _ in range(draw.pick([1, 1, 2, 3]))]
