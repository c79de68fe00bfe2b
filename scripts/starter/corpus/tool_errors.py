"""What services answer: refusals in the words of many frameworks, and successes."""

from __future__ import annotations

import json

from .draws import Draw
from .interfaces import READING, VERBS, Field, Interface

# {f} the field, {n} the tool's noun.
MISSING = [
    '422 {{"detail":[{{"loc":["body","{f}"],"msg":"field required","type":"value_error.missing"}}]}}',
    '422 {{"detail":[{{"type":"missing","loc":["body","{f}"],"msg":"Field required"}}]}}',
    '{{"errors":{{"{f}":["can\'t be blank"]}}}}', '{{"error":"missing required field: {f}"}}',
    '{{"error":"{f} is required"}}',
    '400 Bad Request: "{f}" is required', "400 missing field '{f}'", "Error: missing field `{f}` at line 1 column 40",
    '{{"message":"ValidationError: Path `{f}` is required."}}', "KeyError: '{f}'",
    '{{"status":400,"error":"param is missing or the value is empty: {f}"}}',
    '{{"{f}":["This field is required."]}}', "error: argument {f} is missing", '{{"ok":false,"reason":"no {f} given"}}',
    '{{"code":"MISSING_FIELD","field":"{f}"}}', 'null value in column "{f}" violates not-null constraint',
    "TypeError: missing 1 required argument: '{f}'",
    '{{"error":{{"code":422,"message":"{f} must be present"}}}}', "Unprocessable Entity: {f} missing",
    "you forgot {f}", "please provide {f}",
    '{{"success":false,"errors":[{{"path":"{f}","message":"Required"}}]}}', "rejected: a {n} needs {f}",
    '{{"error":"property {f} is undefined"}}',
]  # fmt: skip
WRONG_TYPE = [
    '422 {{"detail":[{{"loc":["body","{f}"],"msg":"value is not a valid {t}","type":"type_error.{t}"}}]}}',
    '{{"error":"{f} must be {a} {t}"}}',
    '422 {{"detail":[{{"type":"{t}_parsing","loc":["body","{f}"],"msg":"Input should be a valid {t}"}}]}}',
    "400 Bad Request: {f} should be {a} {t}", '{{"errors":{{"{f}":["is not {a} {t}"]}}}}',
    '{{"{f}":["A valid {t} is required."]}}',
    "invalid type for {f}: expected {t}", '{{"message":"Expected {t} at {f}, received {got}"}}',
    "TypeError: {f}: {t} wanted, not {got}",
    "400 {f}: Cast to {t} failed", '{{"code":"INVALID_TYPE","field":"{f}","expected":"{t}"}}',
    "Error: invalid type: {got}, expected {t} for {f}",
]  # fmt: skip
WRONG_VALUE = [
    '{{"error":"{f} must be one of: {vs}"}}',
    '422 {{"detail":[{{"loc":["body","{f}"],"msg":"unexpected value; permitted: {vs}"}}]}}',
    '{{"errors":{{"{f}":["is not included in the list"]}}}} allowed: {vs}',
    "400 Bad Request: unknown {f} '{v}', use {vs}",
    '{{"message":"`{v}` is not a valid enum value for path `{f}`"}}', "invalid {f}: {v} (choose from {vs})",
    '{{"{f}":["\\"{v}\\" is not a valid choice."]}}', "error: {f} {v} does not exist; known: {vs}",
    '{{"code":"BAD_ENUM","field":"{f}","allowed":"{vs}"}}',
]  # fmt: skip
WRONG_DATE = [
    '{{"error":"{f} must be YYYY-MM-DD"}}', "400 {f}: invalid date '{v}', use YYYY-MM-DD",
    '{{"errors":{{"{f}":["is not a valid date"]}}}}',
    '422 {{"detail":[{{"loc":["body","{f}"],"msg":"invalid date format"}}]}}',
    "ValueError: Invalid isoformat string: '{v}'",
    '{{"{f}":["Date has wrong format. Use YYYY-MM-DD."]}}', "could not parse {f} {v}: ISO date expected",
]  # fmt: skip
UNKNOWN = [
    '{{"error":"unknown field {w}, did you mean {f}?"}}', "400 unexpected property '{w}'; expected '{f}'",
    "unknown parameter {w} (known: {f})",
    "TypeError: got an unexpected keyword argument '{w}'. Did you mean '{f}'?",
    '{{"errors":["Unpermitted parameter: {w}. Use {f}"]}}',
    "Error: unknown field `{w}`, expected `{f}`",
    '422 {{"detail":[{{"loc":["body","{w}"],"msg":"extra fields not permitted"}}]}}',
]  # fmt: skip
NO_TOKEN = [
    '401 Unauthorized: missing token', '401 {{"error":"token required"}}', '{{"detail":"Not authenticated"}} 401',
    '401 {{"message":"No token provided"}}',
    '401 {{"error":"authentication needed: pass token"}}', "HTTP 401: send your token",
    '{{"status":401,"error":"invalid or missing token"}}', "403 Forbidden: token missing",
]  # fmt: skip
PASSING = [
    "503 Service Unavailable", "502 Bad Gateway", "504 Gateway Timeout", "timeout after 30 s",
    '{{"error":"temporarily unavailable, try again"}}',
    "429 Too Many Requests: retry", "connection reset by peer", "ECONNRESET",
    "500 Internal Server Error: please retry", '{{"message":"database is locked, retry"}}',
]  # fmt: skip
FINAL = [
    ("404 {{\"error\":\"{n} {v} not found\"}}", "{n} {v} not found"), ("404 Not Found: no {n} {v}", "no {n} {v}"),
    ("{{\"detail\":\"{n} {v} does not exist\"}}", "{n} {v} does not exist"),
    ("403 Forbidden: you may not {b} {n}", "you may not {b} {n}"),
    ("409 Conflict: {n} {v} is locked", "{n} {v} is locked"),
    ("402 Payment Required: plan has ended", "plan has ended"),
    ("410 Gone: {n} {v} was archived", "{n} {v} was archived"),
    ("{{\"error\":\"quota of {n} used up\"}}", "quota of {n} used up"),
    ("410 Gone: {b} {n} was switched off", "{b} {n} was switched off"),
    ("{{\"message\":\"{n} is read-only\"}}", "{n} is read-only"),
]  # fmt: skip


def missing(draw: Draw, name: str, noun: str) -> str:
    return draw.wording(MISSING).format(f=name, n=noun)


def wrong_type(draw: Draw, f: Field, got: str) -> str:
    return draw.wording(WRONG_TYPE).format(f=f.name, t=f.type, a="an" if f.type[0] in "ai" else "a", got=got)


def wrong_value(draw: Draw, f: Field, sent: str) -> str:
    return draw.wording(WRONG_VALUE).format(f=f.name, v=sent, vs=", ".join(f.values))


def success(draw: Draw, tool: Interface) -> tuple[str, str]:
    """What a tool gives when it worked, and the short sentence for it."""
    noun = tool.noun
    if tool.verb == "list":
        names = [draw.pick([draw.word(), draw.person()]) for _ in range(draw.number(0, 4))]
        return json.dumps(
            {draw.pick([noun, "items", "data"]): names}
        ), f"{len(names)} {noun}: {', '.join(names)}." if names else f"No {noun}."
    if tool.verb in READING:
        pairs = {draw.pick([draw.word(2), "status", "place", "total", "left", "temp",
            "price"]): draw.pick([draw.number(1, 999), draw.word(), draw.word()])
                 for _ in range(draw.number(1, 3))}  # fmt: skip
        return json.dumps(pairs), ", ".join(f"{k} {v}" for k, v in pairs.items()) + "."
    past = VERBS[tool.verb][1]
    number = draw.pick([str(draw.number(2, 99999)), f"{noun[:2].upper()}-{draw.number(1, 9999)}"])
    reply, has_number = draw.pick([
        ('{{"id":{j},"status":"ok"}}', True), ('201 Created {{"id":{j}}}', True), ('{{"ok":true,"number":{j}}}', True),
        ('{{"data":{{"id":{j}}}}}', True),
        ('{{"ok":true}}', False), ("200 OK", False), ("204 No Content", False), ('{{"status":"{p}"}}', False),
        ("ok", False), ('{{"errors":[],"success":true}}', False),
    ])  # fmt: skip
    text = reply.format(j=number if number.isdigit() else f'"{number}"', p=past)
    return text, f"Done: {noun} {number} {past}." if has_number else f"Done: {noun} {past}."
