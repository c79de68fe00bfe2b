"""Small REST tools: what they are called, which fields they take, and how a person asks for them.

Half of the names are natural, half made up, so that a name in an answer can only come from the definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .draws import PACKAGES, SERVICES, STEMS, Draw

MONTHS = "January February March April May June July August September October November December".split()
SMALL = "one two three four five six seven eight nine ten".split()
CITIES = "Bern Oslo Paris Rome Berlin Madrid Tokyo Lima Dublin Vienna Lisbon Prague Boston Cairo Zurich Delhi".split()
THINGS = ("laptop chair desk phone lamp cable printer keyboard monitor mouse bottle notebook bag jacket bike ticket "
          "screw battery camera mug router tent pump filter").split()  # fmt: skip
TEXTS = (
    "I am late|lunch is ready|the build is green|call me back|the server is down|see you at 5|happy "
    "birthday|we are done|"
    "please review my draft|the meeting is moved|door code is {n}|order {n} has shipped|{w} is broken "
    "again|thanks for {w}|"
    "no water on floor {n}|login fails on {w}|printer {w} is out of paper|buy milk|call the dentist|pay the rent|"
    "{w} does not start|wrong total on page {n}|backup of {w} finished|check {w} before Friday|bring {w}"
).split("|")

# Enumerations: field name, and for each value how a person may say it.
ENUMS = {
    "priority": {"low": ["low", "not urgent"], "medium": ["medium"], "high": ["high", "urgent", "important"]},
    "currency": {
        "EUR": ["EUR", "euros", "euro"],
        "USD": ["USD", "dollars", "US dollars"],
        "CHF": ["CHF", "francs"],
        "GBP": ["GBP", "pounds"],
    },
    "units": {"metric": ["metric", "celsius"], "imperial": ["imperial", "fahrenheit"]},
    "role": {"admin": ["admin", "administrator"], "editor": ["editor"], "viewer": ["viewer", "read-only"]},
    "status": {"open": ["open"], "closed": ["closed", "done"], "paused": ["paused", "on hold"]},
    "size": {"S": ["S", "small"], "M": ["M", "medium"], "L": ["L", "large"]},
    "format": {"pdf": ["pdf", "PDF"], "csv": ["csv", "CSV"], "json": ["json", "JSON"]},
    "class": {"economy": ["economy"], "business": ["business", "business class"], "first": ["first class", "first"]},
    "environment": {"staging": ["staging"], "production": ["production", "prod", "live"], "test": ["test"]},
    "repeat": {"daily": ["daily", "every day"], "weekly": ["weekly", "every week"], "never": ["never", "once"]},
    "color": {"red": ["red"], "green": ["green"], "blue": ["blue"], "white": ["white"]},
}

# Fields by what they hold: names, JSON type, phrases. `{v}` is the value as it is said.
FIELDS: dict[str, tuple[list[str], str, list[str]]] = {
    "customer": (["customer", "client", "customer_name", "name"], "person", ["for {v}", "for customer {v}", "for {v}"]),
    "customer_id": (
        ["customer_id", "client_id", "account_id"],
        "id",
        ["for customer {v}", "customer id {v}", "customer {v}"],
    ),
    "person": (["to", "recipient", "user", "person"], "person", ["to {v}", "to {v}", "for {v}"]),
    "assignee": (["assignee", "owner", "assigned_to"], "person", ["for {v}", "assigned to {v}", "assign it to {v}"]),
    "email": (["email", "mail", "email_address"], "email", ["with email {v}", "{v}", "mail {v}"]),
    "amount": (["amount", "total", "sum", "price"], "money", ["over {v}", "of {v}", "for {v}", "amount {v}"]),
    "count": (
        ["quantity", "count", "amount", "qty"],
        "small",
        ["{v} pieces", "quantity {v}", "{v} of them", "{v} units"],
    ),
    "people": (["people", "guests", "seats", "persons"], "small", ["for {v} people", "for {v} persons", "{v} people"]),
    "minutes": (
        ["minutes", "duration", "duration_minutes", "length"],
        "minutes",
        ["for {v} minutes", "{v} min", "{v} minutes long"],
    ),
    "item": (["item", "product", "article", "sku"], "thing", ["of {v}", "item {v}", "product {v}"]),
    "text": (
        ["text", "message", "body", "content"],
        "text",
        ["saying {v}", "with the text {v}", ": {v}", "that says {v}"],
    ),
    "title": (["title", "subject", "summary"], "text", ["called {v}", "titled {v}", ": {v}", "with title {v}"]),
    "date": (["date", "day", "on"], "date", ["on {v}", "on {v}", "for {v}"]),
    "due": (["due_date", "due", "deadline"], "date", ["due {v}", "due on {v}", "by {v}"]),
    "time": (["time", "start", "at"], "time", ["at {v}", "at {v}", "from {v}"]),
    "city": (["city", "place", "location", "town"], "city", ["in {v}", "for {v}", "in {v}"]),
    "from": (["from", "origin", "departure"], "city", ["from {v}"]),
    "goal": (["to", "destination", "arrival"], "city", ["to {v}"]),
    "room": (["room", "room_name", "space"], "word", ["in room {v}", "room {v}"]),
    "channel": (["channel", "group", "topic"], "word", ["in channel {v}", "in #{v}", "to #{v}"]),
    "project": (["project", "project_name", "board"], "word", ["in project {v}", "in {v}", "project {v}"]),
    "name": (["name", "label", "login", "username"], "word", ["called {v}", "named {v}", "{v}"]),
    "tag": (["tag", "label", "category"], "word", ["tagged {v}", "with tag {v}"]),
    "service": (["service", "app", "component"], "service", ["of {v}", "for {v}", "service {v}"]),
    "version": (["version", "release", "tag"], "version", ["version {v}", "in version {v}"]),
    "id": (["id", "number", "ref"], "id", ["{v}", "number {v}", "with id {v}"]),
    "percent": (["percent", "discount", "rate"], "small", ["of {v} percent", "with {v} %", "{v}% off"]),
    "phone": (["phone", "phone_number", "mobile"], "phone", ["with phone {v}", "phone {v}", "number {v}"]),
    "limit": (["limit", "max", "count"], "small", ["at most {v}", "the first {v}", "limit {v}"]),
    "active": (["active", "enabled", "public"], "switch", []),
    "express": (["express", "urgent", "notify", "gift"], "switch", []),
    "warehouse": (["warehouse", "store", "site"], "word", ["in warehouse {v}", "at {v}", "warehouse {v}"]),
} | {name: ([name], f"enum:{name}", [f"{name} {{v}}", f"with {name} {{v}}", f"as {name} {{v}}"]) for name in ENUMS}
FIELDS["currency"] = (["currency", "currency_code"], "enum:currency", ["in {v}", "in {v}"])
FIELDS["priority"] = (["priority", "severity", "level"], "enum:priority", ["with {v} priority", "priority {v}"])
FIELDS["format"] = (["format", "file_type"], "enum:format", ["as {v}", "in {v}"])
FIELDS["class"] = (["class", "travel_class"], "enum:class", ["in {v}", "{v}"])
FIELDS["environment"] = (["environment", "env", "stage"], "enum:environment", ["to {v}", "on {v}"])

# Nouns with the verbs that fit, the fields that must be given and those that may.
NOUNS: dict[str, tuple[str, str, str]] = {
    "invoice": ("create send", "customer amount", "currency due tag customer_id"),
    "order": ("add create place", "item count", "customer express warehouse priority"),
    "room": ("book reserve", "room date", "people minutes time"),
    "table": ("book reserve", "people time", "date name"),
    "message": ("send post", "person text", "channel priority"),
    "email": ("send write", "person title", "text format"),
    "ticket": ("create open", "title", "priority assignee project"),
    "bug": ("report file", "title", "priority service version"),
    "weather": ("get", "city", "units date"),
    "forecast": ("get", "city", "date units"),
    "user": ("create add", "name", "email role active"),
    "users": ("list", "", "role limit active"),
    "orders": ("list", "customer", "status limit"),
    "tickets": ("list", "project", "status assignee limit"),
    "stock": ("update get", "item", "count warehouse"),
    "meeting": ("schedule plan", "title date", "time minutes person"),
    "appointment": ("book schedule", "person date", "time minutes"),
    "task": ("add create", "title", "due assignee priority"),
    "payment": ("send record", "amount", "currency person tag"),
    "reminder": ("set add", "text", "date time repeat"),
    "flight": ("book find", "from goal", "date class people"),
    "train": ("book find", "from goal", "date time class"),
    "light": ("set", "room", "color percent"),
    "note": ("add save", "text", "tag project"),
    "parcel": ("track get", "id", ""),
    "shipment": ("create", "customer", "count express date"),
    "product": ("add create", "name amount", "currency color size"),
    "coupon": ("create", "percent", "due tag customer"),
    "report": ("export create", "name", "format date"),
    "contact": ("add create", "name", "phone email tag"),
    "event": ("create add", "title date", "city time people"),
    "service": ("deploy restart", "service", "environment version"),
    "account": ("close delete get", "id", ""),
    "subscription": ("cancel pause", "customer_id", "date"),
    "price": ("get", "item", "currency"),
    "song": ("play", "name", "repeat"),
}

# Nouns that one request may mean alike.
KIN = [{"weather", "forecast"}, {"meeting", "appointment", "event"}, {"ticket", "bug", "task", "reminder", "note"},
    {"message", "email"},
       {"parcel", "shipment"}, {"room", "table"}, {"flight", "train"}, {"stock", "product", "price"}]  # fmt: skip

# A tool's verb: how it is said in a request, and its past.
VERBS: dict[str, tuple[list[str], str]] = {
    "create": (["create", "make", "set up", "add", "new"], "created"),
    "add": (["add", "create", "enter", "put in"], "added"),
    "send": (["send", "send out"], "sent"), "place": (["place", "make"], "placed"),
    "book": (["book", "reserve", "get me"], "booked"),
    "reserve": (["reserve", "book"], "reserved"), "post": (["post", "send"], "posted"),
    "write": (["write", "send"], "sent"),
    "open": (["open", "create", "file"], "opened"), "report": (["report", "file"], "reported"),
    "file": (["file", "report"], "filed"),
    "get": (["get", "show", "check", "look up", "what is", "tell me"], "read"),
    "list": (["list", "show", "give me", "which are"], "listed"),
    "update": (["update", "change", "set"], "updated"), "schedule": (["schedule", "plan", "set up"], "scheduled"),
    "plan": (["plan", "schedule"], "planned"), "record": (["record", "enter", "note"], "recorded"),
    "set": (["set", "make"], "set"),
    "find": (["find", "search", "look for"], "found"), "save": (["save", "keep", "add"], "saved"),
    "track": (["track", "where is"], "tracked"),
    "export": (["export", "generate"], "exported"), "deploy": (["deploy", "roll out", "release"], "deployed"),
    "restart": (["restart", "reboot"], "restarted"), "close": (["close", "shut"], "closed"),
    "delete": (["delete", "remove", "drop"], "deleted"),
    "cancel": (["cancel", "end"], "cancelled"), "pause": (["pause", "hold"], "paused"),
    "play": (["play", "put on"], "played"),
}  # fmt: skip
READING = {"get", "list", "find", "track"}
MAKING = {
    "create",
    "add",
    "send",
    "place",
    "book",
    "reserve",
    "post",
    "write",
    "open",
    "file",
    "schedule",
    "plan",
    "record",
    "set",
    "save",
}


def _a(noun: str) -> str:
    return "an " if noun[0] in "aeio" else "a "


@dataclass(frozen=True)
class Field:
    """One argument. `holds`: what a value is (see `value`); `values`: of an enumeration, with their spoken forms."""

    name: str
    holds: str
    phrases: tuple[str, ...]
    required: bool
    values: dict[str, list[str]] = field(default_factory=dict, hash=False)

    @property
    def type(self) -> str:
        return {"small": "integer", "minutes": "integer", "money": "number", "number": "number", "switch": "boolean",
                "id": "integer"}.get(self.holds, "string")  # fmt: skip


@dataclass(frozen=True)
class Interface:
    """One tool."""

    name: str
    verb: str
    noun: str
    fields: tuple[Field, ...]
    described: bool = True

    def definition(self) -> dict:
        properties: dict[str, dict] = {}
        for f in self.fields:
            properties[f.name] = {"type": f.type}
            if f.holds == "date":
                properties[f.name]["format"] = "date"
            if f.values:
                properties[f.name]["enum"] = list(f.values)
        parameters: dict = {"type": "object", "properties": properties}
        needed = [f.name for f in self.fields if f.required]
        if needed:
            parameters["required"] = needed
        function: dict = {"name": self.name}
        # An invented name says nothing of what the tool does.
        if self.described or self.noun not in self.name.lower() or self.verb not in self.name.lower():
            article = "" if self.verb == "list" or self.noun in ("weather", "stock") else _a(self.noun)
            function["description"] = f"{self.verb.capitalize()} {article}{self.noun}"
        return {"type": "function", "function": function | {"parameters": parameters}}


def interface(draw: Draw, noun: str | None = None) -> Interface:
    """Some tool, natural or made up."""
    if noun is None and draw.chance(0.4):
        return _made_up(draw)
    noun = noun or draw.pick(list(NOUNS))
    verbs, needed, optional = NOUNS[noun]
    verb = draw.pick(verbs.split())
    chosen = [(k, True) for k in needed.split()] + [
        (k, False) for k in draw.sample(optional.split(), draw.number(0 if needed else 1, 2))
    ]
    fields: list[Field] = []
    for key, required in chosen:
        names, holds, phrases = FIELDS[key]
        name = names[0] if draw.chance(0.5) else draw.pick(names)
        if draw.chance(0.12):
            name, phrases = draw.word(2), []
        if key == noun:
            phrases = ["{v}"]
        if name in [f.name for f in fields]:
            continue
        values = ENUMS[holds.split(":")[1]] if holds.startswith("enum:") else {}
        fields.append(Field(name, "enum" if values else holds, tuple(phrases), required, values))
    return Interface(_tool_name(draw, verb, noun), verb, noun, tuple(fields), draw.chance(0.75))


def _made_up(draw: Draw) -> Interface:
    """A tool whose noun and fields are invented."""
    verb, noun = draw.pick(list(VERBS)), draw.word(2)
    fields = []
    for i in range(draw.number(1, 3)):
        holds = draw.pick(["word", "word", "text", "small", "id", "money", "switch", "enum", "date", "person", "email"])
        values = (
            {w: [w] for w in (draw.word(draw.pick([1, 2])) for _ in range(draw.number(2, 3)))}
            if holds == "enum"
            else {}
        )
        name = (
            draw.word(2)
            if draw.chance(0.7)
            else f"{draw.pick(STEMS)}_{draw.pick(['id', 'name', 'date', 'ref', 'size'])}"
        )
        fields.append(Field(name, holds, (), i == 0 or draw.chance(0.5), values))
    return Interface(_tool_name(draw, verb, noun), verb, noun, tuple(fields), draw.chance(0.75))


def _tool_name(draw: Draw, verb: str, noun: str) -> str:
    forms = {f"{verb}_{noun}": 60, f"{verb}{noun.capitalize()}": 12, f"{noun}_{verb}": 8, f"{verb}-{noun}": 6,
             f"{draw.word(1)}_{verb}_{noun}": 6, draw.word(2): 8}  # fmt: skip
    return draw.weighted(forms)


def value(draw: Draw, f: Field) -> tuple[object, str]:
    """A value for a field, and how it is said."""
    number = draw.number
    if f.holds == "enum":
        exact = draw.pick(list(f.values))
        return exact, draw.pick(f.values[exact])
    if f.holds == "small":
        n = number(1, 10) if draw.chance(0.6) else number(2, 120)
        return n, SMALL[n - 1] if n <= 10 and draw.chance(0.2) else str(n)
    if f.holds == "date":
        month, day, year = number(1, 12), number(1, 28), number(2026, 2028)
        iso = f"{year}-{month:02}-{day:02}"
        return iso, draw.weighted(
            {iso: 70, f"{day} {MONTHS[month - 1]} {year}": 18, f"{MONTHS[month - 1]} {day}, {year}": 12}
        )
    if f.holds == "text":
        text = draw.pick(TEXTS).format(w=draw.word(), n=number(2, 999))
        return text, draw.pick(['"{}"', '"{}"', "'{}'"]).format(text)
    if f.holds == "money":
        n = number(2, 900) if draw.chance(0.6) else number(2, 900) + number(1, 9) / 10
        return n, str(n)
    if f.holds in ("id", "minutes"):
        n = draw.pick([15, 20, 30, 45, 60, 90]) if f.holds == "minutes" else number(10, 99999)
        return n, str(n)
    plain = {
        "person": draw.person, "word": lambda: draw.pick([draw.word(), draw.word(), draw.pick(STEMS),
         f"{draw.word(1)}-{number(1, 30)}"]),
        "email": lambda: f"{draw.user()}@{draw.pick(['example.com', 'example.org', draw.word() + '.io'])}",
        "thing": lambda: draw.pick([draw.pick(THINGS), draw.word(), f"{draw.word(1).upper()}-{number(10, 999)}"]),
        "city": lambda: draw.pick(CITIES) if draw.chance(0.6) else draw.word(2).capitalize(),
        "time": lambda: f"{number(7, 20):02}:{draw.pick(['00', '15', '30', '45'])}",
        "service": lambda: draw.pick([draw.pick(SERVICES), draw.pick(PACKAGES), draw.word()]),
        "version": lambda: f"{number(0, 9)}.{number(0, 20)}.{number(0, 9)}",
        "phone": lambda: f"+{number(30, 49)}{number(1000000, 99999999)}",
    }  # fmt: skip
    if f.holds == "switch":
        on = draw.chance(0.6)
        return on, draw.pick(["true", "on", "yes"] if on else ["false", "off", "no"])
    text = plain[f.holds]()
    return text, text


def arguments(draw: Draw, tool: Interface, share: float = 0.6) -> tuple[dict, dict[str, str]]:
    """Values for the required fields and some of the others, and how they are said; in the definition's order."""
    given = [f for f in tool.fields if f.required or draw.chance(share)] or list(tool.fields[:1])
    found = {f.name: value(draw, f) for f in given}
    return {name: v for name, (v, _) in found.items()}, {name: said for name, (_, said) in found.items()}


def phrase(draw: Draw, f: Field, said: str) -> str:
    """How one value stands in a request."""
    name = f.name.replace("_", " ") if draw.chance(0.7) else f.name
    if f.phrases and draw.chance(0.9):
        return draw.pick(list(f.phrases)).format(v=said)
    return draw.pick(["with {n} {v}", "{n} {v}", "{n}: {v}", "{n} = {v}", "with {n} {v}", "{n} {v}"]).format(
        n=name, v=said
    )


FRAMES = [
    "{}", "{}", "{}", "{}.", "please {}", "{} please", "can you {}?", "could you {}", "I need you to {}", "pls {}",
    "hey, {}", "{}, thanks", "i want to {}",
    "{} for me", "would you {}?", "now {}", "we need to {}", "I'd like to {}", "{} asap", "next: {}",
    "go ahead and {}", "bitte {}", "ok {}", "quick: {}", "plase {}", "cna you {}",
]  # fmt: skip


def request(draw: Draw, tool: Interface, said: dict[str, str], extra: list[str] | None = None) -> str:
    """What a person types for a call. `extra`: further phrases that belong to no field."""
    by_name = {f.name: f for f in tool.fields}
    phrases = [phrase(draw, by_name[name], text) for name, text in said.items() if name in by_name]
    phrases = (phrases if draw.chance(0.6) else draw.shuffled(phrases)) + (extra or [])
    said_verbs = VERBS[tool.verb][0] if tool.verb in VERBS else [tool.verb]
    verb = draw.pick([tool.verb, *said_verbs])
    noun, plural = tool.noun, tool.verb == "list" or tool.noun in ("weather", "stock")
    article = (
        draw.pick(["the ", ""])
        if plural or tool.verb in READING
        else draw.pick([_a(noun), "the ", "a new " if tool.verb in MAKING else _a(noun), ""])
    )
    if verb in ("what is", "where is", "which are"):
        article = "the "
    article = "" if verb == "new" else article
    glue = ", " if draw.chance(0.25) else " "
    tail = "".join(p if p.startswith(":") else (glue if i and glue == ", " else " ") + p for i, p in enumerate(phrases))
    text = f"{verb} {article}{noun}{tail}"
    if tool.noun.islower() and verb not in ("what is", "where is", "which are", "new"):
        text = draw.wording(FRAMES).format(text)
    return text[:1].upper() + text[1:] if draw.chance(0.4) else text


def _alike(a: str, b: str) -> bool:
    return a == b or any(a in kin and b in kin for kin in KIN)


def others(draw: Draw, tool: Interface, k: int) -> list[Interface]:
    """Tools beside one: some of the same noun with another verb, none with its name."""
    found: list[Interface] = []
    while len(found) < k:
        if draw.chance(0.35):
            verb = draw.pick(["get", "list", "delete", "update", "create", "cancel", "send"])
            key = Field(draw.pick(["id", "name", draw.word(2)]), draw.pick(["id", "word"]), (), True)
            same = {tool.verb, *VERBS[tool.verb][0]} if tool.verb in VERBS else {tool.verb}
            if (
                verb in same
                or tool.verb in VERBS[verb][0]
                or {tool.verb, verb} <= {"create", "add", "update", "send", "get", "list", "find", "write", "post"}
            ):
                continue
            made = Interface(_tool_name(draw, verb, tool.noun), verb, tool.noun, (key,), draw.chance(0.75))
        else:
            made = interface(draw)
            if _alike(made.noun.rstrip("s"), tool.noun.rstrip("s")):
                continue
            made = replace(made, fields=made.fields[:2])
        if made.name not in [tool.name, *(o.name for o in found)]:
            found.append(made)
    return found
