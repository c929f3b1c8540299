"""Writes the small files that only Python can make: values_p2.pkl ... values_p5.pkl (every kind of
plain value), training_p2.pkl and training_p4.pkl (files of training scripts),
zip64_deflated.zip. Run it in this folder."""

import argparse
import collections
import pickle
import zipfile

import numpy as np

values = {
    "integers": [1, -2, 300, 70000, -(2**40), 2**70, -(2**70)],
    "floats": (0.5, -1e300),
    "none": None,
    "flags": (True, False, ()),
    "unicode": "\u00e4\U0001f600",
    "one": ("x",),
    "nested": {"__proto__": 1, "inner": {}},
    "long": "y" * 300,
}
values["shared"] = values["floats"]
for protocol in (2, 3, 4, 5):
    with open(f"values_p{protocol}.pkl", "wb") as file:
        pickle.dump(collections.OrderedDict(values), file, protocol)

training = {
    "best": np.float64(31.5),
    "random": np.arange(3),
    "args": argparse.Namespace(lr=1e-4, x=[1]),
    "milestones": collections.Counter({100: 1}),
    "seen": {1, 2},
    "raw": b"\x00\xff",
    "epoch": 7,
}
for protocol in (2, 4):
    with open(f"training_p{protocol}.pkl", "wb") as file:
        pickle.dump(training, file, protocol)

zipfile.ZIP64_LIMIT = 0
with zipfile.ZipFile("zip64_deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr(zipfile.ZipInfo("a/stored", (2020, 1, 1, 0, 0, 0)), "stored")
    info = zipfile.ZipInfo("a/deflated", (2020, 1, 1, 0, 0, 0))
    archive.writestr(info, "hello " * 20, zipfile.ZIP_DEFLATED)
    archive.comment = b"a comment"
