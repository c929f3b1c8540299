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
    p.add_argument("--reduce", action="store_true", help="use smaller versions of the pictures in folders too")
    p.add_argument("--out", required=True, help="folder of the run")
    p.add_argument("--steps", type=int, required=True, help="length of the schedule")
    p.add_argument("--minutes", type=float, default=math.inf, help="stop this call after so long")
    p.add_argument("--stop", type=int, default=math.inf, help="stop this call at this step; the schedule stays")
    p.add_argument("--init", help="a safetensors file to start from; what fits is taken")
    p.add_argument("--features", type=int, help="channels of the trunk")
    p.add_argument("--width", type=int, help="channels of the upsampler, in PAN and A2N")
    p.add_argument("--blocks", type=int)
    p.add_argument("--rate", type=float, default=1e-3, help="peak learning rate; cosine decay")
    p.add_argument("--loss", default="l1", choices=LOSSES, help="l2 is for a last stage: PSNR counts squares")
    p.add_argument("--perceptual", metavar="FILE", help="SqueezeNet's tensors: adds a perceptual distance")
    p.add_argument("--perceptual-weight", type=float, default=1, metavar="W", help="of that distance")
    p.add_argument("--adversarial", type=float, default=0, metavar="W", help="adds a discriminator's loss, so weighted; 0.02 to 0.1")
    p.add_argument("--light", type=int, metavar="QUALITY", help="these two losses only count for photos that are degraded at most by JPEG of this quality")
    p.add_argument("--teacher", metavar="FILE", help="weights of the same network, whose output is the target for those photos")
    p.add_argument("--discriminator", type=int, default=24, help="its channels")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--side", type=int, default=40, help="of the crops, in LR pixels")
    p.add_argument("--average", type=float, default=0.999, help="decay of the exponential average")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--test", help="folder with HR/*.png, such as Set5, for the curve")
    p.add_argument("--every", type=int, default=500, help="steps between tests and saves")
    p.add_argument("--precision", choices=("bf16", "f32"), help="of the networks; by default, what is usually faster on the device")
    p.add_argument("--compile", action="store_true", help="torch.compile, where there is one")
    a = p.parse_args(given)
    if a.light is not None and not hasattr(TASKS[a.task], "light"):
        p.error(f"--light needs a task with several degradations, not {a.task}")
    if a.teacher and a.light is None:
        p.error("--teacher needs --light")
    return a


def hardware(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads, {platform.machine()} CPU"


def name_of(path: str) -> str:
    """The folder identifies the weights of a run."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) if name == "weights.safetensors" else name


class Run:
    """A run of this command line: its trainer, curve and files. Several runs can share `opened`
    (crops.py)."""

    def __init__(self, a: argparse.Namespace, opened: dict | None = None):
        self.a = a
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(a.seed)
        sizes = networks.sizes(vars(a))
        network = networks.create(a.network, a.scale, **sizes)
        if a.init:
            fresh = tensors.fill(network, tensors.load(a.init))
            print(f"from {a.init}; {len(fresh)} tensors start at random: {', '.join(fresh[:6])}")
        teacher = None
        if a.teacher:
            teacher = networks.create(a.network, a.scale, **sizes)
            missing = tensors.fill(teacher, tensors.load(a.teacher))
            if missing:
                raise SystemExit(f"{a.teacher} lacks {missing}")
        self.data = Photos(a.data, a.scale, a.side, self.device, reduce=a.reduce, opened=opened)
        self.features = Features(a.perceptual) if a.perceptual else None
        self.schedule = Schedule(a.steps, a.rate, a.average, a.seed, a.batch)
        self.trainer = Trainer(
            network, self.data, TASKS[a.task], self.schedule, a.loss, features=self.features,
            perceptual=a.perceptual_weight, adversarial=a.adversarial, width=a.discriminator,
            light=a.light, teacher=teacher, compiled=a.compile, half=a.precision and a.precision == "bf16",
        )  # fmt: skip
        os.makedirs(a.out, exist_ok=True)
        self.path = {n: os.path.join(a.out, f) for n, f in (
            ("state", "state.pt"), ("log", "log.jsonl"), ("run", "run.json"), ("weights", "weights.safetensors"),
            ("discriminator", "discriminator.safetensors"))}
        self.before = 0.0
        self._resume()
        self.begun = self.last = time.time()
        self.logged = self.trainer.step

    def _resume(self) -> None:
        judge, init = self.trainer.judge, self.a.init
        if os.path.exists(self.path["state"]):
            state = torch.load(self.path["state"], map_location=self.device)
            self.trainer.load_state(state)
            self.before = state["minutes"]
            print(f"goes on at step {self.trainer.step}")
        elif init and judge:
            learned = os.path.join(os.path.dirname(init), "discriminator.safetensors")
            if os.path.exists(learned):
                fresh = tensors.fill(judge, tensors.load(learned))
                print(f"and the discriminator from {learned}; {len(fresh)} tensors start at random")

    @property
    def done(self) -> bool:
        return self.trainer.step >= min(self.schedule.steps, self.a.stop)

    def minutes(self) -> float:
        return self.before + (time.time() - self.begun) / 60

    def save(self) -> None:
        a, trainer, path = self.a, self.trainer, self.path
        torch.save({**trainer.state(), "minutes": self.minutes()}, path["state"] + ".new")
        os.replace(path["state"] + ".new", path["state"])
        tensors.save(path["weights"], trainer.average.state_dict(), half=True)
        if trainer.judge:
            tensors.save(path["discriminator"], trainer.judge.state_dict(), half=True)
        recipe = {k: v for k, v in vars(a).items() if k not in ("out", "minutes", "stop", "threads", "every")}
        for key in ("init", "teacher", "test", "perceptual"):
            recipe[key] = recipe[key] and name_of(recipe[key])
        recipe["data"] = ", ".join(name_of(source) for source in a.data)
        recipe["steps"] = self.schedule.steps
        done = {"precision": "bf16" if trainer.half else "f32", "photos": self.data.count,
                "megapixels": self.data.megapixels, "step": trainer.step, "minutes": round(self.minutes(), 1),
                "hardware": hardware(self.device), "torch": torch.__version__}
        with open(path["run"], "w") as file:
            json.dump({**recipe, **done}, file, indent=2)
            file.write("\n")

    def advance(self) -> None:
        """One step. Every LINE steps it adds a line to the curve; every `--every` steps and at the
        end of the schedule it also tests and saves."""
        rate = self.schedule.rate_at(self.trainer.step)
        self.trainer.advance()
        step = self.trainer.step
        tested = step % self.a.every == 0 or step == self.schedule.steps
        if step % LINE == 0 or tested:
            self.line(rate, tested)

    def line(self, rate: float, tested: bool) -> None:
        trainer, a = self.trainer, self.a
        count = trainer.step - self.logged
        line = {"step": trainer.step, "minutes": round(self.minutes(), 2), **trainer.losses(count),
                "rate": round(rate, 7), "seconds": round((time.time() - self.last) / count, 4)}
        if tested:
            if a.test:
                line.update(evaluate.figures(trainer.average, a.test, a.task, self.device, self.features))
            self.save()
        with open(self.path["log"], "a") as file:
            file.write(json.dumps(line) + "\n")
        self.logged, self.last = trainer.step, time.time()


def prepare(threads: int) -> None:
    """What every run expects of torch."""
    if threads:
        torch.set_num_threads(threads)
    # Networks run in bf16 anyway, but the code that makes the batches must not lose bits.
    torch.backends.cudnn.allow_tf32 = False


def main(given: list[str] | None = None) -> None:
    a = arguments(given)
    prepare(a.threads)
    run = Run(a)
    while not run.done and (time.time() - run.begun) / 60 < a.minutes:
        run.advance()
    run.save()
    print(json.dumps({"step": run.trainer.step, "of": a.steps, "minutes": round(run.minutes(), 1)}))


if __name__ == "__main__":
    main()
