"""Paraphrases of captions: the words with most influence are replaced or left out before drawing.

The tokens whose words move the predicted noise most are found by its gradients, and their words
are changed (Wen et al. 2024, "Detecting, explaining, and mitigating memorization in diffusion
models", where the attribution is offered to the writers of prompts). A text's attribution has
its own seeds and batch, so the new text depends only on the old one, the model and its settings.
The plan keeps the old texts, which give samples their ids; the run folder keeps the drawn ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from audit.design.mitigations.against_copies import paraphrase_tokens, word_scores
from audit.errors import UserError
from audit.keys import digest
from audit.records import Paraphrase, Sample, Settings
from audit.store import RunFolder


def paraphrased(model: Any, text: str, settings: Settings, how: Paraphrase) -> str:
    """A text with its most influential words replaced, or left out, except for the last one.

    Raises UserError for a model whose internals cannot be read, or steps without a signal.
    """
    from audit.engine.attribution import attribute
    from audit.engine.tokens import spelling

    if len(text.split()) < 2:
        return text
    found = attribute(model, text, replace(settings, batch=1), steps=how.steps)
    if found.reason:
        raise UserError(
            f"No word of {text!r} can be distinguished from another: {found.reason}. Give the "
            "mitigation paraphrase more steps."
        )
    scores = word_scores(spelling(model, text), found.spoken)
    synonyms = {k.lower(): (str(v),) for k, v in how.words.items()}
    return paraphrase_tokens(text, scores, synonyms, how.count)


def reworded(
    samples: Sequence[Sample],
    folder: RunFolder,
    model: Any,
    settings: Settings,
    progress: Callable[[str, int, int], None],
) -> list[Sample]:
    """The samples with the texts that will be drawn; new ones are made once and kept.

    Raises UserError as `paraphrased` does.
    """
    known = folder.texts()
    todo: dict[str, list[Sample]] = {}
    for s in samples:
        if s.change.paraphrase is not None and s.id not in known:
            todo.setdefault(digest([s.text, asdict(s.change.paraphrase)]), []).append(s)
    for done, rows in enumerate(todo.values()):
        progress("paraphrases", done, len(todo))
        how = rows[0].change.paraphrase
        assert how is not None  # only such samples are in `todo`
        new = paraphrased(model, rows[0].text, settings, how)
        folder.add_texts({s.id: new for s in rows})
    if todo:
        progress("paraphrases", len(todo), len(todo))
    return list(folder.final(samples))
