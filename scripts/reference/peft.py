"""The peer that `chela bench train --peer` is measured against: a LoRA step of transformers and PEFT in bf16.

The strongest setting of the stock libraries: base and adapter in bf16 (`--adapter-dtype f32` is PEFT's default),
logits on answer rows only (`logits_to_keep`), no gradient checkpointing, AdamW included. Weights are random, the
geometry is true (qwen2, tied head). That answers share a prompt does not help the stock libraries, so the tokens are
random.

Prints {"ready": true} with versions and number types when the model is built. Then it reads a line from stdin before
each step and prints one JSON line after it, so that a driver can interleave steps of its own; at the end of stdin or
after --steps it prints one JSON line of medians and peak memory.

Run it as a program only: `import peft` means the library.
"""

import os
import sys

# This folder's peft.py is not the library of that name.
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path = [folder for folder in sys.path if os.path.realpath(folder) != HERE]

import argparse
import json
import resource
import statistics
import time
from importlib.metadata import version


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default, text in (
        ("layers", 24, "decoder blocks"),
        ("width", 896, "of the residual stream"),
        ("ffn-width", 4864, "of the feed-forward layer"),
        ("heads", 14, "of the queries"),
        ("kv-heads", 2, "of keys and values"),
        ("vocab", 151936, "rows of the head"),
        ("answers", 1, "sequences in a batch, each with the whole prompt"),
        ("tokens", 512, "prompt and answer of one sequence"),
        ("answer-tokens", 128, "of them, that carry a loss"),
        ("rank", 16, "of the adapter; alpha is twice the rank"),
        ("threads", os.cpu_count(), "of PyTorch"),
        ("steps", 5, "counted in the medians"),
        ("warmup", 1, "steps before them, printed but not counted"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default {default})")
    parser.add_argument("--dtype", choices=("bf16", "f32"), default="bf16", help="of the base (default bf16)")
    parser.add_argument(
        "--adapter-dtype",
        choices=("bf16", "f32"),
        default="bf16",
        help="of the adapter on a base in bf16; f32 is PEFT's own default, bf16 costs it a tenth less CPU (default bf16)",
    )
    return parser.parse_args()


def build(settings, torch):
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        hidden_size=settings.width,
        intermediate_size=settings.ffn_width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        vocab_size=settings.vocab,
        max_position_embeddings=max(4096, settings.tokens),
        tie_word_embeddings=True,
        rms_norm_eps=1e-6,
    )
    config._attn_implementation = "sdpa"
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[settings.dtype]
    torch.set_default_dtype(dtype)
    model = Qwen2ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, lora_dropout=0.0, target_modules=linears)
    model = get_peft_model(model, lora, autocast_adapter_dtype=settings.adapter_dtype == "f32")
    model.config.use_cache = False
    return model.train()


def step(model, optimizer, tokens, settings, torch):
    # The row that predicts the first answer token is the prompt's last one.
    logits = model(input_ids=tokens, logits_to_keep=settings.answer_tokens + 1).logits[:, :-1]
    targets = tokens[:, -settings.answer_tokens :].reshape(-1)
    loss = torch.nn.functional.cross_entropy(logits.float().reshape(-1, settings.vocab), targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def peak_rss_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def say(**figures):
    print(json.dumps(figures), flush=True)


def main():
    settings = arguments()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # Idle threads must not eat what a driver measures.
    import torch

    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    model = build(settings, torch)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    tokens = torch.randint(0, settings.vocab, (settings.answers, settings.tokens))
    say(
        ready=True,
        peft=version("peft"),
        torch=torch.__version__,
        base_dtype=settings.dtype,
        adapter_dtype={torch.bfloat16: "bf16", torch.float32: "f32"}[trained[0].dtype],
    )
    walls, cpus = [], []
    for number in range(settings.warmup + settings.steps):
        if not sys.stdin.readline():
            break
        wall, cpu = time.perf_counter(), time.process_time()
        loss = step(model, optimizer, tokens, settings, torch)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        counted = number >= settings.warmup
        if counted:
            walls.append(wall)
            cpus.append(cpu)
        say(wall_s=wall, cpu_s=cpu, loss=loss, counted=counted)
    say(
        median_wall_s=statistics.median(walls) if walls else None,
        median_cpu_s=statistics.median(cpus) if cpus else None,
        steps=len(walls),
        peak_rss_bytes=peak_rss_bytes(),
        torch=torch.__version__,
        threads=settings.threads,
    )


if __name__ == "__main__":
    main()
