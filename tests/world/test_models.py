"""The shipped models do what the package claims of them."""

from __future__ import annotations

import json

import pytest

from audit.world import judged, verify
from audit.world.models import CLASSIFIER, DESCRIPTOR, GENERATOR
from audit.world.train import classifier, controlnet, descriptor, recipes, unet, vae
from tests.sizes import sized


def test_the_weights_fit_and_are_safetensors() -> None:
    """At most 60 MB in all, and nothing that could run code."""
    assert verify.size_check().passed
    kinds = {p.suffix for f in (GENERATOR, CLASSIFIER, DESCRIPTOR.parent) for p in f.rglob("*.*")}
    assert not kinds & {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".py"}


@pytest.mark.parametrize("folder", [GENERATOR, GENERATOR / "vae", CLASSIFIER, DESCRIPTOR.parent])
def test_every_model_says_how_it_was_made(folder: object) -> None:
    """Each folder of weights has its recipe: command, seed, schedule, last log."""
    card = json.loads((folder / "recipe.json").read_text("utf-8"))  # type: ignore[operator]
    assert card["command"].startswith("t2i-audit world train ")
    modules = {"vae": vae, "unet": unet, "classifier": classifier, "descriptor": descriptor}
    assert card["seed"] == modules[card["command"].split()[3]].SEED
    assert card["last_log"]["step"] > 100


def test_seeds_of_the_recipes_are_those_of_the_modules() -> None:
    """The cards cannot drift from the code."""
    assert recipes.SEEDS == {
        "vae": vae.SEED, "text": classifier.SEED, "unet": unet.SEED,
        "classifier": classifier.SEED, "descriptor": descriptor.SEED,
        "controlnet": controlnet.SEED,
    }  # fmt: skip


def test_the_sets_are_as_declared() -> None:
    """Counts, levels, planted shares and the twin."""
    assert all(c.passed for c in verify.data_checks())


def test_the_autoencoder_reconstructs() -> None:
    """Mean absolute error under 0.02 of the range on held-out images."""
    check = verify.vae_check(96)
    assert check.passed, check


def test_people_could_read_the_pictures_and_agree() -> None:
    """At least 93 % of 400 in gender, and 95 % in the rest; kappa at least .9 for skin tone."""
    for check in judged.reader_checks():
        assert check.passed, check


@pytest.mark.slow
def test_the_classifier_is_right_about_pictures_that_the_model_drew() -> None:
    """As both readers saw it: 97 % for gender and for skin tone; uncertain where they could not
    tell."""
    for check in judged.classifier_checks():
        assert check.passed, check


@pytest.mark.slow
@sized("images", 100, 200)
def test_the_descriptor_tells_edits_from_other_images(images: int) -> None:
    """Edited training images are nearer than new scenes are, one edit or several."""
    for check in verify.descriptor_checks(images):
        assert check.passed, check


@pytest.mark.nightly
def test_the_model_draws_what_was_planted_and_copies_what_repeats() -> None:
    """At guidance 1; images planted 64 and 16 times come back, those planted once do not."""
    for check in (*judged.share_checks(), *judged.copy_checks()):
        assert check.passed, check
