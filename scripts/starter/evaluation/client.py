"""A throw-away chela that serves one GGUF file, and questions to its OpenAI-compatible endpoint.

It has a home of its own below the temporary directory and a port that the system chooses, so it never meets the
user's chela, its ledger or its settings; when the block ends, the process and the home are gone.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

START_S, ANSWER_S, END_S = 60, 120, 10
TOKEN = "evaluation"


@dataclass
class Answer:
    """What the model said. `first`: the probability of each likely first token, where they were asked for."""

    text: str
    calls: list[dict] = field(default_factory=list)
    finish: str = ""
    first: dict[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0


class Endpoint:
    """`with Endpoint(chela, model) as endpoint: endpoint.ask(messages)`."""

    def __init__(self, chela: Path, model: Path, threads: int = 1):
        self.chela, self.model, self.threads = chela, model.resolve(), threads
        self.connections = threading.local()

    def __enter__(self) -> Endpoint:
        self.home = Path(tempfile.mkdtemp(prefix="chela-evaluation-"))
        # Variables of the user's own chela must not reach this one.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CHELA_")}
        self.environment |= {
            "CHELA_HOME": str(self.home),
            "CHELA_MODEL_NAME": str(self.model),
            "CHELA_ENGINE_THREADS": str(self.threads),
        }
        self.errors = (self.home / "stderr").open("w+")
        command = [str(self.chela), "serve", "--port", "0", "--token", TOKEN]
        self.process = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        try:
            self.address = self._address()
            self.ask([{"role": "user", "content": "hello"}], limit=1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _address(self) -> str:
        """Waits for the line that says where it listens."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            if not select.select([self.process.stdout], [], [], 0.2)[0]:
                continue
            line = self.process.stdout.readline()
            if line.startswith("OPENAI_BASE_URL="):
                return urlsplit(line.split("=", 1)[1].strip()).netloc
        self.errors.seek(0)
        raise RuntimeError(f"chela did not begin to serve {self.model}: {self.errors.read().strip()}")

    def _connection(self, fresh: bool = False) -> http.client.HTTPConnection:
        """This thread's connection. Not through a proxy: the endpoint is on this machine."""
        if fresh or not hasattr(self.connections, "own"):
            self.connections.own = http.client.HTTPConnection(self.address, timeout=ANSWER_S)
        return self.connections.own

    def post(self, body: dict) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = json.dumps(body, ensure_ascii=False).encode()
        for fresh in (False, True):
            try:
                connection = self._connection(fresh)
                connection.request("POST", "/v1/chat/completions", data, headers)
                return connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionError):
                # A connection kept from before may have been closed meanwhile; a fresh one may not.
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def ask(self, messages: list[dict], tools: list[dict] | None = None, limit: int = 96, first: int = 0) -> Answer:
        """The most probable answer; with `first`, so many likely first tokens with their probabilities."""
        body = {"messages": messages, "temperature": 0, "seed": 1, "max_tokens": limit}
        if tools:
            body["tools"] = tools
        if first:
            body |= {"logprobs": True, "top_logprobs": first}
        begun = time.monotonic()
        response = self.post(body)
        text = response.read().decode()
        if response.status != 200:
            # A question that the endpoint refuses (too long for the model, say) is a wrong answer, not the end.
            print(f"the endpoint answered {response.status}: {text[:400]}", file=sys.stderr)
            return Answer("", finish="refused", seconds=time.monotonic() - begun)
        return _answer(json.loads(text), time.monotonic() - begun)

    def stream(self, messages: list[dict], limit: int = 96) -> tuple[float, float, int]:
        """Seconds to the first text, seconds to the end, and tokens of a streamed answer."""
        body = {"messages": messages, "temperature": 0, "seed": 1, "max_tokens": limit, "stream": True}
        begun, first, tokens = time.monotonic(), None, 0
        response = self.post(body | {"stream_options": {"include_usage": True}})
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if first is None and any(choice["delta"].get("content") for choice in chunk["choices"]):
                first = time.monotonic() - begun
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
        whole = time.monotonic() - begun
        return (whole if first is None else first), whole, tokens

    def card(self) -> dict:
        """What chela says about the model that it serves."""
        connection = self._connection()
        connection.request("GET", "/chela/v1/status", headers={"Authorization": f"Bearer {TOKEN}"})
        status = json.loads(connection.getresponse().read())
        return status["model"].get("model", {}) | {"chela": status["version"], "memory_bytes": status["memory_bytes"]}

    def ask_as_user(self, request: str) -> str:
        """The answer of `chela ask`, typed in a shell; the most probable one, so that it can be repeated."""
        command = [str(self.chela), "ask", "--plain", "--temperature", "0", "--max-tokens", "96", request]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return (
            done.stdout.strip()
            if done.returncode == 0
            else f"(chela ask ended with {done.returncode}: {done.stderr.strip()})"
        )


def _answer(body: dict, seconds: float) -> Answer:
    choice, usage = body["choices"][0], body["usage"]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    first = {top["token"]: math.exp(top["logprob"]) for top in tokens[0]["top_logprobs"]} if tokens else {}
    return Answer(
        text=choice["message"].get("content") or "",
        calls=choice["message"].get("tool_calls") or [],
        finish=choice.get("finish_reason") or "",
        first=first,
        prompt_tokens=usage["prompt_tokens"],
        tokens=usage["completion_tokens"],
        seconds=seconds,
    )


def on_the_wire(message: dict) -> dict:
    """A message of the corpus in OpenAI's form: calls with ids, arguments as JSON text."""
    wire = {"role": message["role"], "content": message["content"]}
    if message.get("tool_calls"):
        wire["tool_calls"] = [_call(call, i) for i, call in enumerate(message["tool_calls"])]
    if message["role"] == "tool":
        wire["tool_call_id"] = "call_0"
    return wire


def _call(call: dict, i: int) -> dict:
    function = call.get("function", call)
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": f"call_{i}", "type": "function", "function": {"name": function["name"], "arguments": text}}
