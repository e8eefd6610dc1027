"""Other ways to run the same full-precision network on the same CPU. Imports neither torch nor any peer's library."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.contract import UserError, unknown
from bench.contract.extras import install_command
from bench.contract.names import comma_separated

if TYPE_CHECKING:
    from bench.packed.peers.source import Source

REFERENCE = "torch-fp32"
"""What speed-ups are counted from."""
BINARY = "openvino-binary"
"""Runs the packed layers alone: OpenVINO has a binary convolution, but no path for a whole binary network."""
SLOW = 8.0
"""From so many times full precision's own time on, one pass says enough: bfloat16 without instructions for it."""


@dataclass(frozen=True)
class Peer:
    """One way to run a network."""

    key: str
    title: str
    """Name as printed"""
    build: str
    """``module:function``: Source -> what runs the network once and returns its output, (N, C, H, W)"""
    modules: tuple[str, ...] = ()
    """What it imports besides PyTorch, each named as its package"""

    @property
    def metric(self) -> str:
        """Beginning of its metrics' keys."""
        return self.key.replace("-", "_")


_ONNX = "bench.packed.peers.exchange"
_TORCH = "bench.packed.peers.pytorch"

PEERS = {
    peer.key: peer
    for peer in (
        Peer(REFERENCE, "PyTorch fp32", f"{_TORCH}:fp32"),
        Peer("torch-bf16", "PyTorch bf16", f"{_TORCH}:bf16"),
        Peer("torch-int8", "PyTorch int8", f"{_TORCH}:int8"),
        Peer("ort-fp32", "ONNX Runtime fp32", f"{_ONNX}:ort_fp32", ("onnx", "onnxruntime")),
        Peer("ort-int8", "ONNX Runtime int8", f"{_ONNX}:ort_int8", ("onnx", "onnxruntime")),
        Peer("openvino-fp32", "OpenVINO fp32", f"{_ONNX}:openvino_fp32", ("onnx", "openvino")),
        Peer("openvino-bf16", "OpenVINO bf16", f"{_ONNX}:openvino_bf16", ("onnx", "openvino")),
        Peer("openvino-int8", "OpenVINO int8", f"{_ONNX}:openvino_int8", ("onnx", "onnxruntime", "openvino")),
        Peer(BINARY, "OpenVINO binary convolution", "", ("openvino",)),
    )
}


def pick_peers(text: str) -> list[str]:
    """Keys in a comma-separated text, each once, `REFERENCE` first; ``all`` is every peer whose library is there.

    Raises UserError for a name that is no peer, and for one whose library is missing, with what installs it.
    """
    names = comma_separated(text)
    if names == ["all"]:
        names = [key for key, peer in PEERS.items() if not missing(peer)]
    for name in names:
        if name not in PEERS:
            raise unknown("baseline", name, PEERS)
        if lacking := missing(PEERS[name]):
            raise UserError(
                f"baseline {name} needs {', '.join(lacking)}, which this Python does not have. "
                f"Leave it out, or run in the repository: {install_command(['peers'])}"
            )
    return list(dict.fromkeys([REFERENCE, *names]))


def missing(peer: Peer) -> list[str]:
    """Packages that a peer needs and this Python does not have."""
    return [name for name in peer.modules if importlib.util.find_spec(name) is None]


def version(peer: Peer) -> str:
    """Name and version of the library that runs it."""
    package = peer.modules[-1] if peer.modules else "torch"
    return f"{package} {importlib.metadata.version(package)}"


def build_peer(peer: Peer, source: Source) -> Callable[[], Any]:
    """What runs ``source`` once. Raises Unsupported, with the reason, where the library cannot."""
    module, _, function = peer.build.partition(":")
    return getattr(importlib.import_module(module), function)(source)
