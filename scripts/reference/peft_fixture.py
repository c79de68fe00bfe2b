"""Makes tests/fixtures/adapter: tiny llama and qwen2 models as GGUF, a PEFT adapter for each, saved by PEFT itself,
and the log-probabilities that PyTorch computes with it.

    python scripts/reference/peft_fixture.py            # writes the fixtures anew
    python scripts/reference/peft_fixture.py --check ARCH GGUF PEFT

--check compares an adapter that chela exported both ways: the logits of PEFT with the folder must be those of the base
with the product of the GGUF file's matrices added to its weights by hand.
"""

import json
import shutil
import sys
from pathlib import Path

# This folder comes last: its peft.py is not the library of that name.
sys.path.sort(key=lambda folder: Path(folder).resolve() == Path(__file__).resolve().parent)

import gguf
import numpy as np
import peft
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "adapter"
N_VOCAB, HIDDEN, FF, LAYERS, HEADS, KV_HEADS = 259, 32, 48, 2, 4, 2
EPS, ROPE_BASE, CONTEXT, RANK = 1e-5, 10000.0, 64, 4
TOKENS = [1] + [3 + byte for byte in b"list the files"]
N_PROMPT = 5

LINEARS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def permute(weights, n_head):
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py."""
    rows = weights.shape[0]
    return weights.reshape(n_head, 2, rows // n_head // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def unpermute(weights, n_head):
    rows = weights.shape[0]
    return weights.reshape(n_head, rows // n_head // 2, 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def reordered(arch, linear, weights, how):
    """In the other program's order of rows: only Q and K of llama differ."""
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(linear)
    return how(weights, heads) if arch == "llama" and heads else weights


def blank_model(arch):
    kind = {"llama": transformers.LlamaConfig, "qwen2": transformers.Qwen2Config}[arch]
    config = kind(
        vocab_size=N_VOCAB, hidden_size=HIDDEN, intermediate_size=FF, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, max_position_embeddings=CONTEXT, rms_norm_eps=EPS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE}, tie_word_embeddings=True, initializer_range=0.3,
    )
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def write_base(arch, model, path):
    out = gguf.GGUFWriter(path, arch)
    out.add_name(f"tiny {arch}")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(HIDDEN)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FF)
    out.add_head_count(HEADS)
    out.add_head_count_kv(KV_HEADS)
    out.add_rope_dimension_count(HIDDEN // HEADS)
    out.add_rope_freq_base(ROPE_BASE)
    out.add_layer_norm_rms_eps(EPS)
    out.add_tokenizer_model("llama")
    out.add_token_list(["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)])
    out.add_token_scores([0.0] * N_VOCAB)
    out.add_token_types([2, 3, 3] + [6] * 256)
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    for name, values in model.state_dict().items():
        values = values.numpy()
        if name == "lm_head.weight":
            continue
        name = name.removeprefix("model.").replace("layers.", "blk.")
        name = name.replace("embed_tokens", "token_embd").replace("input_layernorm", "attn_norm")
        name = name.replace("post_attention_layernorm", "ffn_norm")
        if name == "norm.weight":
            name = "output_norm.weight"
        for theirs, ours in LINEARS.items():
            if theirs in name:
                name, values = name.replace(theirs, ours), reordered(arch, ours, values, permute)
        out.add_tensor(name, np.ascontiguousarray(values if values.ndim == 1 else values.astype(np.float16)))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def read_base(arch, path):
    """The model of write_base."""
    model = blank_model(arch)
    tensors = {t.name: torch.tensor(np.array(t.data, dtype=np.float32)) for t in gguf.GGUFReader(path).tensors}
    state = model.state_dict()
    state["model.embed_tokens.weight"] = state["lm_head.weight"] = tensors["token_embd.weight"]
    state["model.norm.weight"] = tensors["output_norm.weight"]
    for layer in range(LAYERS):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        state[theirs + "input_layernorm.weight"] = tensors[ours + "attn_norm.weight"]
        state[theirs + "post_attention_layernorm.weight"] = tensors[ours + "ffn_norm.weight"]
        for module, linear in LINEARS.items():
            for part in ["weight", "bias"]:
                if f"{ours}{linear}.{part}" in tensors:
                    values = tensors[f"{ours}{linear}.{part}"]
                    state[f"{theirs}{module}.{part}"] = reordered(arch, linear, values, unpermute)
    model.load_state_dict(state)
    return model


def logprobs(model):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([TOKENS])).logits[0].double(), -1)


def of_response(rows):
    """Of each token after the prompt, given what stands before it."""
    return [rows[at - 1, TOKENS[at]].item() for at in range(N_PROMPT, len(TOKENS))]


def make(arch):
    torch.manual_seed({"llama": 1, "qwen2": 2}[arch])
    folder = ROOT / arch
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = blank_model(arch)
    with torch.no_grad():
        for name, values in model.named_parameters():
            # Norms and biases are not left at one and zero, so that a mistake in them is seen.
            if values.ndim == 1:
                values.add_(torch.randn_like(values) * 0.2)
            else:
                values.copy_(values.half().float())
    write_base(arch, model, folder / "base.gguf")
    again = read_base(arch, folder / "base.gguf")
    assert torch.equal(logprobs(model), logprobs(again)), "the base does not survive its file"
    base = of_response(logprobs(model))

    # llama: plain LoRA on everything in F32. qwen2: rank-stabilised, on attention only, in BF16.
    plain = arch == "llama"
    config = peft.LoraConfig(
        r=RANK, lora_alpha=6 if plain else 2.5, use_rslora=not plain, bias="none", task_type="CAUSAL_LM",
        target_modules=[name.split(".")[-1] for name in LINEARS if plain or "attn" in name],
    )
    model = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "lora_" in name:
                values.copy_(torch.randn_like(values) * 0.3)
                if not plain:
                    values.data = values.to(torch.bfloat16).float()
    model.eval()
    adapted = of_response(logprobs(model))
    if not plain:
        for name, values in model.named_parameters():
            if "lora_" in name:
                values.data = values.to(torch.bfloat16)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = f"tiny-{arch}"
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    expected = {"tokens": TOKENS, "n_prompt": N_PROMPT, "base": base, "adapted": adapted}
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")
    print(arch, "largest change of a log-probability:", max(abs(a - b) for a, b in zip(base, adapted)))


def check(arch, gguf_path, peft_folder):
    reader = gguf.GGUFReader(gguf_path)
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    halves = {t.name: np.array(t.data, dtype=np.float64) for t in reader.tensors}
    by_hand = read_base(arch, ROOT / arch / "base.gguf").double()
    with torch.no_grad():
        for name, a in halves.items():
            if not name.endswith(".lora_a"):
                continue
            module = name.removesuffix(".weight.lora_a")
            layer, linear = module.removeprefix("blk.").split(".")
            theirs = next(theirs for theirs, ours in LINEARS.items() if ours == linear)
            delta = alpha / a.shape[0] * halves[name.replace("lora_a", "lora_b")] @ a
            delta = torch.tensor(reordered(arch, linear, delta, unpermute))
            by_hand.get_submodule(f"model.layers.{layer}.{theirs}").weight += delta
    base = read_base(arch, ROOT / arch / "base.gguf")
    with_peft = peft.PeftModel.from_pretrained(base, peft_folder).double().eval()
    with torch.no_grad():
        ours = by_hand(torch.tensor([TOKENS])).logits
        theirs = with_peft(torch.tensor([TOKENS])).logits
        with with_peft.disable_adapter():
            without = with_peft(torch.tensor([TOKENS])).logits
    difference = (ours - theirs).abs().max().item()
    effect = (theirs - without).abs().max().item()
    print(f"{arch}: logits differ by {difference:.2e} at most; the adapter changes them by up to {effect:.2f}")
    assert difference < 1e-6 < effect
    reference = torch.tensor(json.loads((ROOT / arch / "expected.json").read_text())["adapted"])
    found = torch.tensor(of_response(torch.log_softmax(theirs[0], -1)))
    print(f"{arch}: log-probabilities differ from the fixture's adapter by {(reference - found).abs().max():.2e}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--check"]:
        check(*sys.argv[2:5])
    else:
        for architecture in ["llama", "qwen2"]:
            make(architecture)
