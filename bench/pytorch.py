#!/usr/bin/env python3
"""The same networks in PyTorch, as rows in the form of `npm run bench -- --json`.

    npm run bench:dawn -- --json --sizes 512x512 --save run.safetensors > crispen.jsonl
    python3 bench/pytorch.py --against run.safetensors > torch.jsonl

Inputs and expected outputs come from the file of --save, so both programs use the same pixels. As
for Crispen, the time is from 8-bit pixels in memory to 8-bit pixels in memory. Without CUDA, the
script runs on the CPU, which only checks that the results agree.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ENGINES = {
    "torch-eager-fp32": ("f32", False),
    "torch-eager-tf32": ("tf32", False),
    "torch-eager-fp16": ("f16", False),
    "torch-compile-fp32": ("f32", True),
    "torch-compile-fp16": ("f16", True),
}
DTYPES = {"F16": np.float16, "F32": np.float32}
INPUT_RANGE = {"a2n": 255.0, "pan": 1.0}


def read_safetensors(path):
    content = Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[start:end], DTYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(values.astype(np.float32).reshape(entry["shape"]))
    return tensors


def read_weights(path):
    if Path(path).suffix == ".safetensors":
        return read_safetensors(path)
    content = torch.load(path, map_location="cpu")
    return {name: tensor.float() for name, tensor in content.items()}


def lrelu(x):
    return F.leaky_relu(x, 0.2)


class Weights(torch.nn.Module):
    """Provides layers by their names in the checkpoint."""

    def __init__(self, tensors):
        super().__init__()
        self.tensors = torch.nn.ParameterDict(
            {name.replace(".", "/"): torch.nn.Parameter(t, False) for name, t in tensors.items()}
        )
        self.count = len({name.split(".")[1] for name in tensors if "_trunk." in name})

    def weight(self, name):
        return self.tensors[name.replace(".", "/")]

    def conv(self, layer, x):
        weight = self.weight(f"{layer}.weight")
        bias = f"{layer}/bias".replace(".", "/")
        bias = self.tensors[bias] if bias in self.tensors else None
        return F.conv2d(x, weight, bias, padding=weight.shape[2] // 2)

    def upsample(self, x, image, scale):
        for i, factor in enumerate([2, 2] if scale == 4 else [scale], start=1):
            x = self.conv(f"upconv{i}", F.interpolate(x, scale_factor=factor, mode="nearest"))
            x = lrelu(x * torch.sigmoid(self.conv(f"att{i}.conv", x)))
            x = lrelu(self.conv(f"HRconv{i}", x))
        skip = F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
        return self.conv("conv_last", x) + skip


class A2N(Weights):
    """Attention in attention network, arXiv 2104.09497."""

    def forward(self, image, scale):
        head = x = self.conv("conv_first", image)
        for i in range(self.count):
            layer = f"AAB_trunk.{i}"
            t = lrelu(self.conv(f"{layer}.conv_first", x))
            hidden = F.linear(t.mean((2, 3)), self.weight(f"{layer}.ADM.0.weight"))
            logits = F.linear(F.relu(hidden), self.weight(f"{layer}.ADM.2.weight"))
            mix = F.softmax(logits / 30, dim=1)
            gate = lrelu(self.conv(f"{layer}.attention.k1", t))
            gate = torch.sigmoid(self.conv(f"{layer}.attention.k2", gate))
            attended = self.conv(f"{layer}.attention.k4", self.conv(f"{layer}.attention.k3", t) * gate)
            plain = self.conv(f"{layer}.non_attention", t)
            weighted = attended * mix[:, 0].view(-1, 1, 1, 1) + plain * mix[:, 1].view(-1, 1, 1, 1)
            x = x + self.conv(f"{layer}.conv_last", lrelu(weighted))
        return self.upsample(head + self.conv("trunk_conv", x), image, scale)


class PAN(Weights):
    """Pixel attention network, arXiv 2010.01073."""

    def forward(self, image, scale):
        head = x = self.conv("conv_first", image)
        for i in range(self.count):
            layer = f"SCPA_trunk.{i}"
            upper = lrelu(self.conv(f"{layer}.k1.0", lrelu(self.conv(f"{layer}.conv1_a", x))))
            lower = lrelu(self.conv(f"{layer}.conv1_b", x))
            gate = torch.sigmoid(self.conv(f"{layer}.PAConv.k2", lower))
            lower = lrelu(self.conv(f"{layer}.PAConv.k4", self.conv(f"{layer}.PAConv.k3", lower) * gate))
            x = x + self.conv(f"{layer}.conv3", torch.cat([upper, lower], 1))
        return self.upsample(head + self.conv("trunk_conv", x), image, scale)


NETWORKS = {"a2n": A2N, "pan": PAN}


def run_engine(engine, args, tensors, pixels, wanted, device):
    precision, compiled = ENGINES[engine]
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    dtype = torch.float16 if precision == "f16" else torch.float32
    if dtype == torch.float16 and device.type == "cpu":
        raise RuntimeError("PyTorch has no half precision convolutions on the processor.")
    if precision == "tf32" and device.type == "cpu":
        raise RuntimeError("Processors have no tf32.")
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    value_range = INPUT_RANGE[args.network]
    started = time.perf_counter()
    model = NETWORKS[args.network](tensors).to(device, dtype, memory_format=torch.channels_last)
    network = torch.compile(model) if compiled else model

    def enlarge():
        x = pixels.to(device).to(dtype).mul(value_range / 255)
        return network(x.contiguous(memory_format=torch.channels_last), args.scale)

    def run():
        y = enlarge().float().mul(255 / value_range).round().clamp(0, 255)
        return y.to(torch.uint8).cpu()

    run()
    first = time.perf_counter() - started
    difference = (enlarge().float().cpu() / value_range - wanted).abs().max().item()
    times = []
    for _ in range(args.repeats):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1000)
    return {
        "medianMs": statistics.median(times),
        "firstMs": first * 1000,
        "gpuBytes": torch.cuda.max_memory_allocated() if device.type == "cuda" else 0,
        "dispatches": None,
        "maxAbsDiff": difference,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--against", required=True, help="what bench:dawn --save wrote")
    parser.add_argument("--weights", default="public/models/a2n-x2.safetensors")
    parser.add_argument("--network", choices=NETWORKS, default="a2n")
    parser.add_argument("--scale", type=int, choices=[2, 3, 4], default=2)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--engines", default=",".join(ENGINES))
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "the processor"
    print(f"PyTorch {torch.__version__} on {name}", file=sys.stderr)
    torch.set_grad_enabled(False)
    torch.backends.cudnn.benchmark = True
    tensors = read_weights(args.weights)
    saved = read_safetensors(args.against)
    for key in sorted(name for name in saved if name.startswith("input.")):
        size = key.split(".")[1]
        width, height = map(int, size.split("x"))
        # The values were saved in 0..1. Both this script and the bench start from 8-bit pixels.
        pixels = (saved[key] * 255).round().to(torch.uint8)
        for engine in args.engines.split(","):
            row = {
                "engine": engine,
                "precision": ENGINES[engine][0],
                "network": args.network,
                "scale": args.scale,
                "width": width,
                "height": height,
            }
            try:
                row.update(run_engine(engine, args, tensors, pixels, saved[f"output.{size}"], device))
            except Exception as error:  # The row then contains the error, as in the bench.
                nothing = ["medianMs", "firstMs", "gpuBytes", "dispatches", "maxAbsDiff"]
                row.update(dict.fromkeys(nothing), error=str(error).split("\n")[0])
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
