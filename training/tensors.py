"""Reads and writes safetensors files: 8 bytes for the header's length, a JSON header, and raw
little-endian data.
"""

import json

import numpy as np
import torch

_TYPES = {"F32": np.float32, "F16": np.float16, "U8": np.uint8, "I32": np.int32, "I64": np.int64}
_NAMES = {np.dtype(v): k for k, v in _TYPES.items()}


def save(path: str, tensors: dict[str, torch.Tensor], metadata: dict | None = None, half=False) -> None:
    """Writes tensors and string metadata. With `half`, floating-point tensors are stored as f16."""
    header: dict = {"__metadata__": {k: str(v) for k, v in metadata.items()}} if metadata else {}
    data, at = [], 0
    for name, tensor in tensors.items():
        array = tensor.detach().cpu().contiguous().numpy()
        if array.dtype == np.bool_:
            array = array.astype(np.uint8)
        if half and array.dtype == np.float32:
            array = array.astype(np.float16)
        raw = array.tobytes()
        span = [at, at + len(raw)]
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": span}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(data))


def load(path: str) -> dict[str, torch.Tensor]:
    """Returns the tensors by name. Tensors in f16 become f32."""
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        array = np.frombuffer(content[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
        array = array.astype(np.float32) if array.dtype == np.float16 else array.copy()
        tensors[name] = torch.from_numpy(array)
    return tensors


def metadata(path: str) -> dict[str, str]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return json.loads(file.read(length)).get("__metadata__", {})


def fill(network: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> list[str]:
    """Loads the tensors that match by name and shape. Returns the names of tensors that kept their
    own values."""
    own = network.state_dict()
    fits = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict({**own, **{k: v.to(own[k].dtype) for k, v in fits.items()}})
    return [k for k in own if k not in fits]
