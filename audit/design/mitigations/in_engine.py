"""Mitigations that change how the engine draws the same text: their options, and their rows.

A new one is a context manager in `audit/engine/`, which its row names, and an entry here;
`docs/extending/mitigation.md` walks through one.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from audit.design.mitigations import words
from audit.design.mitigations.options import Options, Words
from audit.design.mitigations.row import Method

CONTROL = "control"
"""Name of the mitigation that draws after pictures."""
KIND = r"^[a-z][a-z0-9_-]{0,39}$"
"""A kind of condition, such as `silhouette`: it becomes the name of an arm."""


class FairGuidance(Options):
    """Options of `fair-guidance`: what is drawn, its words, and the parameters of SEGA.

    The defaults are those in the code of Friedrich et al. 2023, whose 5 warm-up steps out of 50 are
    a share of 0.1 here.
    """

    attribute: str
    """Attribute whose values are drawn by quota and steered to."""
    target: str = "uniform"
    """Reference of the suite that gives each value's share of the images."""
    words: dict[str, Words] = Field(default_factory=dict)
    """Texts that represent the classes in the engine, in place of the shipped ones."""
    scale: float = Field(4.0, ge=0, le=50)
    """Edit guidance scale; 0 changes nothing."""
    threshold: float = Field(0.95, ge=0, lt=1)
    """Share of each channel that stays unchanged."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps before the guidance starts."""
    momentum: float = Field(0.5, ge=0, lt=1)
    """Momentum scale."""
    beta: float = Field(0.6, ge=0, lt=1)
    """Momentum decay."""


class Guidance(Options):
    """Options of `guidance`: another scale of classifier-free guidance for the same texts."""

    scale: float = Field(ge=1, le=100)
    """Guidance scale; 1 turns guidance off."""


class Negative(Options):
    """Options of `negative`: a negative prompt for the same texts.

    It is either one `text` for all images, or names the classes of an `attribute` that were not
    drawn for the image. The run's own negative prompt, if any, follows those classes.
    """

    text: Words | None = None
    """Negative prompt for all images, in place of the run's."""
    attribute: str | None = None
    """Attribute whose values are drawn by quota; the others are in the negative prompt."""
    target: str = "uniform"
    """Reference of the suite that gives each value's share of the images."""
    words: dict[str, Words] = Field(default_factory=dict)
    """Words that name the classes, in place of the shipped ones."""

    @model_validator(mode="after")
    def _one_kind(self) -> Negative:
        if (self.text is None) == (self.attribute is None):
            raise ValueError("give either `text` or `attribute`")
        if self.text is not None and self.model_fields_set != {"text"}:
            raise ValueError("`target` and `words` need `attribute`")
        return self


class Paraphrase(Options):
    """Options of `paraphrase`: replace the words that the model reacts to most."""

    count: int = Field(1, ge=1, le=50)
    """Number of words to replace."""
    steps: int = Field(3, ge=1, le=100)
    """Denoising steps whose gradients are read."""
    words: dict[str, Words] = Field(default_factory=dict)
    """Replacements by word in lower case; a word without one is left out."""


class Noise(Options):
    """Options of `noise`: Gaussian noise on all text states."""

    level: float = Field(0.1, gt=0, le=10)
    """Standard deviation of the noise."""


class FineGrained(Options):
    """Options of `token-noise`: strong noise on the text states of some tokens."""

    probability: float = Field(0.6, gt=0, le=1)
    """Probability that a token gets noise."""
    width: float = Field(1.7, gt=0, le=10)
    """Standard deviation of its noise."""


class Rescale(Options):
    """Options of `rescale-attention`."""

    factor: float = Field(1.25, ge=1, le=10)
    """Factor of the begin token's logit; 1 changes nothing."""


class Optimise(Options):
    """Options of `optimise-states`: when an image is done, and how fast its states move."""

    target: float = Field(1.5 / 128, gt=0)
    """Steering at which an image is done, as a root mean square over its latent."""
    rate: float = Field(0.05, gt=0, le=1)
    """Learning rate."""
    iterations: int = Field(10, ge=1, le=100)
    """Maximum number of steps."""


class Personalised(Options):
    """Options of `personalised`, which `t2i-audit personalize` writes."""

    weights: tuple[str, ...] = Field(min_length=1)
    """Names of the trained weights: image i of a prompt is drawn with number i modulo their
    number."""
    extrapolate: float = Field(0.0, ge=0, le=100)
    """How far predictions go beyond the tuned model's, away from the base model's."""
    about: dict[str, object] = Field(default_factory=dict)
    """For the findings: `training` (a kind), `dose` (steps), and the `subjects` of the weights."""


class Control(Options):
    """Options of `control`: what kind of condition a ControlNet sees, and how strongly it acts.

    `--control` and `--controlnet` give the pictures and the ControlNet, and fill in the others.
    """

    kind: str = Field(pattern=KIND)
    """Kind of condition, in the word that `--control` uses."""
    scale: float = Field(1.0, ge=0, le=10)
    """Factor of what the ControlNet adds; 0 changes nothing."""
    net: str = ""
    """Name of the ControlNet."""
    revision: str = ""
    """Content hash of its files, or the hub's commit."""
    pictures: tuple[str, ...] = ()
    """Hashes of the pictures: image `i` of every prompt gets number `i`, beginning again after the
    last."""


ROWS = (
    Method("fair-guidance", FairGuidance, "attribute", "engine", "drawing", words=words.concept,
           clashes={"rescale-attention": "rescaling would also change the attention to the "
                                         "concepts"},
           handler="audit.engine.latent_guidance:fair_guidance"),
    Method("guidance", Guidance, "scale", "engine", "guidance"),
    Method("negative", Negative, "text", "engine", "negative", words=words.negative,
           free_text=True),
    Method("paraphrase", Paraphrase, "count", "copies", "paraphrase"),
    Method("noise", Noise, "level", "copies", "states",
           clashes={"token-noise": "both draw the noise of the same seed"},
           handler="audit.engine.embedding_noise:noise"),
    Method("token-noise", FineGrained, "width", "copies", "states",
           handler="audit.engine.embedding_noise:token_noise"),
    Method("rescale-attention", Rescale, "factor", "copies", "drawing",
           handler="audit.engine.rescaling:rescale_attention"),
    Method("optimise-states", Optimise, "target", "copies", "states",
           handler="audit.engine.embedding_optimisation:optimise_states"),
    Method("personalised", Personalised, "", "engine", "drawing", turns="weights",
           transport=frozenset({"weights", "about"}),
           handler="audit.engine.personalised:personalised"),
    Method(CONTROL, Control, "kind", "engine", "drawing", turns="pictures",
           transport=frozenset({"pictures"}),
           handler="audit.engine.control:control"),
)  # fmt: skip
"""Those for people first, then those against copies, in the order of the reference."""
