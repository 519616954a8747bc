"""Readers of attributes by name, and vision-language models among them: asked once, kept, counted.

Answers are kept next to the runs under the hash of the image, the question and the model, so a
command that was interrupted asks nothing twice. A key comes from the environment and is in no file.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from audit import registry
from audit.datasets import pixels
from audit.design.language_model import endpoint
from audit.design.language_model.answers import Answers
from audit.design.language_model.replies import Malformed, Reply
from audit.errors import UserError
from audit.evidence.attributes import judges, pictures
from audit.keys import UNANSWERED
from audit.records import Attribute, Suite
from audit.runs.options import Options

FILE = Path("answers") / "judges.jsonl"
LONGEST_SIDE = 1024
"""Pixels of the longer side that are sent: more cost more, and faces are legible."""
ANSWERED = ("label", "uncertain", "no person", "several people", *UNANSWERED[:-1])
"""Outcomes that are kept; an image that took too long is asked again by the next command."""
LATE = 8
"""Images in a row without an answer in time after which the reading stops."""
GUESS = 2000
"""Tokens of a question with an image, until the server has counted one."""
Picture = Callable[[str], np.ndarray]
Reading = tuple[str, str, str | None]
"""Image id, outcome, value."""


@dataclass(frozen=True)
class Seen:
    """One answer of a judge, as it is kept."""

    key: str
    model: str
    picture: str
    """Hash of the image as it was sent."""
    attribute: str
    outcome: str
    value: str
    people: int
    evidence: str
    reason: str
    input: int
    output: int

    @property
    def sound(self) -> bool:
        """Whether outcome and value fit each other."""
        return self.outcome in ANSWERED and (self.outcome == "label") == bool(self.value)


def is_judge(attribute: Attribute) -> bool:
    """Whether a vision-language model reads the attribute."""
    return attribute.reader.startswith(judges.PREFIX)


def is_remote(attribute: Attribute) -> bool:
    """Whether the attribute is read by a judge that is asked over a network."""
    return is_judge(attribute) and bool(judges.spec(attribute.reader).url)


def named(attribute: Attribute) -> str:
    """The reader in words that do not depend on its address."""
    reader = attribute.reader
    return f"{judges.PREFIX}{judges.spec(reader).model}" if is_judge(attribute) else reader


def hosts(suite: Suite) -> set[str]:
    """The hosts that the judges of a suite are asked at."""
    judged = filter(is_judge, suite.attributes)
    return {urlsplit(judges.spec(a.reader).url).hostname or "" for a in judged}


def check(attribute: Attribute, options: Options, by_model: str = "") -> None:
    """Raise UserError for a reader that is missing, cannot be asked, or has unknown classes.

    Also for classes of drawn art on images that may be photographs: those not drawn by a registered
    model, `by_model`, unless the user says what they are.
    """
    if not is_judge(attribute):
        pictures.check(attribute, registry.load("reader", attribute.reader))
        if attribute.reader in pictures.DRAWN_ONLY and not (options.drawn or by_model):
            raise UserError(
                f"{attribute.name} is read by {attribute.reader!r}, whose classes are for drawn "
                f"art: {pictures.WHY_DRAWN} Read it by a judge (--reader {attribute.name}=vlm:"
                "MODEL,url=http://HOST/v1) and label some, or give --drawn if the images are drawn."
            )
        return
    found = judges.spec(attribute.reader)
    judges.question(attribute)
    if options.max_cost and found.url and not (found.input or found.output):
        raise UserError(
            f"--max-cost needs the prices of {found.model}. Add input=PRICE,output=PRICE, per "
            "million tokens, to its reader."
        )
    if not found.url:
        _local(found.model)


def _local(folder: str) -> Any:
    from audit.evidence.encoders.vision_language import LocalJudge

    return LocalJudge(folder)


def sent(picture: np.ndarray) -> np.ndarray:
    """uint8[h, w, 3] as it is shown to a judge: not larger than LONGEST_SIDE."""
    height, width = picture.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale == 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def picture_hash(picture: np.ndarray) -> str:
    """Hash of the pixels and their shape."""
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:32]


@dataclass(frozen=True)
class _Chat:
    """A request about one image. `form` says what the server accepts, see FORMS."""

    model: str
    question: judges.Question
    image: str
    form: int = 0

    @property
    def body(self) -> dict[str, object]:
        """As JSON: the text first, then the image as data."""
        schema, old = FORMS[self.form]
        content = [
            {"type": "text", "text": self.question.text},
            {"type": "image_url", "image_url": {"url": self.image}},
        ]
        body: dict[str, object] = {
            "model": self.model, "messages": [{"role": "user", "content": content}],
            "stream": False,
        }  # fmt: skip
        if old:
            body |= {"temperature": 0, "max_tokens": judges.TOKENS}
        else:
            body |= {"max_completion_tokens": 8 * judges.TOKENS}  # thoughts count
        if schema:
            form = {"name": "reading", "strict": True, "schema": self.question.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body


FORMS = ((True, True), (True, False), (False, True), (False, False))
"""Whether the answer's schema is sent, and whether the older names of options are: servers differ,
and the first form that one accepts is kept."""


class Judge:
    """A judge of one attribute; `costs` are those of all answers that a run uses, by their key."""

    def __init__(self, attribute: Attribute, options: Options, costs: dict[str, float]) -> None:
        self.attribute, self.options, self.costs = attribute, options, costs
        self.spec, self.question = judges.spec(attribute.reader), judges.question(attribute)
        given = self.spec.answers
        path = Path(given).expanduser() if given else options.out / FILE
        self.kept = Answers(path, Seen)
        self.tokens = [0, 0]
        self._form, self._works, self._late = 0, False, 0
        self._lock = threading.Lock()
        self._reserved = 0.0

    @cached_property
    def _model(self) -> Any:
        return _local(self.spec.model)

    @property
    def model(self) -> str:
        """The name that the endpoint knows, or the hash of a folder's files."""
        return self.spec.model if self.spec.url else str(self._model.revision)

    def read(self, ids: Sequence[str], picture: Picture) -> Iterator[Reading]:
        """Readings of images in any order; `unreadable` for those that are gone.

        Raises UserError where the judge cannot be asked or the cost is reached; answers are kept.
        """
        workers = self.spec.parallel if self.spec.url else 1
        waiting: list[Future[Reading]] = []
        with ThreadPoolExecutor(workers, "judge") as pool:
            try:
                for id in ids:
                    try:
                        image = sent(picture(id))
                    except pixels.Unreadable:
                        yield id, "unreadable", None
                        continue
                    key = self.question.key(picture_hash(image), self.model)
                    known = self.kept.get(key)
                    if known is not None and known.value in ("", *self.attribute.classes):
                        yield self._read(id, known)
                        continue
                    waiting.append(pool.submit(self._asked, id, key, image))
                    if len(waiting) >= 2 * workers:
                        yield waiting.pop(0).result()
                while waiting:
                    yield waiting.pop(0).result()
            finally:
                for future in waiting:
                    future.cancel()

    def _read(self, id: str, seen: Seen) -> Reading:
        with self._lock:
            if seen.key not in self.costs:
                self.costs[seen.key] = self._price(seen.input, seen.output)
                self.tokens[0] += seen.input
                self.tokens[1] += seen.output
        return id, seen.outcome, seen.value or None

    def _price(self, given: int, made: int) -> float:
        return (given * self.spec.input + made * self.spec.output) / 1e6

    def _asked(self, id: str, key: str, image: np.ndarray) -> Reading:
        cost = self._reserve()
        try:
            verdict, tokens = self._ask(image)
        except endpoint.Unanswered as error:
            with self._lock:
                self._late += 1
                lost = self._late >= LATE
            if not error.timed_out or lost:
                raise self._stopped(str(error)) from error
            return id, "timed out", None
        except UserError as error:
            raise self._stopped(str(error)) from error
        else:
            self._late = 0
            seen = Seen(
                key, self.spec.model, picture_hash(image), self.attribute.name, verdict.outcome,
                verdict.value, verdict.people, verdict.evidence, verdict.reason, *tokens,
            )  # fmt: skip
            return self._read(id, self.kept.put(seen))
        finally:  # after its price was booked: never is less counted than was spent
            with self._lock:
                self._reserved -= cost

    def _reserve(self) -> float:
        """Set the cost of one more request aside; UserError where it would be too much."""
        most, spent = self.options.max_cost, 0.0
        with self._lock:
            cost = max([*self.costs.values(), self._price(GUESS, judges.TOKENS)])
            spent = sum(self.costs.values()) + self._reserved
            if not most or spent + cost <= most:
                self._reserved += cost
                return cost
        raise self._stopped(f"One more request could cost more than --max-cost {most:g} allows.")

    def _stopped(self, why: str) -> UserError:
        return UserError(
            f"{why} The answers so far, {len(self.kept)}, are kept in {self.kept.path}; the same "
            "command continues from there."
        )

    def _ask(self, image: np.ndarray) -> tuple[judges.Verdict, tuple[int, int]]:
        if not self.spec.url:
            words, cut = self._model.answer(self.question.text, image, judges.TOKENS)
            return judges.judge(words, self.question, cut=cut), (0, 0)
        data = f"data:image/png;base64,{base64.b64encode(pixels.png(image)).decode()}"
        try:
            reply = self._sent(data)
        except Malformed as error:
            return judges.Verdict("malformed", reason=str(error)), (GUESS, judges.TOKENS)
        verdict = judges.judge(reply.content, self.question, reply.refused, reply.cut)
        return verdict, reply.tokens if any(reply.tokens) else (GUESS, judges.TOKENS)

    def _sent(self, image: str) -> Reply:
        """The reply to the first form of request that the server accepts."""
        url, agreed = self.spec.url, urlsplit(self.spec.url).hostname in self.options.send_key
        while True:
            form = self._form
            try:
                reply = endpoint.ask(
                    _Chat(self.spec.model, self.question, image, form), url, self.spec.timeout,
                    self.spec.tries, agreed,
                )  # fmt: skip
            except endpoint.Rejected as error:
                if error.status not in (400, 422):
                    raise
                if self._works:  # it took others: this image is what it rejects
                    raise Malformed(str(error)) from error
                with self._lock:
                    self._form = max(self._form, form + 1)
                if form + 1 == len(FORMS):
                    self._form = 0
                    raise
                continue
            self._works = True
            return reply

    @property
    def note(self) -> str:
        """A sentence for the report: the judge, what it was asked, and what that cost."""
        name = self.attribute.name.replace("_", " ")
        said = f"{name.capitalize()} was read by the vision-language model {self.spec.model!r}"
        if not self.spec.url:
            return f"{said} from a local folder."
        cost = self._price(*self.tokens)
        price = f", at a cost of {cost:.2f} by the prices given" if cost else ""
        return f"{said}: {sum(self.tokens):,} tokens{price}."
