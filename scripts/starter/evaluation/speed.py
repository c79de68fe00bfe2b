"""How long a user waits: first text and whole answers through the endpoint, and chela's own `bench serve`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from corpus.documents import AGENT

from .client import Endpoint


def measure(endpoint: Endpoint, requests: list[str], rounds: int = 2) -> dict[str, float]:
    """Medians over streamed answers, one at a time. The first round warms up and does not count."""
    firsts, wholes, rates = [], [], []
    for i in range(rounds + 1):
        for request in requests:
            first, whole, tokens = endpoint.stream(
                [{"role": "system", "content": AGENT}, {"role": "user", "content": request}]
            )
            if i == 0:
                continue
            firsts.append(first)
            wholes.append(whole)
            if tokens > 4 and whole > first:
                rates.append((tokens - 1) / (whole - first))
    found = {
        "first text, median ms": round(1000 * statistics.median(firsts), 2),
        "first text, 95th percentile ms": round(1000 * statistics.quantiles(firsts, n=20)[-1], 2),
        "whole answer, median ms": round(1000 * statistics.median(wholes), 2),
        "threads": endpoint.threads,
    }
    if rates:
        found["answer tokens per second, median"] = round(statistics.median(rates))
    return found | bench(endpoint)


def bench(endpoint: Endpoint) -> dict[str, float]:
    """`chela bench serve` on short prompts, as the starter's are; empty where it does not run."""
    command = [str(endpoint.chela), "bench", "serve", "--model", str(endpoint.model), "--json", "--rounds", "3"]
    command += ["--prompt-tokens", "96", "--tokens", "32", "--clients", "1", "--clients", "4"]
    done = subprocess.run(command, env=endpoint.environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"chela bench serve: {done.stderr.strip()}", file=sys.stderr)
        return {}
    body = json.loads(done.stdout)
    found = {}
    for one in body["chela"]:
        each = one["each"]
        who = "bench, 1 client" if one["clients"] == 1 else f"bench, {one['clients']} clients, each"
        found[f"{who}: prompt tokens per second"] = round(each["prefill_tokens_per_s"])
        found[f"{who}: answer tokens per second"] = round(each["decode_tokens_per_s"])
        found[f"{who}: first token ms"] = round(each["first_token_ms"], 1)
    return found
