"""Tiny random models with an adapter: gradients of every LoRA matrix, computed in f64 by PyTorch and PEFT.

Writes for each model, into the folder that is named:
  NAME.gguf         the base, as llama.cpp and the trainer open it
  NAME.safetensors  the adapter, its gradients, and the logits of all rows that predict an answer token
  NAME.json         samples with their terms, expected figures, and what PEFT reaches in bf16 on the same case

Matrices are in the order of the GGUF (rows of q and k are permuted for llama, as llama.cpp's converter does).
Every answer is computed as a sequence of its own; the losses are summed.
"""

import json
import math
import pathlib
import sys

# This folder comes last: its peft.py is not the library of that name.
sys.path.sort(key=lambda folder: pathlib.Path(folder).resolve() == pathlib.Path(__file__).resolve().parent)

import gguf
import numpy
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from losses import f32, largest, row_loss

RANK, ALPHA = 4, 8.0
VOCAB, WIDTH, HEADS, KV_HEADS = 260, 64, 4, 2
LINEARS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
DEFAULT_ROPE = {"rope_type": "default"}
LINEAR_ROPE = {"rope_type": "linear", "factor": 4.0}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
# The two files in f16 keep the repository small, and their head is tied; all numbers in them are exact in f16.
MODELS = {
    "llama": {"layers": 2, "ffn": 96, "head": 16, "theta": 1e4, "tied": False, "type": "F32", "rope": DEFAULT_ROPE},
    "llama-linear": {"layers": 1, "ffn": 96, "head": 16, "theta": 1e4, "tied": True, "type": "F16", "rope": LINEAR_ROPE},
    "llama3": {"layers": 2, "ffn": 96, "head": 16, "theta": 1e4, "tied": True, "type": "F16", "rope": LLAMA3_ROPE},
    "qwen2": {"layers": 2, "ffn": 96, "head": 16, "theta": 1e6, "tied": True, "type": "F32", "rope": DEFAULT_ROPE},
    "qwen3": {"layers": 2, "ffn": 96, "head": 32, "theta": 1e6, "tied": False, "type": "F32", "rope": DEFAULT_ROPE},
}
EPSILON = 1e-5


def architecture(name):
    return name if name.startswith("qwen") else "llama"


def build(name, dtype):
    """The random base with its random adapter, the same numbers for the same name."""
    shape = MODELS[name]
    config_class, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    }[architecture(name)]
    config = config_class(
        hidden_size=WIDTH,
        intermediate_size=shape["ffn"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=shape["head"],
        vocab_size=VOCAB,
        max_position_embeddings=512,
        rms_norm_eps=EPSILON,
        tie_word_embeddings=shape["tied"],
        rope_parameters={"rope_theta": shape["theta"], **shape["rope"]},
    )
    config._attn_implementation = "sdpa"
    generator = torch.Generator().manual_seed(sum(name.encode()))
    model = model_class(config)
    fill(model, generator, torch.float16 if shape["type"] == "F16" else torch.float32)
    model = model.to(dtype)
    if dtype == torch.float64:
        compute_in_f64(model, name)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=[n.split(".")[1] for n in LINEARS.values()])
    model = get_peft_model(model, lora)
    for parameter_name, parameter in model.named_parameters():
        if "lora_" in parameter_name:
            deviation = 0.15 if "lora_A" in parameter_name else 0.05
            drawn = torch.randn(parameter.shape, generator=generator) * deviation
            parameter.data.copy_(drawn)
    return model.train()


def fill(model, generator, exact_in):
    """Norms away from one, biases away from zero; tame enough that bf16 is about rounding, not about chaos."""
    for name, parameter in model.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            drawn = 1 + 0.2 * drawn
        elif "bias" in name:
            drawn = 0.3 * drawn
        elif "embed_tokens" in name or "lm_head" in name:
            drawn = 0.12 * drawn
        else:
            drawn = 0.7 * drawn / math.sqrt(parameter.shape[1])
        parameter.data.copy_(drawn.to(exact_in))


def compute_in_f64(model, name):
    """transformers computes norms and rotations in f32 whatever the model's type is; here they are f64."""
    shape = MODELS[name]
    frequencies = shape["theta"] ** -(torch.arange(0, shape["head"], 2, dtype=torch.float64) / shape["head"])
    frequencies = frequencies / torch.from_numpy(rope_divisors(name)).double()
    theirs = model.model.rotary_emb.inv_freq.double()
    assert torch.allclose(frequencies, theirs, rtol=1e-6), (frequencies, theirs)

    def rotation(_x, position_ids):
        angles = position_ids[..., None].double() * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos(), angles.sin()

    def norm(module):
        return lambda x: module.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon)

    model.model.rotary_emb.forward = rotation
    for module in model.modules():
        if hasattr(module, "variance_epsilon"):
            module.forward = norm(module)


def rope_divisors(name):
    """What each frequency is divided by: rope_freqs.weight, as llama.cpp's converter computes it."""
    shape, rope = MODELS[name], MODELS[name]["rope"]
    ones = numpy.ones(shape["head"] // 2, dtype=numpy.float32)
    if rope["rope_type"] == "default":
        return ones
    if rope["rope_type"] == "linear":
        return ones * numpy.float32(rope["factor"])
    divisors, old = [], rope["original_max_position_embeddings"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    for i in range(0, shape["head"], 2):
        wavelength = 2 * math.pi * shape["theta"] ** (i / shape["head"])
        if wavelength < old / high:
            divisors.append(1.0)
        elif wavelength > old / low:
            divisors.append(rope["factor"])
        else:
            smooth = (old / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return numpy.array(divisors, dtype=numpy.float32)


def answer_logits(model, prompt, answer):
    """The rows that predict the answer's tokens: from the prompt's last token on."""
    tokens = torch.tensor([prompt + answer])
    logits = model(input_ids=tokens, use_cache=False).logits[0]
    logits = logits if logits.dtype == torch.float64 else logits.float()
    return logits[len(prompt) - 1 : -1]


def samples(model, name):
    """Two prompts, three answers and one, with every kind of term and rows without any."""
    generator = torch.Generator().manual_seed(1000 + sum(name.encode()))

    def tokens(count):
        return torch.randint(0, VOCAB, (count,), generator=generator).tolist()

    numbered, out = 0, []
    for n_prompt, lengths in ((21, (5, 9, 1)), (13, (6,))):
        sample = {"prompt": tokens(n_prompt), "answers": []}
        for length in lengths:
            answer, rows = tokens(length), []
            with torch.no_grad():
                logits = answer_logits(model, sample["prompt"], answer)
            for token, row in zip(answer, logits):
                rows.append({"token": token, "terms": terms(numbered, token, row, generator)})
                numbered += 1
            sample["answers"].append({"rows": rows})
        out.append(sample)
    return out


def terms(number, token, logits, generator):
    """The terms of one row, by its number: each kind alone, both sides of each clip, mixtures, and none."""
    logp = torch.log_softmax(logits, -1)
    teacher = logits + 0.8 * torch.randn(VOCAB, generator=generator, dtype=torch.float64)
    teacher_logp = torch.log_softmax(teacher, -1)

    def cross_entropy(weight):
        return {"CrossEntropy": {"weight": f32(weight)}}

    def policy_gradient(advantage, offset):
        old = f32(min(logp[token] + offset, -1e-3))
        settings = {"weight": f32(0.3), "advantage": f32(advantage), "old_logprob": old}
        return {"PolicyGradient": {**settings, "clip_low": f32(0.2), "clip_high": f32(0.28)}}

    def forward_kl(weight):
        return {"ForwardKl": {"weight": f32(weight), "top": largest(teacher, 8)}}

    def reverse_kl(weight):
        support = [[t, f32(teacher_logp[t])] for t, _ in largest(logits, 4)]
        return {"ReverseKl": {"weight": f32(weight), "support": support, "gap": 1.0}}

    def reference_kl(weight):
        return {"ReferenceKl": {"weight": f32(weight)}}

    kinds = [
        [cross_entropy(0.1)],
        [policy_gradient(1.2, 0.05)],
        [forward_kl(0.5)],
        [reverse_kl(0.6)],
        [],
        [reference_kl(0.2)],
        [policy_gradient(1.5, -0.5)],  # clipped above
        [cross_entropy(0.05), reference_kl(0.1)],
        [forward_kl(0.4), reference_kl(0.15), policy_gradient(-0.8, -0.4)],  # far above, and not clipped
        [policy_gradient(-1.1, 0.5)],  # clipped below
        [reverse_kl(0.3), policy_gradient(0.7, 0.1)],
        [],
        [policy_gradient(0.9, 0.6)],  # far below, and not clipped
    ]
    return kinds[number % len(kinds)]


def backward(model, all_samples):
    """Loss, its parts and the gradients (in the adapter) of all answers."""
    model.zero_grad()
    found = {"loss": 0.0, "sample_losses": [], "logprobs": [], "by_term": {}, "logits": []}
    kls = []
    for sample in all_samples:
        sample_loss, sample_logprobs = 0.0, []
        for answer in sample["answers"]:
            tokens = [row["token"] for row in answer["rows"]]
            logits = answer_logits(model, sample["prompt"], tokens)
            with torch.no_grad(), model.disable_adapter():
                reference = answer_logits(model, sample["prompt"], tokens)
            rows = list(zip(logits, reference, answer["rows"]))
            losses = [row_loss(*row) for row in rows]
            loss = sum(loss for loss, _ in losses)
            loss.backward()
            sample_loss += loss.item()
            kls += [kl.item() for _, kl in losses if kl is not None]
            logp = torch.log_softmax(logits.detach(), -1)
            sample_logprobs.append([logp[i, token].item() for i, token in enumerate(tokens)])
            found["logits"].append(logits.detach())
            for z, r, row in rows:
                for term in row["terms"]:
                    (kind,) = term
                    value = row_loss(z.detach(), r, {**row, "terms": [term]})[0].item()
                    found["by_term"][kind] = found["by_term"].get(kind, 0.0) + value
        found["loss"] += sample_loss
        found["sample_losses"].append(sample_loss)
        found["logprobs"].append(sample_logprobs)
    found["kl"] = sum(kls) / len(kls)
    return found


def adapter(model, name):
    """Matrices and gradients by their names in a GGUF, as f64."""
    layers = model.base_model.model.model.layers
    matrices, gradients = {}, {}
    for number, layer in enumerate(layers):
        for ours, theirs in LINEARS.items():
            module = layer.get_submodule(theirs)
            for letter in "AB":
                parameter = getattr(module, f"lora_{letter}")["default"].weight
                key = f"blk.{number}.{ours}.lora_{letter.lower()}"
                for values, out in ((parameter.data, matrices), (parameter.grad, gradients)):
                    values = values.double().numpy()
                    out[key] = gguf_rows(values, ours, name) if letter == "B" else values
    return matrices, gradients


def gguf_rows(values, linear, name):
    """llama.cpp rotates neighbours for llama, halves for the others; the converter permutes q and k for that."""
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(linear)
    if architecture(name) != "llama" or heads is None:
        return values
    return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def relative_error(actual, expected):
    return float(numpy.linalg.norm(actual - expected) / numpy.linalg.norm(expected))


def peft_bf16(name, all_samples, expected, gradients):
    """What PEFT's default for bf16 models (bf16 base, f32 adapter) reaches on the same case."""
    model = build(name, torch.bfloat16)
    found = backward(model, all_samples)
    _, theirs = adapter(model, name)
    errors = {key: relative_error(theirs[key], gradients[key]) for key in gradients}
    worst = max(errors, key=errors.get)
    flat = [numpy.concatenate([part[key].ravel() for key in gradients]) for part in (theirs, gradients)]
    return {
        "loss_relative_error": abs(found["loss"] / expected["loss"] - 1),
        "gradient_relative_error": relative_error(*flat),
        "worst_tensor": worst,
        "worst_tensor_relative_error": errors[worst],
    }


def write_gguf(path, model, name):
    shape, layers = MODELS[name], model.base_model.model.model.layers
    writer = gguf.GGUFWriter(path, architecture(name))
    matrices = gguf.GGMLQuantizationType[shape["type"]]
    writer.add_name(f"parity {name}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if shape["type"] == "F16" else gguf.LlamaFileType.ALL_F32)
    write_geometry(writer, name)
    write_vocabulary(writer)

    def tensor(tensor_name, values):
        values = values.detach().double().numpy() if isinstance(values, torch.Tensor) else values
        exact = values.astype(numpy.float16 if matrices.name == "F16" and values.ndim > 1 else numpy.float32)
        assert (exact == values).all(), f"{tensor_name} is not exact"
        writer.add_tensor(tensor_name, exact)

    base = model.base_model.model
    tensor("token_embd.weight", base.model.embed_tokens.weight)
    tensor("output_norm.weight", base.model.norm.weight)
    if not shape["tied"]:
        tensor("output.weight", base.lm_head.weight)
    if shape["rope"]["rope_type"] == "llama3":
        tensor("rope_freqs.weight", rope_divisors(name))
    for number, layer in enumerate(layers):
        present = dict(layer.named_modules())
        for ours, theirs in NORMS.items():
            if theirs in present:
                tensor(f"blk.{number}.{ours}.weight", present[theirs].weight)
        for ours, theirs in LINEARS.items():
            linear = present[theirs].base_layer
            tensor(f"blk.{number}.{ours}.weight", gguf_rows(linear.weight.detach().double().numpy(), ours, name))
            if linear.bias is not None:
                tensor(f"blk.{number}.{ours}.bias", linear.bias)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_geometry(writer, name):
    shape = MODELS[name]
    writer.add_block_count(shape["layers"])
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(shape["head"])
    writer.add_value_length(shape["head"])
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(shape["theta"])
    writer.add_vocab_size(VOCAB)
    if architecture(name) == "llama":
        writer.add_rope_dimension_count(shape["head"])
    if shape["rope"]["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(shape["rope"]["factor"])


def write_vocabulary(writer):
    """The 256 bytes, one merge and three special tokens: what llama.cpp needs to load a model, and no more."""
    tokens = list(byte_characters()) + ["he", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    assert len(tokens) == VOCAB
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.CONTROL] * 3)
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(259)
    writer.add_add_bos_token(False)
    message = "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    prompt = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    writer.add_chat_template("{% for message in messages %}" + message + "{% endfor %}" + prompt)


def byte_characters():
    """The characters that stand for the 256 bytes in byte-level BPE."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return (chr(byte if byte in visible else 256 + hidden.index(byte)) for byte in range(256))


def write(folder, name):
    model = build(name, torch.float64)
    all_samples = samples(model, name)
    expected = backward(model, all_samples)
    matrices, gradients = adapter(model, name)
    logits = torch.cat(expected.pop("logits"))
    expected["grad_norm"] = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
    expected["n_tokens"] = sum(len(s["prompt"]) + sum(len(a["rows"]) for a in s["answers"]) for s in all_samples)
    expected["n_targets"] = sum(bool(r["terms"]) for s in all_samples for a in s["answers"] for r in a["rows"])
    tensors = {"logits": logits.numpy()}
    tensors |= matrices | {f"{key}.gradient": values for key, values in gradients.items()}
    save_file({k: numpy.ascontiguousarray(v, dtype=numpy.float32) for k, v in tensors.items()}, folder / f"{name}.safetensors")
    write_gguf(folder / f"{name}.gguf", model, name)
    fixture = {
        "model": f"{name}.gguf",
        "architecture": architecture(name),
        "rank": RANK,
        "alpha": ALPHA,
        "expected": expected,
        "peft_bf16": peft_bf16(name, all_samples, expected, gradients),
        "samples": all_samples,
    }
    # One row of a sample a line, so that a change can be read.
    text = json.dumps(fixture).replace('{"token"', '\n{"token"').replace('"samples"', '\n"samples"')
    (folder / f"{name}.json").write_text(text.replace('"expected"', '\n"expected"') + "\n")
    print(name, json.dumps({k: expected[k] for k in ("loss", "kl", "grad_norm")}), json.dumps(fixture["peft_bf16"]))


def main(folder):
    torch.manual_seed(0)
    for name in MODELS:
        write(pathlib.Path(folder), name)


if __name__ == "__main__":
    main(sys.argv[1])
