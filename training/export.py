"""export.py RUN ID [--models FOLDER] [--onnx FILE]: exports the result of a run.

Copies the averaged f16 weights to FOLDER/ID.safetensors and prints the entries for files.ts and
manifest.ts in src/catalog. The null values must be filled in by hand, from `npm run quality` and
`npm run precision`. golden.py creates the golden dump from the same weights. --onnx writes the
network with f32 weights for other runtimes. The file uses opset 17, and its input `lr` and output
`sr` have dynamic sides.
"""

import argparse
import hashlib
import json
import os
import shutil

import torch

import evaluate
import networks


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("run")
    p.add_argument("id")
    p.add_argument("--models", default=os.path.join(os.path.dirname(__file__), "../public/models"))
    p.add_argument("--onnx")
    a = p.parse_args()
    source = os.path.join(a.run, "weights.safetensors")
    network, recipe = evaluate.opened(source)
    target = os.path.join(a.models, f"{a.id}.safetensors")
    shutil.copyfile(source, target)
    with open(target, "rb") as file:
        content = file.read()
    sizes = {"upsamplerFeatures" if k == "width" else k: n for k, n in networks.sizes(recipe).items()}
    task = {"jpeg": "dejpeg", "denoise": "denoise"}.get(recipe["task"], "upscale")
    figures = {"set5": None, "set14": None}
    worse = {"dejpeg": {"jpeg": 20}, "denoise": {"noise": 25}}.get(task)
    entries = {
        "files.ts": {
            "id": a.id,
            "network": recipe["network"],
            "task": task,
            "scale": recipe["scale"],
            **sizes,
            "inputRange": network.input_range,
            "f16": None,
            "file": f"{a.id}.safetensors",
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        },
        "manifest.ts": {
            "description": None,
            "training": {
                "data": f"{recipe['photos']} photos, task {recipe['task']}",
                "steps": recipe["step"],
                "minutes": round(recipe["minutes"]),
                "hardware": recipe["hardware"],
                "seed": recipe["seed"],
                "startedFrom": recipe["init"] and os.path.splitext(recipe["init"])[0],
            },
            "quality": {**figures, "input": {**worse, **figures}} if worse else figures,
        },
    }
    print(json.dumps(entries, indent=2))
    if a.onnx:
        x = torch.rand(1, 3, 24, 20) * network.input_range
        torch.onnx.export(
            network, x, a.onnx, opset_version=17 if torch.__version__ >= "1.13" else 16,
            input_names=["lr"], output_names=["sr"],
            dynamic_axes={"lr": {2: "height", 3: "width"}, "sr": {2: "height", 3: "width"}},
        )


if __name__ == "__main__":
    main()
