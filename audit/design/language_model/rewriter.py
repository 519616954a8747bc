"""The rewriter `llm`: gate, question, stored or new answer, and the resulting text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audit.design.language_model import endpoint
from audit.design.language_model.answers import Answer, Answers
from audit.design.language_model.questions import Question, question
from audit.design.language_model.replies import MOST_CHARACTERS, Malformed, Reply, judge
from audit.design.mitigations.options import Llm
from audit.design.mitigations.rewrite import why_not
from audit.errors import UserError
from audit.records import MethodOptions, Prompt

if TYPE_CHECKING:
    from audit.design.language_model.local import Local

FILE = Path("answers") / "llm.jsonl"
"""File of answers, next to the runs."""


class LanguageModel:
    """Rewrites texts with a language model; each question is asked once and its answer is reused.

    Deterministic once answered. It is idempotent only where the gate stops it: a text that the
    gate protects is never sent, and is returned unchanged.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._files: dict[str, Answers[Answer]] = {}
        self._local = cache(_local)

    def __call__(
        self, text: str, prompt: Prompt, drawn: Mapping[str, str], options: MethodOptions,
        rng: np.random.Generator,
    ) -> tuple[str, str]:  # fmt: skip
        """The final text, and the reason if it is unchanged.

        Raises UserError if the model cannot be asked; the answers so far are kept.
        """
        seed = int(rng.integers(2**31))
        if reason := why_not(text, prompt, options):
            return text, reason
        asks = Llm(**options)
        revision = "" if asks.url else self._local(asks.model).revision
        asked = question(text, drawn, asks, seed, revision)
        kept = self._kept(asks)
        answer = kept.get(asked.key) or kept.put(self._answer(asked, asks, kept))
        return answer.text, answer.reason

    def _kept(self, options: Llm) -> Answers[Answer]:
        """The file that the options name, or the one next to the runs."""
        if options.answers not in self._files:
            path = Path(options.answers).expanduser() if options.answers else self._out / FILE
            self._files[options.answers] = Answers(path, Answer)
        return self._files[options.answers]

    def _answer(self, asked: Question, options: Llm, kept: Answers[Answer]) -> Answer:
        said = ""
        try:
            reply = self._ask(asked, options)
            said = reply.content[:MOST_CHARACTERS]
            outcome, text, reason = judge(reply, asked.prompt)
        except Malformed as error:
            outcome, text = "malformed", asked.prompt
            reason = f"the answer cannot be used: {error}"
        except UserError as error:
            raise UserError(
                f"{error} The answers so far, {len(kept)}, are kept in {kept.path}; the same "
                "command continues from there."
            ) from error
        return Answer(
            asked.key, options.model, asked.prompt, asked.value, outcome, text, reason, said
        )

    def _ask(self, asked: Question, options: Llm) -> Reply:
        if options.url:
            return endpoint.ask(
                asked, options.url, options.timeout, options.tries, options.send_key
            )
        return self._local(options.model)(asked)


def _local(folder: str) -> Local:
    from audit.design.language_model.local import Local

    return Local(folder)
