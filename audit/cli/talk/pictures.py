"""Images in a conversation: searched for copies, and shown as blurred thumbnails."""

from __future__ import annotations

import json
import threading
from typing import Annotated, Any

from pydantic import Field

from audit.cli.talk import answers, words
from audit.cli.talk.house import WORLD, House
from audit.cli.talk.reading import Name
from audit.errors import UserError

MOST_BASE64 = 4_000_004
"""Characters of an image that is sent; `view.sent.MOST_BYTES` is the limit of its bytes."""
LISTED = 200
"""Images of a run that are listed."""
MEANS = {
    "this training image": "The image has the pixels of that training image, or nearly.",
    "copy": "It is nearer to a training image than chance explains, at a false discovery rate of "
    "5 %: held-out images come as near in fewer cases.",
    "no copy found": "Held-out images come as near, so nearness alone shows no copying. It does "
    "not show that the image was not learned from.",
    "cannot be flagged": "There are too few held-out images, or they are not like the training "
    "images: only an image with a training image's own pixels could be named.",
    "not calibrated": "There are no held-out images, so a score means nothing by itself.",
}


class Pictures:
    """The tools and resources that read pixels; one search at a time."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._alone = threading.Lock()
        self._opened: dict[str, tuple[Any, Any, Any]] = {}

    def search_picture(
        self,
        picture: Annotated[
            str,
            Field(
                min_length=1, max_length=MOST_BASE64,
                description="The bytes of a PNG, JPEG or WebP file in base64; no address.",
            ),
        ],
        index: Name = WORLD,
        nearest: Annotated[int, Field(ge=1, le=10)] = 3,
    ) -> answers.Searched:  # fmt: skip
        """Search an index of training images for copies of an image that is sent with the call.

        `index` is one that the server was started with, or `world` for the embedded model.
        """
        from audit.runs import searching
        from audit.view.sent import decoded

        image = decoded(picture)
        place = self.house.index(index)
        with self._alone:
            if index not in self._opened:
                opened, encoder = searching.opened(place)
                self._opened[index] = opened, encoder, searching.compared(opened, encoder)
            opened, encoder, by = self._opened[index]
            question = searching.Question(("the image",), [image], {})
            rows = searching.search(opened, encoder, question, nearest, by).to_dict("records")
        first = rows[0]
        near = [
            answers.Near(words.text(r["image"]), words.text(r["caption"]), float(r["score"]),
                         int(r["repeats"]))
            for r in rows
        ]  # fmt: skip
        return answers.Searched(
            index, first["verdict"], MEANS[first["verdict"]], words.text(first["single"]),
            words.number(first["p"]), words.number(first["q"]), near, len(opened.train),
            len(opened.held), words.sentence(by.words),
        )  # fmt: skip

    def listed(self, name: str) -> str:
        """The first images of a run as JSON: id, prompt and arm, for the thumbnails."""
        rows = self.house.run(name).plan()[:LISTED]
        found = [{"id": words.text(s.id), "text": words.text(s.text), "arm": words.text(s.arm)}
                 for s in rows]  # fmt: skip
        return json.dumps(found, ensure_ascii=False)

    def thumbnail(self, name: str, id: str) -> bytes:
        """An image of a run as WebP, blurred unless the server was started with --clear.

        Ids are in images.json; only images in the run's own folder are shown.
        """
        from audit.view import sent

        folder = self.house.run(name)
        if id not in {s.id for s in folder.plan()}:
            raise UserError("This run has no such image. Read images.json for the ids.")
        with self._alone:
            return sent.thumbnail(folder.read_image, id, self.house.clear)
