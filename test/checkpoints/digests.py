"""Writes digests.json: the expected tensors of the test checkpoints, as one SHA-256 per file.

Independent of the reader under test: the values come from the goldens' `weights.*`, rounded to
the checkpoint's element type, and never from the checkpoints themselves. Usage:

    python3 digests.py ../../../shared > digests.json"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import numpy as np


def read_golden(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    types = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
    return {
        name: np.frombuffer(
            data[entry["data_offsets"][0] : entry["data_offsets"][1]], types[entry["dtype"]]
        ).reshape(entry["shape"])
        for name, entry in header.items()
    }


def to_stored(array, dtype):
    """The bytes of a float32 array in the stored type."""
    if dtype == "bf16":  # round to nearest, ties to even, on the upper half of the float32
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return array.astype({"f16": "<f2", "f32": "<f4", "f64": "<f8"}[dtype]).tobytes()


def trunk_name(name):
    """The RRDB_trunk name for a name of an old ESRGAN file with one up stage and two blocks."""
    outer = {"0": "conv_first", "1.sub.2": "trunk_conv", "3": "upconv1", "5": "HRconv", "7": "conv_last"}
    for old, new in outer.items():
        if name.startswith(f"model.{old}.") and name.count(".") == old.count(".") + 2:
            return f"{new}.{name.rsplit('.', 1)[1]}"
    block, dense, conv, _, kind = name.removeprefix("model.1.sub.").split(".")
    return f"RRDB_trunk.{block}.{dense}.{conv}.{kind}"


def expected(entry, golden):
    """The tensors that the file must contain after unwrapping, by name."""
    weights = {
        name.removeprefix("weights."): array
        for name, array in golden.items()
        if name.startswith("weights.")
    }
    file = entry["file"]
    if "trunkkeys_oneup" in file:
        return {trunk_name(name): array for name, array in weights.items()}
    if "evalonly" in file:  # the folded convolutions replace their parts
        folded = {
            name.removeprefix("folded.").replace(".weight", ".eval_conv.weight").replace(".bias", ".eval_conv.bias"): array
            for name, array in golden.items()
            if name.startswith("folded.")
        }
        rest = {n: a for n, a in weights.items() if not any(p in n for p in (".sk.", ".conv.", ".eval_conv."))}
        return rest | folded
    return weights


def main():
    shared = Path(sys.argv[1])
    result = {}
    for entry in json.loads((shared / "weights/checkpoints/manifest.json").read_text()):
        file = entry["file"]
        dtype = next((t for w, t in (("half", "f16"), ("bf16", "bf16"), ("double", "f64")) if w in file), "f32")
        tensors = expected(entry, read_golden(shared / f"golden/{entry['golden']}.safetensors"))
        digest = hashlib.sha256()
        for name in sorted(tensors):
            array = tensors[name]
            head = f"{name} {dtype} {','.join(map(str, array.shape))}\n"
            digest.update(head.encode() + to_stored(array, dtype))
        result[file] = {"tensors": len(tensors), "sha256": digest.hexdigest()}
    print(json.dumps(result, indent=2))


main()
