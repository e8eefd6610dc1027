"""The public interface from end to end, cell by cell (open it as a notebook, or run it: python docs/tour.py)."""

# %% A packed network: from trained weights to a file
import tempfile
from pathlib import Path

import numpy as np

import bench
from bench.app.main import main

folder = Path(tempfile.mkdtemp())
file = folder / "frb.packed.safetensors"
assert main(["export", "frb", "--to", "packed", "--out", str(file), "--allow-untrained"]) == 0

# %% Two lines: load it, run it on a NumPy picture
network = bench.load_packed(file)
picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
enlarged = network(picture)
assert enlarged.shape == (48, 64, 3)

# %% Its layers, and the kernels that run them on this CPU
for layer in network.layers[:3]:
    print(f"{layer.name}: {layer.shape}, {layer.bits_w} bit, {layer.bases} bases, {layer.kernel}")  # noqa: T201

# %% A network, trained or not, built by name
from bench.nn.build import build_network  # noqa: E402
from bench.plan.discover import discover  # noqa: E402

registry = discover()
trained = build_network(registry.loader("bbcu"), "srresnet", scale=2).eval()

# %% Weights in anybody's names, read and written
import torch  # noqa: E402

from bench.nn.build import load_weights, namings_of  # noqa: E402

namings = namings_of(registry.loader("bbcu"), "srresnet")
torch.save({"params": namings[0].rename(trained.state_dict())}, folder / "net_g.pth")
fitted = load_weights(trained, folder / "net_g.pth", namings)
print(f"read in the names of {fitted.naming.title}")  # noqa: T201

# %% A measurement: the command line, called from Python
assert main(["--algos", "bbcu", "--track", "comp", "--scale", "2", "--out", str(folder / "out"), "--report", "md"]) == 0
