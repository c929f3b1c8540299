"""python3 -m unittest test_training: tests that do not need the TypeScript side
(test/training.test.ts compares the two). The reference images must be in $CRISPEN_SHARED."""

import contextlib
import glob
import io
import json
import os
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from PIL import Image

import bicubic
import blind
import crops
import discriminator
import evaluate
import jpeg
import leaves
import mean
import narrow
import networks
import perceptual
import photos
import several
import tasks
import tensors
import train
import trainer

SHARED = os.environ.get("CRISPEN_SHARED", os.path.join(os.path.dirname(__file__), "../../shared"))


class Bicubic(unittest.TestCase):
    def test_equals_the_published_lr_images_bit_for_bit(self):
        checked = 0
        for name in ("Set5", "Set14"):
            for path in sorted(glob.glob(f"{SHARED}/images/{name}/HR/*.png")):
                hr = np.asarray(Image.open(path).convert("RGB"))
                stem = os.path.basename(path)[:-4]
                for scale in (2, 3, 4):
                    lr = f"{SHARED}/images/{name}/LR_bicubic/X{scale}/{stem}x{scale}.png"
                    published = np.asarray(Image.open(lr).convert("RGB"))
                    ours = bicubic.reduce(bicubic.crop_to_multiple(hr, scale), scale)
                    self.assertTrue(np.array_equal(ours, published), f"{stem} x{scale}")
                    checked += 1
        if not checked:
            self.skipTest(f"no reference images in {SHARED}/images")
        self.assertEqual(checked, 57)

    def test_of_batches_equals_that_of_images(self):
        image = np.random.default_rng(1).integers(0, 256, (60, 96, 3), dtype=np.uint8)
        image[20:40, :48] = 255 * (np.indices((20, 48)).sum(0) % 2)[..., None]
        batch = torch.from_numpy(image).permute(2, 0, 1)[None].float()
        for factor in (2, 3, 4):
            ours = bicubic.reduce_batch(batch, factor)[0].permute(1, 2, 0).numpy()
            apart = np.abs(ours - bicubic.reduce(image, factor))
            if factor == 3:
                self.assertLessEqual(apart.max(), 1)
                self.assertLess((apart > 0).mean(), 0.001)
            else:
                self.assertEqual(apart.max(), 0)


def shaded(height: int, width: int, seed: int = 1) -> np.ndarray:
    """uint8 [height, width, 3] with shades, edges and some noise, like a photo."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    picture = np.stack([90 + x, 200 - y, 60 + x + y], -1) + 60.0 * ((x // 13 + y // 17) % 2)[..., None]
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


class Jpeg(unittest.TestCase):
    def test_is_near_what_pillow_does(self):
        y, x = np.mgrid[:70, :90]
        colours = np.array([[200, 60, 40], [40, 160, 60], [50, 70, 190]])[(x // 11 + y // 9) % 3]
        colours = np.clip(colours + np.random.default_rng(1).normal(0, 3, colours.shape), 0, 255).astype(np.uint8)
        # Halved chroma has little effect on shades and much on edges of colours.
        for image, share, ways in ((shaded(70, 90), 1 / 8, (2, 0)), (colours, 1 / 40, (2,))):
            batch = torch.from_numpy(image).permute(2, 0, 1)[None].float()
            for quality in (20, 40, 60, 80, 95):
                for subsampling in ways:
                    with self.subTest(quality=quality, subsampling=subsampling):
                        buffer = io.BytesIO()
                        Image.fromarray(image).save(buffer, "JPEG", quality=quality, subsampling=subsampling)
                        theirs = np.asarray(Image.open(buffer).convert("RGB")).astype(float)
                        halved = torch.tensor([subsampling == 2])
                        ours = jpeg.through_jpeg(batch, torch.tensor([float(quality)]), halved)
                        ours = ours[0].permute(1, 2, 0).numpy()
                        self.assertEqual(ours.shape, image.shape)
                        # Far closer to Pillow's result than to the input.
                        lost = np.square(theirs - image).mean()
                        self.assertGreater(lost, 1)
                        self.assertLess(np.square(ours - theirs).mean(), lost * share)


class Networks(unittest.TestCase):
    def test_have_the_published_numbers_of_parameters(self):
        # ACLA: 1,406,889 and 1,554,601 with the four unused depthwise parts of 704.
        for name, scale, count in (
            ("a2n", 2, 1_036_443), ("a2n", 4, 1_047_459), ("a2nm", 2, 831_643), ("pan", 2, 261_403),
            ("pan", 4, 272_419), ("acla", 2, 1_406_889 - 4 * 704), ("acla", 4, 1_554_601 - 4 * 704),
            ("asid", 2, 297_516), ("asid", 3, 304_011), ("asid", 4, 313_104),
        ):
            network = networks.create(name, scale)
            self.assertEqual(sum(p.numel() for p in network.parameters()), count, f"{name} x{scale}")

    def test_learn(self):
        cases = [(name, half) for name in networks.NETWORKS for half in (False, True)]
        for name, half in cases:
            with self.subTest(name, bf16=half):
                torch.manual_seed(3)
                network = networks.create(name, 2)
                x, y = torch.rand(1, 3, 20, 20), torch.rand(1, 3, 40, 40)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                    out = network(x)
                self.assertEqual(out.dtype, torch.float32)
                (out - y).abs().mean().backward()
                for key, parameter in network.named_parameters():
                    # The other groups reuse the first one's pattern; everything else must learn.
                    unused = name == "lcoan" and "conv_match" in key and "body.0" not in key
                    if parameter.requires_grad and not unused:
                        self.assertIsNotNone(parameter.grad, key)

    def test_of_non_local_attention_equal_the_authors_code(self):
        """Small seeded cases by the authors' code; `paired` of the module's two slicings."""
        cases = [
            ("lcoan_tiny_x2_9x7", "output"), ("lcoan_tiny_x4_11x9_red2", "output"),
            ("lcoan_tiny_x2_6x5_onechunk", "output"),
            ("edsr_cla_tiny_x2_9x7", "paired.output"), ("edsr_cla_tiny_x3_10x7_k9", "paired.output"),
        ]
        for name, output in cases:
            path = os.path.join(SHARED, "golden", f"{name}.safetensors")
            if not os.path.exists(path):
                self.skipTest(f"no {path}")
            with self.subTest(name):
                m, case = tensors.metadata(path), tensors.load(path)
                n = {k: int(v) for k, v in m.items() if v.isdigit()}
                sizes = {"features": n["n_feats"], "blocks": n["n_resblocks"]}
                if name.startswith("lcoan"):
                    sizes.update(groups=n["n_resgroups"], reduction=n["reduction"])
                    sizes.update(clusters=n["n_clusters"], window=n["window_size"])
                else:
                    sizes.update(keys=n["key_num"], factor=float(m["res_scale"]), input_range=n["rgb_range"])
                network = networks.create(name.split("_")[0].replace("edsr", "acla"), n["scale"], **sizes)
                weights = {k[8:]: v for k, v in case.items() if k.startswith("weights.")}
                missing = tensors.fill(network.eval(), weights)
                self.assertEqual(missing, [])
                with torch.no_grad():
                    y = network(case["input"])
                worst = float((y - case[output]).abs().max() / case[output].abs().max())
                self.assertLess(worst, 2e-5)

    def test_of_shared_attention_equal_the_authors_code(self):
        """ASID, whole and in tiles. Few channels amplify rounding, most at scales 3 and 4."""
        for name, allowed in (
            ("asid_x2_21x19", 2e-5), ("asid_x2_tiled_70x66", 2e-5), ("asid_x4_16x13", 2e-4),
            ("asid_x3_d8_15x14", 2e-4),
        ):
            path = os.path.join(SHARED, "golden2", f"{name}.safetensors")
            if not os.path.exists(path):
                self.skipTest(f"no {path}")
            with self.subTest(name):
                m, case = tensors.metadata(path), tensors.load(path)
                source = m.get("weights_in")
                held = tensors.load(os.path.join(SHARED, "golden2", source)) if source else case
                weights = {k[8:]: v for k, v in held.items() if k.startswith("weights.")}
                network = networks.create(
                    "asid", int(m["scale"]), features=int(m["num_feat"]), blocks=int(m["blocks"])
                )
                self.assertEqual(tensors.fill(network.eval(), weights), [])
                self.assertEqual(set(weights), set(network.state_dict()))
                run = network.picture if source else network
                with torch.no_grad():
                    y = 2 * run((case["input"] + 1) / 2) - 1
                self.assertLess(float((y - case["output"]).abs().max()), allowed)

    def test_refuse_unknown_names(self):
        with self.assertRaises(SystemExit):
            networks.create("esrgan", 4)


class Files(unittest.TestCase):
    def test_come_back_as_they_went(self):
        network = networks.create("pan", 2, features=8, width=6, blocks=1)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "w.safetensors")
            tensors.save(path, network.state_dict())
            again = networks.create("pan", 2, features=8, width=6, blocks=1)
            self.assertEqual(tensors.fill(again, tensors.load(path)), [])
            for key, value in network.state_dict().items():
                self.assertTrue(torch.equal(again.state_dict()[key], value), key)
            tensors.save(path, network.state_dict(), half=True)
            halved = tensors.load(path)
            for key, value in network.state_dict().items():
                self.assertTrue(torch.equal(halved[key], value.half().float()), key)


class Mean(unittest.TestCase):
    def test_lies_between_two_networks_of_the_same_shape(self):
        a, b = {"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([3.0, -2.0])}
        self.assertEqual(mean.mean(a, b, 0.25)["w"].tolist(), [1.5, 1.0])
        with self.assertRaisesRegex(ValueError, "different networks"):
            mean.mean(a, {"w": torch.zeros(3)}, 0.5)


class Narrow(unittest.TestCase):
    def test_drops_channels_that_never_change_and_keeps_the_output(self):
        for name, scale in (("pan", 4), ("a2n", 3)):
            torch.manual_seed(3)
            wide = networks.create(name, scale, features=6, width=5, blocks=1).eval()
            with torch.no_grad():
                for stage in range(1, 3 if scale == 4 else 2):
                    # Channels 1 and 3 are constant: their values are the same at all pixels.
                    for layer in (f"upconv{stage}", f"att{stage}.conv", f"HRconv{stage}"):
                        wide.get_submodule(layer).weight[[1, 3]] = 0
            x = torch.rand(2, 3, 12, 10) * wide.input_range
            small = networks.create(name, scale, features=6, width=3, blocks=1).eval()
            self.assertEqual(tensors.fill(small, narrow.narrow(wide, x, 3)), [])
            with torch.no_grad():
                apart = (wide(x) - small(x)).abs()
            # Beyond the edges, even constant channels are 0, so pixels near the edges differ.
            self.assertLess(apart[..., 8:-8, 8:-8].max().item(), 1e-6 * wide.input_range, name)


class Tasks(unittest.TestCase):
    def test_wear_images_out_without_resizing_them(self):
        image = torch.from_numpy(shaded(44, 40)).permute(2, 0, 1)[None].float().repeat(16, 1, 1, 1)
        generator = torch.Generator().manual_seed(1)
        u = torch.rand(16, tasks.CHANCES, generator=generator)
        noise = torch.randn(image.shape, generator=generator)
        for name, task in tasks.TASKS.items():
            worn = task(image, u, noise)
            self.assertEqual(worn.shape, image.shape)
            self.assertTrue(torch.equal(worn, worn.round().clamp(0, 255)), name)
            self.assertTrue(torch.equal(worn, task(image, u, noise)), f"{name} draws chances of its own")
            changed = (worn != image).flatten(1).any(1)
            self.assertEqual(bool(changed.any()), name != "clean", name)

    def test_leave_as_many_images_alone_as_they_say(self):
        task = tasks.TASKS["web"]
        image = torch.from_numpy(shaded(16, 16)).permute(2, 0, 1)[None].float().repeat(2000, 1, 1, 1)
        generator = torch.Generator().manual_seed(2)
        worn = task(image, torch.rand(2000, tasks.CHANCES, generator=generator), torch.zeros_like(image))
        same = (worn == image).flatten(1).all(1).float().mean().item()
        w = task
        # Soft focus may be too slight to see: the share is between "no degradation" and "none but
        # soft focus".
        least = w.clean + (1 - w.clean) * (1 - w.soft) * (1 - w.resized) * (1 - w.noisy) * (1 - w.jpeg)
        most = w.clean + (1 - w.clean) * (1 - w.jpeg)
        self.assertGreater(same, least - 0.03)
        self.assertLess(same, most + 0.03)


    def test_say_which_images_they_degrade_lightly(self):
        task = tasks.TASKS["web-low"]
        u = torch.full((6, tasks.CHANCES), 0.99)
        u[1, 8] = 0.1  # clean, whatever else
        u[1, 6] = 0.1
        u[2, 6], u[2, 5] = 0.1, 0.5  # JPEG 63
        u[3, 6], u[3, 5] = 0.1, 0.9  # JPEG 89
        u[4, 3] = 0.1  # noise
        u[5, 0] = 0.1  # soft focus
        self.assertEqual(task.light(u, 85).tolist(), [True, True, False, True, False, True])
        self.assertEqual(task.light(u, 60).tolist(), [True, True, True, True, False, True])
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            train.arguments("--network pan --scale 2 --data d --out o --steps 1 --light 80".split())


class Folder(unittest.TestCase):
    def folder(self) -> str:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        for i in range(2):
            Image.fromarray(shaded(151 + i, 170, i)).save(os.path.join(made.name, f"{i}.png"))
        return made.name


class Crops(Folder):
    def test_are_parts_of_the_photos_with_their_bicubic_lr(self):
        folder = self.folder()
        images = [np.asarray(Image.open(p)) for p in photos.pictures(folder)]
        for scale in (1, 2, 3, 4):
            data = crops.Photos([folder], scale, 10)
            drawn = data.draw(1, 0, 6)
            x, y = data.make(drawn, tasks.TASKS["clean"])
            self.assertEqual((x.shape, y.shape), ((6, 3, 10, 10), (6, 3, 10 * scale, 10 * scale)))
            for b in range(6):
                first, _, turn, _ = drawn.where[:, b].tolist()
                image = int(first >= data.starts[1])
                top, left = divmod(first - int(data.starts[image]), 170)
                side = data.wide * scale
                hr = images[image][top : top + side, left : left + side]
                hr = hr.transpose(1, 0, 2) if turn & 4 else hr
                # When rotated, a crop's rows are the photo's columns, and count backwards if those
                # do.
                rows, columns = (turn & 2, turn & 1) if turn & 4 else (turn & 1, turn & 2)
                hr = hr[:: -1 if rows else 1, :: -1 if columns else 1]
                lr = bicubic.reduce(hr, scale) if scale > 1 else hr
                m = crops.MARGIN
                for ours, whole, cut in ((x[b], lr, m), (y[b], hr, m * scale)):
                    apart = np.abs(whole[cut:-cut, cut:-cut] - ours.permute(1, 2, 0).numpy())
                    self.assertLessEqual(apart.max(), 1 if scale == 3 else 0, f"x{scale}, turn {turn}")

    def test_depend_on_seed_and_step_alone(self):
        data = crops.Photos([self.folder()], 2, 12)
        one, again, next_, other = (data.draw(*v, 4) for v in ((1, 5), (1, 5), (1, 6), (2, 5)))
        for a, b in zip(one, again):
            self.assertTrue(torch.equal(a, b))
        for different in (next_, other):
            for a, b in zip(one, different):
                self.assertFalse(torch.equal(a, b))

    def test_come_from_files_and_folders_together_and_patterns_keep_whole_squares(self):
        folder = self.folder()
        with tempfile.TemporaryDirectory() as made:
            path = os.path.join(made, "data.npz")
            Image.fromarray(shaded(240, 216)).save(os.path.join(made, "a.png"))
            photos.prepare(made, path, patterns=3, shapes=1, reduce=False)
            data = crops.Photos([folder, path], 2, 20)
            self.assertEqual(data.count, 2 + 1 + 1 + 3)
            self.assertAlmostEqual(data.share[-3:].sum(), photos.PATTERNS)
            # Their squares are 2, 3, 4, 6 or 12 pixels wide, so even ones halve without grey.
            with np.load(path) as file:
                even = [bool(np.array_equal(file[f"l2_{i}"], file[f"h{i}"][::2, ::2])) for i in (2, 3, 4)]
            self.assertIn(True, even)
            self.assertEqual(data.whole.tolist(), [False] * 4 + even)
            data.share = np.eye(7)[4 + even.index(True)]
            x, y = data.make(data.draw(1, 1, 2), tasks.TASKS["clean"])
            self.assertTrue(torch.equal(x, y[..., ::2, ::2]))

    def test_are_made_from_smaller_versions_too_and_folders_are_opened_once(self):
        folder, opened = self.large_folder(), {}
        plain = crops.Photos([folder], 2, 20, opened=opened)
        more = crops.Photos([folder], 2, 20, reduce=True, opened=opened)
        # Both photos are large enough for two smaller versions.
        self.assertEqual((plain.count, more.count), (2, 6))
        self.assertTrue((more.sizes[[1, 2, 4, 5]].max(1) < more.sizes[[0, 0, 3, 3]].max(1)).all())
        self.assertEqual(set(opened), {(folder, False), (folder, True)})
        with mock.patch.object(crops, "open_folder", side_effect=AssertionError("opened again")):
            self.assertEqual(crops.Photos([folder], 4, 10, reduce=True, opened=opened).count, 6)

    def large_folder(self) -> str:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        for i in range(2):
            Image.fromarray(shaded(640, 700, i)).save(os.path.join(made.name, f"{i}.png"))
        return made.name

    def test_that_have_no_room_are_an_error(self):
        with self.assertRaisesRegex(ValueError, "crops of 60"):
            crops.Photos([self.folder()], 4, 60)


class Losses(unittest.TestCase):
    def test_of_the_two_sides_are_least_where_each_wins(self):
        real, made = torch.full((1, 1, 4, 4), 9.0), torch.full((1, 1, 4, 4), -9.0)
        self.assertLess(discriminator.telling(real, made), 0.01)
        self.assertGreater(discriminator.telling(made, real), 10)
        self.assertLess(discriminator.fooling(real), 0.01)
        self.assertGreater(discriminator.fooling(made), 8)

    def test_leave_even_areas_to_the_mean_error(self):
        target = torch.full((1, 3, 40, 80), 120.0)
        target[..., 40:] += 40 * (torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(1)) - 0.5)
        even = trainer.evenness(target)
        self.assertEqual(even.shape, (1, 1, 40, 80))
        self.assertGreater(even[..., :36].min(), 0.999)
        self.assertLess(even[..., 44:].max(), 0.2)

    def test_by_maps_begin_at_any_pixel(self):
        images = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(1))
        for u, top, left in ((0.0, 0, 0), (0.999, 7, 7), (0.5, 4, 4)):
            cut = trainer.shifted(images, torch.tensor([u, u]))
            self.assertTrue(torch.equal(cut, images[..., top : top + 12, left : left + 16]))

    def test_by_maps_grow_with_what_is_lost(self):
        path = os.path.join(SHARED, "weights/features/squeezenet1_1.pt")
        if not os.path.exists(path):
            self.skipTest(f"no {path}")
        features = perceptual.Features(path)
        image = torch.from_numpy(shaded(64, 64)).permute(2, 0, 1)[None].float()
        sigma = lambda v: torch.tensor([v])  # noqa: E731
        for names in (perceptual.TRAINED, perceptual.HELD):
            slight, strong = (features.distance(tasks.soften(image, sigma(v)), image, names) for v in (0.4, 0.9))
            self.assertEqual(features.distance(image, image, names), 0)
            self.assertLess(slight, strong)
        self.assertFalse(set(perceptual.TRAINED) & set(perceptual.HELD))


class Training(Folder):
    """Whole runs of small networks or few steps."""

    def run_of(self, out: str, *more: str) -> dict:
        given = ["--data", self.data, "--out", out, "--scale", "2", "--steps", "6", "--threads", "1", *more]
        with contextlib.redirect_stdout(io.StringIO()):
            train.main(given)
        return torch.load(os.path.join(out, "state.pt"))

    def setUp(self):
        self.data = self.folder()
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.out = made.name
        # Random tensors instead of SqueezeNet's.
        self.maps = os.path.join(made.name, "maps.pt")
        generator = torch.Generator().manual_seed(1)
        shapes = {"conv1": (64, 3, 3)}
        wide = 64
        for i, (squeeze, expand) in enumerate(zip((16, 16, 32, 32, 48, 48, 64, 64), (64, 64, 128, 128, 192, 192, 256, 256)), 2):
            shapes[f"fire{i}/squeeze1x1"] = (squeeze, wide, 1)
            shapes |= {f"fire{i}/expand{k}x{k}": (expand, squeeze, k) for k in (1, 3)}
            wide = 2 * expand
        maps = {}
        for name, (c_out, c_in, k) in shapes.items():
            maps[f"{name}.weight"] = torch.randn(c_out, c_in, k, k, generator=generator) / (c_in * k * k) ** 0.5
            maps[f"{name}.bias"] = torch.zeros(c_out)
        torch.save(maps, self.maps)

    def sharp(self) -> list[str]:
        small = "--network pan --task web --features 8 --blocks 1 --batch 2 --side 16 --rate 1e-2"
        return [*small.split(), "--perceptual", self.maps, "--adversarial", "0.05", "--discriminator", "4"]

    def assert_equal(self, a, b, name=""):
        if isinstance(a, dict):
            self.assertEqual(a.keys(), b.keys())
            for key in a:
                self.assert_equal(a[key], b[key], f"{name}.{key}")
        elif isinstance(a, list):
            for i, (v, w) in enumerate(zip(a, b)):
                self.assert_equal(v, w, f"{name}.{i}")
        elif torch.is_tensor(a):
            self.assertTrue(torch.equal(a, b), name)
        elif not name.endswith("minutes"):
            self.assertEqual(a, b, name)

    def test_that_was_resumed_is_the_uninterrupted_one(self):
        straight = self.run_of(os.path.join(self.out, "a"), *self.sharp())
        stopped = self.run_of(os.path.join(self.out, "b"), *self.sharp(), "--stop", "3")
        self.assertEqual(stopped["step"], 3)
        # As a GPU would have saved it.
        for part in ("optimizer", "discriminator_optimizer"):
            for group in stopped[part]["param_groups"]:
                group |= {"lr": torch.tensor(group["lr"]), "capturable": True}
        torch.save(stopped, os.path.join(self.out, "b", "state.pt"))
        with mock.patch.object(trainer.Trainer, "advance", autospec=True, side_effect=trainer.Trainer.advance) as steps:
            resumed = self.run_of(os.path.join(self.out, "b"), *self.sharp())
        self.assertEqual(steps.call_count, 3)
        self.assertEqual(resumed["step"], 6)
        self.assertIn("discriminator_optimizer", resumed)
        self.assert_equal(straight, resumed)
        with self.assertRaises(AssertionError):
            self.assert_equal(stopped, resumed)

    def test_of_strongly_degraded_photos_can_leave_out_the_losses_of_sharp_models(self):
        heavy = torch.zeros(2, dtype=torch.bool)
        changed = {}
        for name, answer in (("heavy", heavy), ("light", ~heavy)):
            with mock.patch.object(tasks.Wear, "light", return_value=answer):
                more = [*self.sharp(), "--light", "80", "--stop", "1"]
                changed[name] = self.run_of(os.path.join(self.out, name), *more)["network"]
        plain = self.run_of(os.path.join(self.out, "plain"), *self.sharp(), "--stop", "1")["network"]
        self.assert_equal(plain, changed["light"])
        with self.assertRaises(AssertionError):
            self.assert_equal(plain, changed["heavy"])

    def test_with_a_teacher_learns_its_output_where_the_input_is_good(self):
        torch.manual_seed(5)
        given = os.path.join(self.out, "teacher.safetensors")
        network = networks.create("pan", 2, features=8, blocks=1)
        with torch.no_grad():  # what is left never leaves the range, so nothing is clamped
            network.conv_last.weight.zero_()
            network.conv_last.bias.zero_()
        tensors.save(given, network.state_dict())
        how = "--network pan --task web --features 8 --blocks 1 --batch 2 --side 16 --rate 1e-3".split()
        how += ["--init", given, "--teacher", given, "--light", "80"]
        seen = {}
        for name, answer in (("light", True), ("heavy", False)):
            with mock.patch.object(tasks.Wear, "light", return_value=torch.full((2,), answer)):
                self.run_of(os.path.join(self.out, name), *how, "--stop", "1")
            seen[name] = torch.load(os.path.join(self.out, name, "state.pt"))["network"]
        before = tensors.load(given)
        # The network is its own teacher, so good images leave it as it is.
        self.assert_equal(before, seen["light"])
        with self.assertRaises(AssertionError):
            self.assert_equal(before, seen["heavy"])
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            train.arguments([*how[:-2], "--data", "d", "--out", "o", "--scale", "2", "--steps", "1"])

    def test_with_a_discriminator_trains_both_and_says_so(self):
        out = os.path.join(self.out, "a")
        first = self.run_of(out, *self.sharp(), "--stop", "1")
        last = self.run_of(out, *self.sharp())
        for part in ("network", "average", "discriminator"):
            moved = [k for k in first[part] if not torch.equal(first[part][k], last[part][k])]
            self.assertGreater(len(moved), 0.9 * len(first[part]), part)
        with open(os.path.join(out, "log.jsonl")) as file:
            line = json.loads(file.readlines()[-1])
        self.assertEqual(line["step"], 6)
        for part in ("loss", "distance", "generator", "discriminator"):
            self.assertGreater(line[part], 0, part)
        with open(os.path.join(out, "run.json")) as file:
            recipe = json.load(file)
        self.assertEqual((recipe["adversarial"], recipe["perceptual"], recipe["step"]), (0.05, "maps.pt", 6))
        # The next run begins with both.
        again = self.run_of(
            os.path.join(self.out, "b"), *self.sharp(), "--init", f"{out}/weights.safetensors", "--stop", "0"
        )
        for part, known in (("network", "average"), ("discriminator", "discriminator")):
            for key, value in again[part].items():
                self.assertTrue(torch.equal(value, last[known][key].half().to(value.dtype)), key)

    def test_of_every_network_and_task_takes_a_step(self):
        sizes = {"acla": "--features 8 --blocks 4", "lcoan": "--features 8 --blocks 1"}
        for network in networks.NETWORKS:
            for task in tasks.TASKS:
                with self.subTest(network, task=task):
                    how = f"--network {network} --task {task} --batch 1 --side 16 --stop 1"
                    how += " " + sizes.get(network, "--features 8 --blocks 1")
                    state = self.run_of(os.path.join(self.out, f"{network}-{task}"), *how.split())
                    self.assertEqual(state["step"], 1)
                    for value in state["network"].values():
                        self.assertTrue(torch.isfinite(value).all())

    def test_of_several_runs_ends_in_time_and_the_next_file_starts_from_their_weights(self):
        jobs = [os.path.join(self.out, f"{i}.txt") for i in (1, 2)]
        how = f"--data {self.data} --scale 2 --batch 1 --side 16 --steps"
        with open(jobs[0], "w") as file:
            file.write("# two networks\n")
            for name, steps in (("pan", 1000), ("a2n", 500)):
                file.write(f"--network {name} --features 8 --blocks 1 --out {self.out}/{name} {how} {steps}\n")
        with open(jobs[1], "w") as file:
            init = f"--init {self.out}/pan/weights.safetensors"
            file.write(f"--network pan --features 8 --blocks 1 --out {self.out}/next {init} {how} 12\n")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            several.main([jobs[0], "0.06", jobs[1], "0.01"])
        recipes = {}
        for name in ("pan", "a2n", "next"):
            with open(f"{self.out}/{name}/run.json") as file:
                recipes[name] = json.load(file)
        # A schedule of 1000 steps became one that fits; both ran the same share of theirs.
        self.assertLess(recipes["pan"]["minutes"], 0.3)
        self.assertNotEqual(recipes["pan"]["steps"], 1000)
        shares = [recipes[name]["step"] / recipes[name]["steps"] for name in ("pan", "a2n")]
        self.assertAlmostEqual(*shares, delta=0.15)
        self.assertEqual(recipes["next"]["init"], "pan")
        self.assertEqual(len(tensors.load(f"{self.out}/next/weights.safetensors")), len(tensors.load(f"{self.out}/pan/weights.safetensors")))
        self.assertIn("2 runs", said.getvalue())
        with self.assertRaises(SystemExit):
            several.main([jobs[0]])

    def test_lowers_the_loss(self):
        out = os.path.join(self.out, "a")
        how = "--network pan --features 8 --blocks 1 --batch 2 --side 16 --rate 3e-3 --steps 300".split()
        self.run_of(out, *how)
        with open(os.path.join(out, "log.jsonl")) as file:
            losses = [json.loads(line)["loss"] for line in file]
        self.assertLess(losses[-1], losses[0])

    def test_of_lcoan_recomputes_its_clusters(self):
        torch.manual_seed(1)
        network = networks.create("lcoan", 2, features=8, groups=1, blocks=1, clusters=4, window=16)
        x = torch.rand(1, 3, 12, 12)
        network(x)
        before = network.body[0].attention[0].kmeans.means.clone()
        with torch.no_grad():
            network.head[0].weight.mul_(-1)
        network.recluster(x)
        self.assertFalse(torch.equal(network.body[0].attention[0].kmeans.means, before))


class Blind(unittest.TestCase):
    def test_shows_the_same_part_twice_and_keeps_the_key_apart(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "set", "HR"))
            for i, side in enumerate((240, 260, 100)):
                Image.fromarray(shaded(side, 230, i)).save(os.path.join(folder, "set", "HR", f"{i}.png"))
            Image.fromarray(shaded(120, 130)).save(os.path.join(folder, "own.png"))
            network = networks.create("pan", 4, features=8, width=6, blocks=1)
            with torch.no_grad():  # what is left is the bilinear enlargement that PAN adds
                network.conv_last.weight.zero_()
                network.conv_last.bias.zero_()
            weights = os.path.join(folder, "weights.safetensors")
            tensors.save(weights, network.state_dict())
            with open(os.path.join(folder, "run.json"), "w") as file:
                json.dump({"network": "pan", "scale": 4, "features": 8, "blocks": 1}, file)
            with mock.patch.object(networks, "create", return_value=network):
                out = os.path.join(folder, "out")
                blind.main([out, weights, "--set", os.path.join(folder, "set"), "--picture", os.path.join(folder, "own.png")])
            with open(f"{out}.json") as file:
                key = json.load(file)
            # The third image has no room for a part once it is halved.
            self.assertEqual(sorted(os.listdir(out)), ["01.png", "02.png", "03.png"])
            self.assertEqual(sorted(entry["of"] for entry in key.values()), ["0", "1", "own.png"])
            for name, entry in key.items():
                self.assertEqual({entry["left"], entry["right"]}, {"bicubic", "model"})
                shown = np.asarray(Image.open(os.path.join(out, name))).astype(float)
                left, right = shown[:, :416], shown[:, -416:]
                self.assertEqual(shown.shape, (416, 848, 3))
                # Both show the same part: bilinear and bicubic differ little, two parts a lot.
                self.assertLess(np.abs(left - right).mean(), 6)


class Pictures(unittest.TestCase):
    def test_of_shapes_depend_on_their_seed_alone_and_have_even_fields_and_sharp_edges(self):
        palette = np.random.default_rng(1).integers(0, 256, (9, 3), dtype=np.uint8)
        one, again, other = (leaves.draw(np.random.default_rng(s), palette, 96) for s in (4, 4, 5))
        self.assertEqual((one.shape, one.dtype), ((96, 96, 3), np.uint8))
        self.assertTrue(np.array_equal(one, again))
        self.assertFalse(np.array_equal(one, other))
        steps = np.abs(np.diff(one.astype(int), axis=1)).max(2)
        self.assertGreater(np.mean(steps <= 3), 0.5)
        self.assertGreater(np.mean(steps >= 40), 0.01)

    def test_are_reduced_once_or_twice_but_not_below_what_crops_need(self):
        rng = np.random.default_rng(1)
        for size, count in (((321, 481), 1), ((300, 200), 1), ((1024, 768), 2)):
            made = photos.reduced(Image.new("RGB", size), rng)
            self.assertEqual(len(made), count)
            for image in made:
                self.assertGreaterEqual(min(image.size), photos.SMALLEST_REDUCED)
                self.assertLess(max(image.size), max(size))

    def test_that_are_large_become_tiles_without_the_empty_ones(self):
        noise = np.random.default_rng(1).integers(0, 256, (1500, 3000, 3), dtype=np.uint8)
        noise[:, 1500:] = 128
        found = photos.tiles(Image.fromarray(noise), np.random.default_rng(1))
        self.assertGreater(len(found), 1)
        for tile in found:
            self.assertEqual(tile.shape, (photos.TILE, photos.TILE, 3))
            self.assertGreater(tile.std(), 5)
        self.assertEqual(photos.tiles(Image.new("RGB", (3000, 2000)), np.random.default_rng(1)), [])

    def test_are_written_with_their_lr_images(self):
        with tempfile.TemporaryDirectory() as folder:
            noise = np.random.default_rng(1).integers(0, 256, (240, 216, 3), dtype=np.uint8)
            Image.fromarray(noise).save(os.path.join(folder, "a.png"))
            Image.fromarray(noise[:100]).save(os.path.join(folder, "small.png"))
            path = os.path.join(folder, "data.npz")
            photos.prepare(folder, path, patterns=1, shapes=1, reduce=False)
            with np.load(path) as file:
                self.assertEqual((int(file["n"]), file["patterns"].tolist()), (3, [2]))
                self.assertTrue(np.array_equal(file["h0"], noise))
                for scale in (2, 3, 4):
                    self.assertTrue(np.array_equal(file[f"l{scale}_0"], bicubic.reduce(noise, scale)))


class Metric(unittest.TestCase):
    def test_of_a_known_difference(self):
        a = np.full((8, 8, 3), 100.0)
        # One level on all channels is 219/255 of luma.
        expected = 20 * np.log10(255 / (219 / 255))
        self.assertAlmostEqual(evaluate.psnr(a, a + 1, 2), expected, places=3)

    def test_of_a_data_set_is_lower_the_more_was_worn(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "HR"))
            Image.fromarray(shaded(64, 60)).save(os.path.join(folder, "HR", "a.png"))
            network = networks.create("pan", 2, features=8, width=6, blocks=1)
            with torch.no_grad():  # what is left is the bilinear enlargement that PAN adds
                network.conv_last.weight.zero_()
                network.conv_last.bias.zero_()
            found = evaluate.figures(network, folder, "web")
            self.assertEqual(list(found), ["clean", "jpeg40", "jpeg80"])
            self.assertGreater(found["clean"], found["jpeg80"])
            self.assertGreater(found["jpeg80"], found["jpeg40"])


if __name__ == "__main__":
    unittest.main()
