"""Trains a network on CUDA or on the CPU. Run it again with the same --out to resume.

OUT/state.pt has everything needed to resume, OUT/log.jsonl the curve, OUT/run.json the recipe,
and OUT/weights.safetensors the exponential average in f16, which ships. The batches of step n
depend on (seed, n) alone, so a resumed run sees the same batches as an uninterrupted one.
"""

import argparse
import json
import math
import os
import platform
import time

import torch

import evaluate
import networks
import tensors
from crops import Photos
from perceptual import Features
from tasks import TASKS
from trainer import LOSSES, Schedule, Trainer

# Steps between lines of the curve. Tests and saves are less frequent.
LINE = 100


def arguments(given: list[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--network", required=True, choices=networks.NETWORKS)
    p.add_argument("--scale", type=int, required=True, choices=(1, 2, 3, 4))
    p.add_argument("--task", default="clean", choices=TASKS)
    p.add_argument("--data", required=True, action="append", help="a folder of pictures, or a file made by photos.py; repeatable")
    p.add_argument("--out", required=True, help="folder of the run")
    p.add_argument("--steps", type=int, required=True, help="length of the schedule")
    p.add_argument("--minutes", type=float, default=math.inf, help="stop this call after so long")
    p.add_argument("--stop", type=int, default=math.inf, help="stop this call at this step; the schedule stays")
    p.add_argument("--init", help="a safetensors file to start from; what fits is taken")
    p.add_argument("--features", type=int, help="channels of the trunk")
    p.add_argument("--blocks", type=int)
    p.add_argument("--rate", type=float, default=1e-3, help="peak learning rate; cosine decay")
    p.add_argument("--loss", default="l1", choices=LOSSES, help="l2 is for a last stage: PSNR counts squares")
    p.add_argument("--perceptual", metavar="FILE", help="SqueezeNet's tensors: adds a perceptual distance")
    p.add_argument("--adversarial", type=float, default=0, metavar="W", help="adds a discriminator's loss, so weighted; 0.02 to 0.1")
    p.add_argument("--discriminator", type=int, default=24, help="its channels")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--side", type=int, default=40, help="of the crops, in LR pixels")
    p.add_argument("--average", type=float, default=0.999, help="decay of the exponential average")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--test", help="folder with HR/*.png, such as Set5, for the curve")
    p.add_argument("--every", type=int, default=500, help="steps between tests and saves")
    p.add_argument("--compile", action="store_true", help="torch.compile, where there is one")
    return p.parse_args(given)


def hardware(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads, {platform.machine()} CPU"


def name_of(path: str) -> str:
    """The folder identifies the weights of a run."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) if name == "weights.safetensors" else name


def main(given: list[str] | None = None) -> None:
    a = arguments(given)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if a.threads:
        torch.set_num_threads(a.threads)
    # Networks run in bf16 anyway, but the code that makes the batches must not lose bits.
    torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(a.seed)
    sizes = {k: v for k, v in (("features", a.features), ("blocks", a.blocks)) if v}
    network = networks.create(a.network, a.scale, **sizes)
    if a.init:
        fresh = tensors.fill(network, tensors.load(a.init))
        print(f"from {a.init}; {len(fresh)} tensors start at random: {', '.join(fresh[:6])}")
    data = Photos(a.data, a.scale, a.side, device)
    features = Features(a.perceptual) if a.perceptual else None
    schedule = Schedule(a.steps, a.rate, a.average, a.seed, a.batch)
    trainer = Trainer(
        network, data, TASKS[a.task], schedule, a.loss,
        features=features, adversarial=a.adversarial, width=a.discriminator, compiled=a.compile,
    )

    os.makedirs(a.out, exist_ok=True)
    path = {n: os.path.join(a.out, f) for n, f in (
        ("state", "state.pt"), ("log", "log.jsonl"), ("run", "run.json"), ("weights", "weights.safetensors"),
        ("discriminator", "discriminator.safetensors"))}
    before = 0.0
    if os.path.exists(path["state"]):
        state = torch.load(path["state"], map_location=device)
        trainer.load_state(state)
        before = state["minutes"]
        print(f"goes on at step {trainer.step}")
    elif a.init and trainer.judge:
        learned = os.path.join(os.path.dirname(a.init), "discriminator.safetensors")
        if os.path.exists(learned):
            tensors.fill(trainer.judge, tensors.load(learned))
            print(f"and the discriminator from {learned}")

    begun = last = time.time()
    logged = trainer.step

    def minutes() -> float:
        return before + (time.time() - begun) / 60

    def save() -> None:
        torch.save({**trainer.state(), "minutes": minutes()}, path["state"] + ".new")
        os.replace(path["state"] + ".new", path["state"])
        tensors.save(path["weights"], trainer.average.state_dict(), half=True)
        if trainer.judge:
            tensors.save(path["discriminator"], trainer.judge.state_dict(), half=True)
        recipe = {k: v for k, v in vars(a).items() if k not in ("out", "minutes", "stop", "threads", "every")}
        for key in ("init", "test", "perceptual"):
            recipe[key] = recipe[key] and name_of(recipe[key])
        recipe["data"] = ", ".join(name_of(source) for source in a.data)
        done = {"precision": "bf16" if trainer.half else "f32", "photos": data.count, "megapixels": data.megapixels, "step": trainer.step,
                "minutes": round(minutes(), 1), "hardware": hardware(device), "torch": torch.__version__}
        with open(path["run"], "w") as file:
            json.dump({**recipe, **done}, file, indent=2)
            file.write("\n")

    while trainer.step < min(a.steps, a.stop) and (time.time() - begun) / 60 < a.minutes:
        rate = schedule.rate_at(trainer.step)
        trainer.advance()
        step = trainer.step
        tested = step % a.every == 0 or step == a.steps
        if step % LINE == 0 or tested:
            line = {"step": step, "minutes": round(minutes(), 2), **trainer.losses(step - logged),
                    "rate": round(rate, 7), "seconds": round((time.time() - last) / (step - logged), 3)}
            if tested:
                if a.test:
                    line.update(evaluate.figures(trainer.average, a.test, a.task, device, features))
                save()
            with open(path["log"], "a") as file:
                file.write(json.dumps(line) + "\n")
            logged, last = step, time.time()
    save()
    print(json.dumps({"step": trainer.step, "of": a.steps, "minutes": round(minutes(), 1)}))


if __name__ == "__main__":
    main()
