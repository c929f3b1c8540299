"""One step of training: batch, losses, optimisers, average. On CUDA the whole step is one graph,
which is replayed."""

import copy
import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

import discriminator
from crops import Draw, Photos
from perceptual import Features
from tasks import Task

# In levels (squares in twentieths of levels), so learning rates and clipping mean the same for
# every input range.
LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "l1": F.l1_loss,
    "l2": lambda y, target: F.mse_loss(y, target) / 20,
}
# The weight, in levels, of a perceptual distance of 1 and of an adversarial loss of 1.
LEVELS = 25.5
# Standard deviation, in levels, below which a target's neighbourhood counts as even.
EVEN = 4.0
# How many times more the absolute error counts there. Otherwise the other losses could leave grain.
CALM = 5.0
# The perceptual distance uses every second pixel first, then every fourth. If they were always the
# same ones, it would teach the network a pattern, because the upsampler has a grid too. The start
# is therefore one of this many random pixels.
SHIFTS = 8
# Sums for the curve.
PARTS = ("loss", "distance", "generator", "discriminator")
# Steps that CUDA needs to run before it records one.
WARM_UP = 4
# Steps whose random numbers are drawn while CUDA works on earlier ones, by so many threads.
AHEAD, DRAWING = 8, 2
# Share of the schedule between two restarts of LCoAN's clusters, and the share after which they
# stay.
RECLUSTER, SETTLED = 0.06, 0.7


def evenness(target: torch.Tensor) -> torch.Tensor:
    """[B, 1, H, W] from 0 in textures to 1 where the 7x7 around a pixel has one colour."""
    grey = target.mean(1, keepdim=True)
    mean, square = (F.avg_pool2d(v, 7, 1, 3, count_include_pad=False) for v in (grey, grey * grey))
    return torch.exp((mean * mean - square).clamp(max=0) / EVEN**2)


def shifted(images: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """[B, C, H, W] without SHIFTS rows and columns. `u` [2], from 0 to 1, decides how many are
    removed at the start."""
    for axis, chance in ((2, u[0]), (3, u[1])):
        inside = torch.arange(images.shape[axis] - SHIFTS, device=images.device)
        images = images.index_select(axis, inside + (chance * SHIFTS).long())
    return images


def has_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than f32 there. CPUs without AVX-512 compute it by plain loops, which
    makes a step five times as long. With AVX-512, the difference is small and goes either way."""
    if device.type == "cuda":
        return True
    try:
        with open("/proc/cpuinfo") as file:
            return "avx512bw" in file.read()
    except OSError:
        return False


@dataclass
class Schedule:
    steps: int
    rate: float
    average: float
    seed: int
    batch: int

    def rate_at(self, step: int) -> float:
        """200 steps of warm-up, then a cosine to a five-hundredth of the peak."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return self.rate * min(1, (step + 1) / 200) * (cosine + 0.002)


class Trainer:
    """Trains a network; `average` ships. Steps are consecutive, from `load_state` or from 0.

    `features` adds a perceptual distance, `adversarial` above 0 a discriminator of `width`
    channels. With `light`, both only count for images that the task degrades lightly: at most JPEG
    of this quality. A `teacher` replaces the target of those images by its output. `half` says
    whether the networks run in bf16; None leaves it to the device.
    """

    def __init__(
        self, network: nn.Module, photos: Photos, task: Task, schedule: Schedule, loss: str = "l1", *,
        features: Features | None = None, perceptual: float = 1.0, adversarial: float = 0.0, width: int = 24,
        light: int | None = None, teacher: nn.Module | None = None, compiled: bool = False,
        half: bool | None = None,
    ):  # fmt: skip
        self.device = photos.device
        self.cuda = self.device.type == "cuda"
        self.photos, self.task, self.schedule, self.loss = photos, task, schedule, LOSSES[loss]
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.model = torch.compile(self.network) if compiled and hasattr(torch, "compile") else self.network
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = self._adam(self.trained)
        if teacher and light is None:
            raise ValueError("a teacher needs to know which images are degraded lightly")
        self.teacher = teacher and teacher.to(self.device, memory_format=torch.channels_last).requires_grad_(False)
        self.features = features and features.to(self.device)
        self.perceptual, self.adversarial, self.light = perceptual, adversarial, light
        self.judge, self.judge_optimizer = None, None
        if adversarial:
            self.judge = discriminator.Discriminator(width).to(self.device, memory_format=torch.channels_last)
            self.judge_optimizer = self._adam(list(self.judge.parameters()))
        self.half = has_bf16(self.device) if half is None else half
        self.step = 0
        self.sums = torch.zeros(len(PARTS), device=self.device)
        # Every step reads these, and so does a recorded one; they are written in place.
        self.pull = torch.zeros((), device=self.device)
        self.drawn: Draw | None = None
        self.graph, self.warm = None, 0
        # Runs on the same device overlap if each has a stream of its own.
        self.stream = torch.cuda.Stream() if self.cuda else None
        self.ahead: deque[Future[Draw]] = deque()
        self.drawing = ThreadPoolExecutor(DRAWING) if self.cuda else None

    def _adam(self, parameters: list[nn.Parameter]) -> torch.optim.Adam:
        optimizer = torch.optim.Adam(parameters, lr=self.schedule.rate, betas=(0.9, 0.99))
        self._settle(optimizer)
        return optimizer

    def _settle(self, optimizer: torch.optim.Adam) -> None:
        """What a recorded step needs on CUDA and a CPU rejects, also in a state from the other
        device."""
        for group in optimizer.param_groups:
            rate = float(group["lr"])
            group["lr"] = torch.tensor(rate, device=self.device) if self.cuda else rate
            group["capturable"] = self.cuda
        for state in optimizer.state.values():
            state["step"] = state["step"].to(self.device)

    def advance(self) -> None:
        """The next step of the schedule. It depends on the previous state and on (seed, step)
        alone. On CUDA, it returns before the step has ended."""
        with torch.cuda.stream(self.stream) if self.cuda else nullcontext():
            self._advance()
        self.step += 1

    def wait(self) -> None:
        """Until all steps have ended. Needed before anything else reads the networks."""
        if self.cuda:
            torch.cuda.synchronize()

    def _draw(self) -> Draw:
        """The random numbers of this step."""
        s = self.schedule
        if not self.drawing:
            return self.photos.draw(s.seed, self.step, s.batch)
        while len(self.ahead) < AHEAD:
            step = self.step + len(self.ahead)
            self.ahead.append(self.drawing.submit(lambda n: self.photos.draw(s.seed, n, s.batch).pinned(), step))
        return self.ahead.popleft().result()

    def _advance(self) -> None:
        s = self.schedule
        drawn = self._draw()
        if self.drawn is None:
            self.drawn = drawn.to(self.device)
        else:
            for held, new in zip(self.drawn, drawn):
                held.copy_(new, non_blocking=True)
        for optimizer in filter(None, (self.optimizer, self.judge_optimizer)):
            for group in optimizer.param_groups:
                if torch.is_tensor(group["lr"]):
                    group["lr"].fill_(s.rate_at(self.step))
                else:
                    group["lr"] = s.rate_at(self.step)
        self.pull.fill_(1 - min(s.average, (self.step + 1) / (self.step + 21)))
        between = max(1, round(s.steps * RECLUSTER))
        if self.step % between == 0 and self.step < SETTLED * s.steps and hasattr(self.network, "recluster"):
            x, _ = self.photos.make(self.drawn, self.task)
            self.network.recluster(self._input(x))
        if self.cuda:
            self._replay()
        else:
            self._run()

    def _input(self, levels: torch.Tensor) -> torch.Tensor:
        return (levels * (self.network.input_range / 255)).contiguous(memory_format=torch.channels_last)

    def _replay(self) -> None:
        """`_run` as a graph. The first steps run directly, as recording requires. They also choose
        the fastest convolutions for these sizes."""
        if self.graph is None:
            self.wait()  # for what other streams have written
            torch.backends.cudnn.benchmark = True
            if self.warm < WARM_UP:
                self._run()
                self.warm += 1
            else:
                self.graph = torch.cuda.CUDAGraph()
                # Other threads may go on drawing meanwhile.
                with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                    self._run()  # records without running
            torch.backends.cudnn.benchmark = False
        if self.graph:
            self.graph.replay()

    def _run(self) -> None:
        x, target = self.photos.make(self.drawn, self.task)
        half = lambda: torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half)  # noqa: E731
        with half():
            y = self.model(self._input(x))
            learned = self.teacher(self._input(x)) if self.teacher else None
        y = y.float() * (255 / self.network.input_range)
        if self.teacher:
            learned = learned.float() * (255 / self.teacher.input_range)
            target = torch.where(self._light(), learned.clamp(0, 255), target)
        nothing = torch.zeros((), device=self.device)
        loss = level = self.loss(y, target)
        distance = generator = telling = nothing
        seen = y
        if self.features or self.judge:
            # The two other losses would add grain on even areas. There they have little weight, and the
            # absolute error has more.
            even = evenness(target)
            seen = torch.lerp(y, y.detach(), self._unseen(even))
            loss = loss + CALM * (even * (y - target).abs()).mean()
        if self.features:
            with half():
                places = self.drawn.u[0, -2:]
                distance = self.features.distance(shifted(seen, places), shifted(target, places))
            loss = loss + LEVELS * self.perceptual * distance
        if self.judge:
            self.judge.requires_grad_(False)
            with half():
                generator = discriminator.fooling(self.judge(seen))
            loss = loss + LEVELS * self.adversarial * generator
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 40.0)
        self.optimizer.step()
        if self.judge and self.judge_optimizer:
            self.judge.requires_grad_(True)
            self.judge_optimizer.zero_grad(set_to_none=True)
            with half():
                telling = discriminator.telling(self.judge(target), self.judge(y.detach()))
            telling.backward()
            self.judge_optimizer.step()
        self.sums += torch.stack([v.detach() for v in (level, distance, generator, telling)])
        with torch.no_grad():
            means, nows = list(self.average.parameters()), list(self.network.parameters())
            if self.cuda:  # a few kernels instead of one for each tensor
                gaps = torch._foreach_sub(nows, means)
                torch._foreach_mul_(gaps, self.pull)
                torch._foreach_add_(means, gaps)
            else:
                for mean, now in zip(means, nows):
                    mean.lerp_(now, self.pull)
            for mean, now in zip(self.average.buffers(), self.network.buffers()):
                mean.copy_(now)

    def _unseen(self, even: torch.Tensor) -> torch.Tensor:
        """Where the other losses do not count: 1 for a whole image if its degradation is not light."""
        if self.light is None:
            return even
        return torch.where(self._light(), even, torch.ones_like(even))

    def _light(self) -> torch.Tensor:
        """Which images [B, 1, 1, 1] are degraded lightly."""
        return self.task.light(self.drawn.u, self.light).view(-1, 1, 1, 1)

    def losses(self, steps: int) -> dict[str, float]:
        """Means over the last `steps` steps of the existing parts. Resets the sums."""
        self.wait()
        means = dict(zip(PARTS, (self.sums / steps).tolist()))
        self.sums.zero_()
        there = {"loss": True, "distance": self.features, "generator": self.judge, "discriminator": self.judge}
        return {name: round(value, 4) for name, value in means.items() if there[name]}

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        parts = {
            "network": self.network, "average": self.average, "optimizer": self.optimizer,
            "discriminator": self.judge, "discriminator_optimizer": self.judge_optimizer,
        }  # fmt: skip
        return {name: part for name, part in parts.items() if part}

    def state(self) -> dict:
        self.wait()
        return {**{name: part.state_dict() for name, part in self._parts().items()}, "step": self.step}

    def load_state(self, state: dict) -> None:
        """KeyError if the state has no discriminator and this run has one."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
            if isinstance(part, torch.optim.Adam):
                self._settle(part)
        self.step = state["step"]
