"""Trains a network, on CUDA or on CPU; run again with the same --out it goes on where it stopped.

OUT/state.pt holds everything needed to resume, OUT/log.jsonl the curve, OUT/run.json the recipe,
OUT/weights.safetensors the exponential average in f16: what is shipped. The batches of step n come
from (seed, n) alone, so a resumed run sees what an uninterrupted one would have seen.
"""

import argparse
import copy
import json
import math
import os
import platform
import time

import numpy as np
import torch
import torch.nn.functional as F

import evaluate
import networks
import tensors
from photos import Photos
from tasks import TASKS

# In levels (squares of them, in twentieths), so that learning rates and clipping mean the same for every
# input range.
LOSSES = {
    "l1": lambda y, target, level: F.l1_loss(y, target) / level,
    "l2": lambda y, target, level: F.mse_loss(y, target) / level**2 / 20,
}


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--network", required=True, choices=networks.NETWORKS)
    p.add_argument("--scale", type=int, required=True, choices=(1, 2, 3, 4))
    p.add_argument("--task", default="clean", choices=TASKS)
    p.add_argument("--data", required=True, help="a file made by photos.py")
    p.add_argument("--out", required=True, help="folder of the run")
    p.add_argument("--steps", type=int, required=True, help="length of the schedule")
    p.add_argument("--minutes", type=float, default=math.inf, help="stop this call after so long")
    p.add_argument("--init", help="a safetensors file to start from; what fits is taken")
    p.add_argument("--features", type=int, help="channels of the trunk")
    p.add_argument("--blocks", type=int)
    p.add_argument("--rate", type=float, default=1e-3, help="peak learning rate; cosine decay")
    p.add_argument("--loss", default="l1", choices=LOSSES, help="l2 is for a last stage: PSNR counts squares")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--side", type=int, default=40, help="of the crops, in LR pixels")
    p.add_argument("--average", type=float, default=0.999, help="decay of the exponential average")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--test", help="folder with HR/*.png, such as Set5, for the curve")
    p.add_argument("--every", type=int, default=500, help="steps between tests and saves")
    p.add_argument("--compile", action="store_true", help="torch.compile, where there is one")
    return p.parse_args()


def hardware(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads, {platform.machine()} CPU"


def name_of(path: str) -> str:
    """The weights of a run are known by its folder."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) if name == "weights.safetensors" else name


def main() -> None:
    a = arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if a.threads:
        torch.set_num_threads(a.threads)
    if device == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    torch.manual_seed(a.seed)
    sizes = {k: v for k, v in (("features", a.features), ("blocks", a.blocks)) if v}
    network = networks.create(a.network, a.scale, **sizes)
    if a.init:
        fresh = tensors.fill(network, tensors.load(a.init))
        print(f"from {a.init}; {len(fresh)} tensors start at random: {', '.join(fresh[:6])}")
    network = network.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network).requires_grad_(False)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=a.rate, betas=(0.9, 0.99))

    os.makedirs(a.out, exist_ok=True)
    path = {n: os.path.join(a.out, f) for n, f in (
        ("state", "state.pt"), ("log", "log.jsonl"), ("run", "run.json"), ("weights", "weights.safetensors"))}
    step, minutes = 0, 0.0
    if os.path.exists(path["state"]):
        state = torch.load(path["state"], map_location=device)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step, minutes = state["step"], state["minutes"]
        print(f"goes on at step {step}")

    data = Photos(a.data, a.scale, a.side)
    task = TASKS[a.task]
    model = torch.compile(network) if a.compile and hasattr(torch, "compile") else network
    factor = network.input_range / 255

    def save() -> None:
        state = {"network": network.state_dict(), "average": average.state_dict(),
                 "optimizer": optimizer.state_dict(), "step": step, "minutes": minutes}
        torch.save(state, path["state"] + ".new")
        os.replace(path["state"] + ".new", path["state"])
        tensors.save(path["weights"], average.state_dict(), half=True)
        recipe = {k: v for k, v in vars(a).items() if k not in ("out", "minutes", "threads", "every")}
        for key in ("data", "init", "test"):
            recipe[key] = recipe[key] and name_of(recipe[key])
        with open(path["run"], "w") as file:
            json.dump({**recipe, "photos": len(data.hr), "step": step, "minutes": round(minutes, 1),
                       "hardware": hardware(device), "torch": torch.__version__}, file, indent=2)
            file.write("\n")

    begun = last = time.time()
    before = minutes
    total = 0.0
    logged = step
    while step < a.steps and (time.time() - begun) / 60 < a.minutes:
        rng = np.random.default_rng([a.seed, step])
        inputs, targets = data.batch(task, a.batch, rng)
        to = lambda v: torch.from_numpy(v).to(device).permute(0, 3, 1, 2).float() * factor  # noqa: E731
        x = to(inputs).contiguous(memory_format=torch.channels_last)
        rate = a.rate * min(1, (step + 1) / 200) * (0.5 * (1 + math.cos(math.pi * step / a.steps)) + 0.002)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = LOSSES[a.loss](model(x), to(targets), factor)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 40.0)
        optimizer.step()
        step += 1
        decay = min(a.average, step / (step + 20))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), network.parameters()):
                mean.lerp_(now, 1 - decay)
            for mean, now in zip(average.buffers(), network.buffers()):
                mean.copy_(now)
        total += loss.item()
        minutes = before + (time.time() - begun) / 60
        tested = step % a.every == 0 or step == a.steps
        if step % 100 == 0 or tested:
            line = {"step": step, "minutes": round(minutes, 2), "loss": round(total / (step - logged), 4),
                    "rate": round(rate, 7), "seconds": round((time.time() - last) / (step - logged), 3)}
            if tested:
                if a.test:
                    line["psnr"] = round(evaluate.mean_psnr(average, a.test, a.task, device), 3)
                save()
            with open(path["log"], "a") as file:
                file.write(json.dumps(line) + "\n")
            total, logged, last = 0.0, step, time.time()
    save()
    print(json.dumps({"step": step, "of": a.steps, "minutes": round(minutes, 1)}))


if __name__ == "__main__":
    main()
