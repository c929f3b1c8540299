"""mean.py A B SHARE OUT: writes the weighted mean of two weight files as f16. B has the weight
SHARE.

The mean of a network before and after a training stage is often better than both (arXiv
2109.01903).
"""

import sys

import tensors


def mean(a: dict, b: dict, share: float) -> dict:
    """Returns the weighted mean. Raises ValueError unless names and shapes are the same."""
    if {k: v.shape for k, v in a.items()} != {k: v.shape for k, v in b.items()}:
        raise ValueError("the files hold different networks")
    return {k: a[k] * (1 - share) + b[k] * share for k in b}


if __name__ == "__main__":
    first, second, share, out = sys.argv[1:]
    tensors.save(out, mean(tensors.load(first), tensors.load(second), float(share)), half=True)
