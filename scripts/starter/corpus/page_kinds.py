"""The ways over pages that are exercised: each gives a flow from its first page to `done`."""

from __future__ import annotations

from .draws import Draw
from .interfaces import CITIES, TEXTS, THINGS
from .screens import Element, Flow, name, names

FRAMES = [
    "{}",
    "{}",
    "{}",
    "please {}",
    "{} please",
    "{}.",
    "I want to {}",
    "can you {}",
    "{} for me",
    "need to {}",
    "pls {}",
    "{}, thanks",
    "bitte {}",
    "quickly {}",
    "help me to {}",
]


def begun(draw: Draw, goal: str, crowd: int | None = None) -> Flow:
    goal = draw.wording(FRAMES).format(goal)
    return Flow(
        goal[:1].upper() + goal[1:] if draw.chance(0.4) else goal,
        draw,
        crowd if crowd is not None else draw.pick([3, 5, 8, 12]),
    )


def _crossed(draw: Draw, label: str, k: int) -> list[str]:
    """Labels like one: the word with something before or behind it, or with another ending."""
    forms = [
        f"{label} archive",
        f"New {label.lower()}",
        f"My old {label.lower()}",
        f"{label} help",
        f"{label}2",
        f"Import {label.lower()}",
        f"About {label.lower()}",
        label[:-1] + "ix",
    ]
    return draw.sample(forms, k)


def _similar(draw: Draw, role: str, label: str) -> list[Element]:
    """An element among others of its role, some with a similar name."""
    labels = [n for n in names(draw, draw.number(1, 4)) if n.lower() != label.lower()] + _crossed(
        draw, label, draw.number(0, 2)
    )
    return [Element(role, text) for text in draw.shuffled([*labels, label])]


def _at(elements: list[Element], label: str) -> Element:
    return next(e for e in elements if e.label == label)


def _said(draw: Draw, label: str) -> str:
    """A label in a goal: as it is, in lower case, or in quotes."""
    return draw.pick([label, label, label.lower(), f'"{label}"'])


def navigate(draw: Draw) -> Flow:
    label = name(draw)
    role = draw.pick(["link", "link", "button", "tab", "menuitem"])
    goal = draw.wording(["open {l}", "go to {l}", "show me {l}", "click on {l}", "take me to {l}", "open the {l} page",
        "visit {l}", "i need the {l} page", "switch to {l}",
                         "find the {l} section", "look at {l}", "show the {l} {r}", "get to {l}",
                         "bring up {l}"]).format(l=_said(draw, label), r=role)  # fmt: skip
    flow, core = begun(draw, goal), _similar(draw, role, label)
    flow.page(name(draw), core)
    flow.click(_at(core, label))
    if role == "tab":
        _at(core, label).state = "selected"
    else:
        flow.page(label, [Element("heading", label), *(Element("text", t) for t in names(draw, 2))])
    flow.done()
    return flow


def log_in(draw: Draw) -> Flow:
    user = draw.pick([f"{draw.user()}@{draw.pick(['example.com', draw.word() + '.org'])}", draw.user()])
    secret = draw.word(2) + str(draw.number(1, 99))
    goal = draw.wording(["log in as {u} with password {p}", "sign in with {u} / {p}", "login: {u}, password: {p}",
        "log me in ({u}, {p})", "use {u} and {p} to sign in",
                         "sign me in as {u}, password {p}", "enter with user {u} and password {p}",
                         "log in with {u} and {p}"]).format(u=user, p=secret)  # fmt: skip
    flow = begun(draw, goal)
    box = Element(
        "textbox",
        draw.pick(["Email", "User", "Username", "Login", "E-mail address"])
        if "@" in user
        else draw.pick(["User", "Username", "Login", "Account name"]),
    )
    word = Element("textbox", draw.pick(["Password", "Passphrase", "Your password"]))
    button = Element("button", draw.pick(["Sign in", "Log in", "Login", "Continue", "Enter"]))
    extra = [Element("checkbox", "Remember me")] if draw.chance(0.4) else []
    extra += (
        [Element("link", "Forgot password?"), Element("button", "Sign in with " + draw.word(2).capitalize())]
        if draw.chance(0.5)
        else []
    )
    flow.page(draw.pick(["Sign in", "Login", "Welcome", name(draw)]), [box, word, *extra, button])
    flow.type(box, user)
    flow.type(word, secret)
    word.value = "•" * len(secret) if draw.chance(0.5) else secret
    flow.click(button)
    flow.page(
        draw.pick(["Dashboard", "Home", "Overview"]),
        [Element("text", f"Signed in as {user}"), Element("link", draw.pick(["Log out", "Sign out"]))],
    )
    flow.done()
    return flow


def search(draw: Draw) -> Flow:
    wanted = draw.pick([draw.word(), f"{draw.word(2)} {draw.pick(THINGS)}", draw.pick(THINGS), draw.person()])
    title = name(draw)
    opens = draw.chance(0.5)
    goal = draw.wording(
        [
            "search for {w}",
            "find {w}",
            "look up {w}",
            "search {w}",
            "look for {w} here",
            "use the search to find {w}",
            "query {w}",
        ]
    ).format(w=draw.pick([wanted, f'"{wanted}"']))
    goal += (
        draw.pick([" and open {t}", ", then open {t}", " and click the result {t}"]).format(t=_said(draw, title))
        if opens
        else ""
    )
    flow = begun(draw, goal)
    box = Element(
        draw.pick(["textbox", "textbox", "searchbox"]),
        draw.pick(["Search", "Search the site", "Query", "What are you looking for?", "Find"]),
    )
    button = Element("button", draw.pick(["Search", "Go", "Find", "Submit"]))
    flow.page(name(draw), [box, button])
    flow.type(box, wanted)
    flow.click(button)
    results = _similar(draw, "link", title)
    flow.page(f"Results for {wanted}", [Element("textbox", "Search", wanted), *results])
    if opens:
        flow.click(_at(results, title))
        flow.page(title, [Element("heading", title)])
    flow.done()
    return flow


def _fields(draw: Draw, k: int) -> list[tuple[str, str]]:
    """Labels with values for a form."""
    table = {
        "Name": draw.person(), "Email": f"{draw.user()}@{draw.word()}.org",
        "City": draw.pick([*CITIES, draw.word(2).capitalize()]), "Phone": f"0{draw.number(1000000, 9999999)}",
        "Street": f"{draw.word(2).capitalize()} {draw.number(1, 99)}", "Amount": str(draw.number(1, 900)),
        "Quantity": str(draw.number(1, 50)), "Company": draw.word(2).capitalize(),
        "Subject": draw.word(), "Message": draw.pick(TEXTS).format(w=draw.word(), n=draw.number(2, 99)),
        "Zip code": str(draw.number(10000, 99999)), "Title": name(draw),
        "Date": f"2026-{draw.number(1, 12):02}-{draw.number(1, 28):02}", "Age": str(draw.number(18, 90)),
        name(draw): draw.word(), name(draw): str(draw.number(1, 999)),
        name(draw) + " number": str(draw.number(1, 9999)),
    }  # fmt: skip
    return draw.sample(list(table.items()), k)


def _told(draw: Draw, pairs: list[tuple[str, str]]) -> str:
    """The values of a form in a goal."""
    form = draw.pick(["{l} {v}", "{l}: {v}", "{l} = {v}", '{l} "{v}"', "{l} is {v}"])
    lower = draw.chance(0.6)
    texts = [form.format(l=label.lower() if lower else label, v=text) for label, text in pairs]
    return draw.pick([", ".join(texts), " and ".join(texts)]) if len(texts) < 3 else ", ".join(texts)


FORM = ["fill in the form: {v}", "enter {v} and save", "register with {v}", "submit {v}", "create an entry with {v}",
    "set {v}", "put in {v}", "complete the form with {v}",
        "add a record, {v}", "save {v}", "sign up: {v}", "send the form with {v}", "update my data: {v}",
        "write down {v}"]  # fmt: skip


def form(draw: Draw, guarded: bool = False) -> Flow:
    """Several fields, then the button; with `guarded` the button works only when all is filled in."""
    pairs = _fields(draw, draw.pick([1, 2, 2, 3]))
    flow = begun(draw, draw.wording(FORM).format(v=_told(draw, pairs)), draw.pick([2, 3, 6]))
    boxes = [Element("textbox", label + draw.pick(["", "", "*"])) for label, _ in pairs]
    spare = [
        Element("textbox", label) for label in names(draw, draw.number(0, 2)) if label.lower() not in flow.goal.lower()
    ]
    agree = (
        Element("checkbox", draw.pick(["I agree to the terms", "Accept the conditions", "I have read the rules"]))
        if guarded and draw.chance(0.5)
        else None
    )
    button = Element(
        "button",
        draw.pick(["Save", "Submit", "Send", "Create", "Continue", "OK", "Register"]),
        state="disabled" if guarded else "",
    )
    cancel = [Element("button", draw.pick(["Cancel", "Reset", "Discard"]))] if draw.chance(0.6) else []
    order = draw.shuffled([*boxes, *spare])
    flow.page(name(draw), [*order, *([agree] if agree else []), *draw.shuffled([button, *cancel])])
    # The form is filled in from top to bottom.
    values = {box.id: text for box, (_, text) in zip(boxes, pairs, strict=True)}
    for box in [e for e in order if e.id in values]:
        flow.type(box, values[box.id])
    if agree:
        flow.click(agree)
        agree.state = "checked"
    button.state = ""
    flow.click(button)
    flow.page(
        draw.pick(["Saved", "Thank you", "Done", "Overview"]),
        [
            Element(
                "text", draw.pick(["Your entry was saved", "We got your data", "Saved successfully", "Record created"])
            )
        ],
    )
    flow.done()
    return flow


def guarded(draw: Draw) -> Flow:
    return form(draw, guarded=True)


COMPLAINTS = ["{l} is not valid", "Please enter a valid {l}", "{l}: wrong format", "Check {l}", "Invalid {l}",
    "{l} could not be saved", "Error: {l} is wrong", "{l} does not match",
              "{l} is required", "Please correct {l}", "{l} was not found", "There is a problem with {l}"]  # fmt: skip


def complaint(draw: Draw) -> Flow:
    """A form came back: one field is wrong or empty, the page says which."""
    pairs = _fields(draw, draw.pick([1, 2, 2, 3]))
    flow = begun(draw, draw.wording(FORM).format(v=_told(draw, pairs)), draw.pick([2, 3, 6]))
    boxes = [Element("textbox", label, text) for label, text in pairs]
    i = draw.number(0, len(pairs) - 1)
    label, right = pairs[i]
    boxes[i].value = draw.pick(["", right[:-1], right[1:], right + "x", draw.word()])
    if boxes[i].value == right:
        boxes[i].value = ""
    button = Element("button", draw.pick(["Save", "Submit", "Send", "Continue", "OK"]))
    shown = Element(draw.pick(["text", "alert"]), draw.wording(COMPLAINTS).format(l=draw.pick([label, label.lower()])))
    flow.page(name(draw), draw.pick([[shown, *boxes, button], [*boxes, shown, button]]))
    flow.type(boxes[i], right)
    if draw.chance(0.5):
        flow.elements.remove(shown)
    flow.click(button)
    flow.page("Saved", [Element("text", "Your entry was saved")])
    flow.done()
    return flow


def option(draw: Draw) -> Flow:
    """A choice in a combobox: open it, then take the option."""
    label = draw.pick(
        [
            "Country",
            "Language",
            "Size",
            "Color",
            "Status",
            "Priority",
            "Currency",
            "Category",
            "Month",
            "Sort by",
            name(draw),
            name(draw),
        ]
    )
    options = names(draw, draw.number(2, 5))
    wanted, now = draw.sample(options, 2)
    saves = draw.chance(0.4)
    goal = draw.wording(
        [
            "set {l} to {w}",
            "choose {w} as {l}",
            "select {w} for {l}",
            "change {l} to {w}",
            "pick {w} in {l}",
            "{l} should be {w}",
            "make {l} {w}",
            "put {l} on {w}",
        ]
    )
    flow = begun(draw, goal.format(l=_said(draw, label), w=_said(draw, wanted)) + (" and save" if saves else ""))
    box = Element("combobox", label, now if draw.chance(0.7) else "")
    button = Element("button", "Save")
    flow.page(name(draw), [box, button])
    flow.click(box)
    listed = [Element("option", text, state="selected" if text == box.value else "") for text in options]
    at = flow.elements.index(box)
    closed = list(flow.elements)
    flow.page(flow.title, [*closed[: at + 1], *listed, *closed[at + 1 :]], keep=True)
    flow.click(_at(listed, wanted))
    box.value = wanted
    flow.page(flow.title, closed, keep=True)
    if saves:
        flow.click(button)
        flow.page(flow.title, [*closed, Element("text", "Saved")], keep=True)
    flow.done()
    return flow


def toggle(draw: Draw) -> Flow:
    """A box to tick or to clear; nothing is to be done where it already is so."""
    label, on = name(draw), draw.chance(0.6)
    words = (
        ["turn on {l}", "enable {l}", "tick {l}", "switch {l} on", "check {l}", "activate {l}"]
        if on
        else ["turn off {l}", "disable {l}", "untick {l}", "switch {l} off", "uncheck {l}", "deactivate {l}"]
    )
    flow = begun(draw, draw.wording(words).format(l=_said(draw, label)))
    boxes = [
        Element("checkbox", text, state=draw.pick(["checked", ""]))
        for text in [label, *(n for n in names(draw, draw.number(1, 4)) if n != label)]
    ]
    flow.page(draw.pick(["Settings", "Preferences", "Options", name(draw)]), draw.shuffled(boxes))
    if (boxes[0].state == "checked") != on:
        flow.click(boxes[0])
        boxes[0].state = "checked" if on else ""
    flow.done()
    return flow


def pages(draw: Draw) -> Flow:
    """The item is on a later page of a list."""
    listed = names(draw, draw.number(5, 9))
    wanted, size = listed[-1], draw.number(2, 4)
    goal = draw.wording(
        [
            "open {l}",
            "find and open {l}",
            "go to {l} in the list",
            "show {l}",
            "click {l}",
            "look for {l} in the list and open it",
        ]
    ).format(l=_said(draw, wanted))
    flow, following = begun(draw, goal, 3), draw.pick(["Next", "Next page", "Older", ">", "More results"])
    parts = [listed[i : i + size] for i in range(0, len(listed), size)]
    for i, part in enumerate(parts):
        links = [Element("link", text) for text in draw.shuffled(part)]
        ahead, back = (
            Element("button", following, state="" if i + 1 < len(parts) else "disabled"),
            Element("button", "Previous", state="" if i else "disabled"),
        )
        flow.page(f"List, page {i + 1} of {len(parts)}", [*links, back, ahead])
        flow.click(_at(links, wanted) if wanted in part else ahead)
    flow.page(wanted, [Element("heading", wanted)])
    flow.done()
    return flow


def delete(draw: Draw) -> Flow:
    """One row of several, then the question whether one is sure."""
    rows = names(draw, draw.number(2, 5))
    wanted, verb = draw.pick(rows), draw.pick(["Delete", "Remove", "Archive", "Cancel order"])
    goal = draw.wording(
        [
            "{b} {l}",
            "{b} the entry {l}",
            "{b} the item {l}",
            "please {b} {l} from the list",
            "{b} the row {l}",
            "{b} {l} now",
        ]
    )
    flow = begun(draw, goal.format(b=verb.lower(), l=_said(draw, wanted)))
    cells = [
        Element(role, label)
        for row in rows
        for role, label in (("text", row), ("button", f"Edit {row}"), ("button", f"{verb} {row}"))
    ]
    flow.page(name(draw), cells)
    flow.click(_at(cells, f"{verb} {wanted}"))
    yes = Element("button", draw.pick([f"Yes, {verb.lower()}", verb, "Confirm", "Yes", "OK"]))
    if draw.chance(0.7):
        flow.page(
            flow.title,
            [
                Element("dialog", f"{verb} {wanted}?"),
                *draw.shuffled([yes, Element("button", draw.pick(["No", "Keep", "Back"]))]),
            ],
            keep=False,
        )
        flow.click(yes)
    flow.page(
        "Overview",
        [Element("text", f"{wanted}: {verb.lower()} done"), *(Element("text", row) for row in rows if row != wanted)],
    )
    flow.done()
    return flow


def menu(draw: Draw) -> Flow:
    """An entry of a menu that must be opened first."""
    tops = names(draw, draw.number(2, 4))
    top, entries = draw.pick(tops), [n for n in names(draw, draw.number(2, 5)) if n not in tops]
    wanted = draw.pick(entries)
    goal = draw.wording(
        [
            "choose {t} > {w}",
            "{w} in the menu {t}",
            "open the menu {t} and click {w}",
            "use {t} / {w}",
            "pick {w} from {t}",
            "run {w} (menu {t})",
        ]
    )
    flow = begun(draw, goal.format(t=_said(draw, top), w=_said(draw, wanted)), 4)
    bar = [Element("button", text) for text in tops]
    flow.page(name(draw), bar)
    flow.click(_at(bar, top))
    items = [Element("menuitem", text) for text in entries]
    at = flow.elements.index(_at(bar, top))
    flow.page(flow.title, [*flow.elements[: at + 1], *items, *flow.elements[at + 1 :]], keep=True)
    flow.click(_at(items, wanted))
    flow.page(flow.title, [e for e in flow.elements if e not in items] + [Element("text", f"{wanted} done")], keep=True)
    flow.done()
    return flow


def buy(draw: Draw) -> Flow:
    items = names(draw, draw.number(2, 4))
    wanted, add = draw.pick(items), draw.pick(["Add to cart", "Buy", "Add"])
    goal = draw.wording(
        [
            "put {l} into the cart and check out",
            "buy {l}",
            "order {l}",
            "add {l} to the cart and go to the checkout",
            "purchase {l}",
            "get {l} and check out",
        ]
    )
    flow = begun(draw, goal.format(l=_said(draw, wanted)), 4)
    cells = [
        Element(role, label)
        for item in items
        for role, label in (("text", f"{item} {draw.number(2, 99)}.00"), ("button", f"{add} {item}"))
    ]
    cart = Element("link", "Cart (0)")
    flow.page("Shop", [cart, *cells])
    flow.click(_at(cells, f"{add} {wanted}"))
    out = Element("button", draw.pick(["Checkout", "To the checkout", "Pay now"]))
    flow.page(
        "Cart", [Element("text", f"1 x {wanted}"), Element("button", "Remove"), out, Element("link", "Go on shopping")]
    )
    flow.click(out)
    flow.page("Order complete", [Element("text", f"Thank you for ordering {wanted}")])
    flow.done()
    return flow
