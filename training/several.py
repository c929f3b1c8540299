"""Trains several networks at once on one CUDA device. A small network does not fill such a device;
several fill it better, because each works on a stream of its own.

several.py JOBS MINUTES [JOBS MINUTES ...]

JOBS is a file with the options of train.py, one run per line; lines that begin with # are skipped.
All runs of a file end together after so many minutes: the run that has the smallest share of its
schedule behind it takes the next step, and after a few per cent all schedules are multiplied by the
same factor, so `--steps` only says how much of the device each run gets. `--every` is ignored:
each run is tested after TESTS of its schedule. The runs of the next file begin when those of the
previous one have ended, so they can start from their weights.
"""

import json
import shlex
import sys
import time

import torch

from train import Run, arguments, prepare
from trainer import WARM_UP

# Shares of a schedule after which its length is fitted to the time that is left.
FITTED = (0.02, 0.3)
# Tests of each run, the last one at the end.
TESTS = 3
# Rounds between two looks at the clock.
ROUNDS = 20


def jobs(path: str) -> list[list[str]]:
    with open(path) as file:
        return [shlex.split(line) for line in file if line.strip() and not line.startswith("#")]


def share(run: Run) -> float:
    return run.trainer.step / run.schedule.steps


def fit(runs: list[Run], factor: float) -> None:
    """Multiplies what is left of every schedule."""
    for run in runs:
        step = run.trainer.step
        run.schedule.steps = max(step + 1, round(step + (run.schedule.steps - step) * factor))
        run.a.every = -(-run.schedule.steps // TESTS)


def train(runs: list[Run], deadline: float, clock=time.time) -> None:
    """Advances all runs until their schedules or the time ends."""
    # Recording a step must not overlap with the steps of others.
    for run in runs:
        for _ in range(WARM_UP + 2):
            run.advance()
        run.trainer.wait()
    begun = clock()
    before = [run.trainer.step for run in runs]
    fits = list(FITTED)
    rounds = 0
    while waiting := [run for run in runs if not run.done]:
        min(waiting, key=share).advance()
        rounds += 1
        if rounds % (ROUNDS * len(runs)):
            continue
        for run in runs:
            run.trainer.wait()
        now = clock()
        if now > deadline:
            break
        least = min(map(share, waiting))
        if fits and least >= fits[0]:
            fits.pop(0)
            done = sum((run.trainer.step - n) / (run.schedule.steps - n) for run, n in zip(runs, before)) / len(runs)
            fit(runs, (deadline - now) / ((now - begun) * (1 - done) / done))
            begun, before = now, [run.trainer.step for run in runs]
    for run in runs:
        if not run.done:
            run.line(run.schedule.rate_at(run.trainer.step), True)


def run_file(path: str, minutes: float, opened: dict) -> None:
    """Trains the runs of one file. Loading counts, so it ends in time."""
    started = time.time()
    runs = [Run(arguments(job), opened) for job in jobs(path)]
    for run in runs:
        run.a.every = run.schedule.steps
    print(f"{path}: {len(runs)} runs, ready after {time.time() - started:.0f} s", flush=True)
    train(runs, started + 60 * minutes)
    for run in runs:
        with open(run.path["log"]) as file:
            last = json.loads(file.readlines()[-1])
        print(run.a.out, run.schedule.steps, json.dumps(last), flush=True)


def main(given: list[str] | None = None) -> None:
    given = sys.argv[1:] if given is None else given
    if len(given) < 2 or len(given) % 2:
        raise SystemExit(__doc__)
    prepare(0)
    opened: dict = {}
    for path, minutes in zip(given[::2], given[1::2]):
        run_file(path, float(minutes), opened)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
