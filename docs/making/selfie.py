"""The weights of the person segmenter, out of the file that MediaPipe ships.

    python -m docs.making.selfie PACKAGE/selfie_segmentation.tflite

`PACKAGE` is the unpacked npm package `@mediapipe/selfie_segmentation` (Apache-2.0). Needs
`ai-edge-litert`, which reads the file; the network itself runs without it
(`audit/evidence/encoders/selfie.py`). Weights keep their half precision.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from audit.evidence.encoders import selfie

SOURCE = "8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27"
"""SHA-256 of the file in version 0.1.1675465747 of the package."""
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "Convolution2DTransposeBias")


def arrays(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias, float16, of each convolution in the order of the file."""
    runtime = importlib.import_module("ai_edge_litert.interpreter")
    model = runtime.Interpreter(str(path))
    # The list of operations is private there; nothing else of the package lists them.
    steps, half = model._get_ops_details(), dict[int, int]()  # noqa: SLF001
    found = []
    for step in steps:
        inputs = [half.get(int(i), int(i)) for i in step["inputs"]]
        if step["op_name"] == "DEQUANTIZE":
            half[int(step["outputs"][0])] = inputs[0]
        if step["op_name"] in WEIGHTED:
            found.append((model.get_tensor(inputs[1]), model.get_tensor(inputs[2])))
    return found


def placed(kernel: np.ndarray, layer: nn.Module) -> torch.Tensor:
    """A kernel from TensorFlow's order of axes in torch's, contiguous."""
    if isinstance(layer, nn.ConvTranspose2d) or getattr(layer, "groups", 1) > 1:
        kernel = np.moveaxis(kernel, -1, 0)  # (1, h, w, c) to (c, 1, h, w)
    else:
        kernel = np.moveaxis(kernel, -1, 1)  # (d, h, w, c) to (d, c, h, w)
    return torch.from_numpy(np.ascontiguousarray(kernel))


def main(path: Path) -> None:
    """Write the weights next to the network."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != SOURCE:
        raise SystemExit(f"{path} is another file than the one that this was written for.")
    weights: dict[str, torch.Tensor] = {}
    # Modules are declared in the order in which the network applies them.
    layers = [(n, m) for n, m in selfie.Segmenter().named_modules()
              if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]  # fmt: skip
    for (name, layer), (kernel, bias) in zip(layers, arrays(path), strict=True):
        weights[f"{name}.weight"] = placed(kernel, layer)
        weights[f"{name}.bias"] = torch.from_numpy(bias.copy())
    save_file(weights, selfie.WEIGHTS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
