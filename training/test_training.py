"""python3 -m unittest test_training: what can be checked without the TypeScript side, which
test/training.test.ts compares. The reference images are looked for in $CRISPEN_SHARED."""

import glob
import os
import tempfile
import unittest

import numpy as np
import torch
from PIL import Image

import bicubic
import evaluate
import leaves
import mean
import networks
import photos
import tasks
import tensors

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


class Networks(unittest.TestCase):
    def test_have_the_published_numbers_of_parameters(self):
        # ACLA: 1,406,889 and 1,554,601 with the four unused depthwise parts of 704.
        for name, scale, count in (
            ("a2n", 2, 1_036_443), ("a2n", 4, 1_047_459), ("a2nm", 2, 831_643), ("pan", 2, 261_403),
            ("pan", 4, 272_419), ("acla", 2, 1_406_889 - 4 * 704), ("acla", 4, 1_554_601 - 4 * 704),
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
                    # The other groups take over the first one's pattern; the rest must all learn.
                    unused = name == "lcoan" and "conv_match" in key and "body.0" not in key
                    if parameter.requires_grad and not unused:
                        self.assertIsNotNone(parameter.grad, key)

    def test_of_non_local_attention_equal_the_authors_code(self):
        """Small seeded cases made by the authors' code; of the module's two slicings, `paired`."""
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


class Tasks(unittest.TestCase):
    def test_wear_images_out_without_resizing_them(self):
        image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        for name, task in tasks.TASKS.items():
            worn = task(image, np.random.default_rng(2))
            self.assertEqual((worn.shape, worn.dtype), (image.shape, image.dtype), name)
            again = task(image, np.random.default_rng(2))
            self.assertTrue(np.array_equal(worn, again), f"{name} depends on more than its seed")


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
            for scale in (2, 3, 4):
                data = photos.Photos(path, scale, 40)
                self.assertEqual(len(data.hr), 3)
                self.assertTrue(np.array_equal(data.hr[0], noise))
                self.assertTrue(np.array_equal(data.lr[0], bicubic.reduce(noise, scale)))
                x, y = data.batch(tasks.clean, 2, np.random.default_rng(1))
                self.assertEqual((x.shape, y.shape), ((2, 40, 40, 3), (2, 40 * scale, 40 * scale, 3)))
                self.assertAlmostEqual(data.share[-1], photos.PATTERNS)
            # 216 columns hold LR crops of 46 and their margin of 8; patterns are 240 wide.
            self.assertEqual(len(photos.Photos(path, 4, 46).hr), 3)
            self.assertEqual(len(photos.Photos(path, 4, 47).hr), 1)
            with self.assertRaisesRegex(ValueError, "crops of 60"):
                photos.Photos(path, 4, 60)


class Metric(unittest.TestCase):
    def test_of_a_known_difference(self):
        a = np.full((8, 8, 3), 100.0)
        # One level on all channels is 219/255 of luma.
        expected = 20 * np.log10(255 / (219 / 255))
        self.assertAlmostEqual(evaluate.psnr(a, a + 1, 2), expected, places=3)


if __name__ == "__main__":
    unittest.main()
