"""Send hostile requests under an audit hook: `python -m tests.cli.talk.hooked FOLDER COUNT`.

FOLDER has runs, and next to them places that must not be reached. Prints as JSON each request with
its answer, and what the hook saw: files outside of the allowed folders, files that were written,
connections, processes and pickled names.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from audit.cli.talk.house import House
from tests.cli.talk.made import STARTING, TOOLS, asked, sent, talk
from tests.hooked import Watch

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.bind", "urllib.Request")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
           "shutil.rmtree", "shutil.move", "os.truncate", "os.chmod")  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
PICTURE = sent(np.arange(3 * 64 * 64, dtype=np.uint8).reshape(64, 64, 3))
TEXTS = (
    "", "one", "two", "evil", "leaking", "linked", "world", "occupations", "embedded", "nurse",
    "inject:gender", "replication.rate <= 1 %", "representation.nurse.gender.share.woman",
    "../outside/run", "one/../../outside/run", "/etc/passwd", "/proc/self/environ", "run://one",
    "file:///etc/passwd", "http://127.0.0.1:9/x", "https://example.org/a.png", "\\\\host\\share",
    "C:\\x", "~/.ssh/id_rsa", "$HOME", "`id`", "; rm -rf x", "--out=/tmp", "-t", "evil:f",
    "os:abort", "subprocess:getoutput", "local:evil:f", "sscd:evil.pt", "../outside/secret.json",
    "llm:m,attribute=gender,url=http://127.0.0.1:9/v1", "guidance:3+llm:m,attribute=gender",
    "llm:../model,attribute=gender", "stack:x", "negative:a", "placebo:gender,like=../x",
    "inject:gender,target=../../x", "a\0b", "a\nb", "\x1b[31mred", "\u202egnitirw", "\ud800", "*",
    ".*.*.*", "*" * 300, "x" * 4000, "{0.__class__}", "{run}", "__import__('os').system('id')",
    "<script>1</script>", "data:image/png;base64,AAAA", "QUJD", PICTURE, "null", "[1]", '{"a": 1}',
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, -1, 0, 1, 3, 51, 10**9, 10**30, 1e308, -0.5, [], ["one"],
                           {}, {"a": [{}]}, [[[[]]]])  # fmt: skip


VALID: dict[str, dict[str, Any]] = {
    "plan": {"suite": "world", "seeds": 1, "mitigations": ["inject:gender"]},
    "findings": {"run": "one", "section": "representation", "limit": 2},
    "explain": {"run": "one", "finding": "representation.nurse.gender.share.woman"},
    "compare": {"a": "one", "b": "two", "limit": 1},
    "check": {"run": "one", "gates": ["replication.rate <= 1 %"]},
    "rewrite": {"text": "a photo of a nurse", "mitigation": "inject:gender"},
    "search_picture": {"picture": PICTURE, "index": "no index"},
    "start_run": {"suite": "world"}, "run_status": {"job": 1},
}  # fmt: skip
"""Arguments that are answered, of which one or two are replaced."""


class Close(Watch):
    """What a tool that only reads does not do, in addition to what no input may cause."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        code = [os.path.realpath(p) for p in sys.path if p and os.path.isdir(p)]
        self.allowed += [p for p in code if not folder.is_relative_to(p)]

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Record an event."""
        super().__call__(event, args)
        if not self.on:
            return
        if event in (*NETWORK, *CHANGES):
            self.seen.append(f"{event} {args!r:.200}")
        if event == "open" and isinstance(args[0], str | bytes):
            mode, flags = args[1] or "", args[2] or 0
            writes = flags & WRITING if args[1] is None else set(mode) & set("wax+")
            if writes and os.fsdecode(args[0]) != os.devnull:
                self.seen.append(f"open for writing {args[0]!r}")


def request(rng: random.Random, schemas: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Kind, name and arguments of one request, more or less like a valid one."""
    kind = rng.choices(("tool", "resource", "prompt"), (8, 2, 1))[0]
    if kind == "resource":
        form = rng.choice(("run://{}/findings.json", "run://{}/images.json", "run://{}/image/{}",
                           "run://{}/{}", "{}", "run://one/image/{}"))  # fmt: skip
        return kind, form.format(*(rng.choice(TEXTS) for _ in range(2))), {}
    if kind == "prompt":
        name = rng.choice(("audit_this_model", "explain_to_a_lawyer", "x"))
        return kind, name, {k: rng.choice(TEXTS) for k in rng.sample(("run", "model", "x"), 2)}
    name = rng.choice([*TOOLS, *TOOLS, *STARTING, "__init__", "../findings", "call_tool"])
    given: dict[str, Any] = dict(VALID.get(name, {"x": 0}))
    fields = [*schemas.get(name, given)]
    for k in rng.sample(fields, min(len(fields), rng.choice((0, 1, 1, 1, 2)))):
        given[k] = rng.choice(TEXTS) if rng.random() < 0.8 else rng.choice(OTHERS)
    if rng.random() < 0.2:
        given[rng.choice(("path", "url", "out", "trust_code", "self", "house"))] = "/etc/passwd"
    return kind, name, given


async def answered(client: Any, kind: str, name: str, given: dict[str, Any]) -> str:
    """An answer as text, or the sentence with which the request was refused."""
    from mcp.shared.exceptions import MCPError

    try:
        if kind == "tool":
            done = await client.call_tool(name, given)
            return "\n".join(c.text for c in done.content)
        if kind == "prompt":
            made = await client.get_prompt(name, given)
            return str(made.messages[0].content.text)
        content = (await client.read_resource(name)).contents[0]
        return str(getattr(content, "text", "bytes"))
    except (MCPError, ValueError, UnicodeError) as error:  # JSON has no lone surrogates
        return f"{type(error).__name__}: {error}"


def main(folder: Path, count: int) -> None:
    """Send the requests of one seed, all to one server."""
    import pandas  # noqa: F401 - imports may look at the machine

    server = talk(House(folder / "runs"))
    watch = Close(folder / "runs")

    async def conversation(client: Any) -> list[dict[str, Any]]:
        tools = (await client.list_tools()).tools
        schemas = {t.name: t.input_schema["properties"] for t in tools}
        for name, given in VALID.items():
            await client.call_tool(name, given)  # imports what it needs
        rng, rows = random.Random(count), []
        for _ in range(count):
            kind, name, given = request(rng, schemas)
            if name == "plan":
                given["limit"] = 0  # each row of power takes a moment
            if given.get("index") == "world" or ("picture" in given and "index" not in given):
                given["index"] = "no index"  # a real search is tested elsewhere
            watch.seen, watch.on = [], True
            said = await answered(client, kind, name, given)
            watch.on = False
            rows.append({"request": [kind, name, repr(given)[:300]], "said": said,
                         "seen": watch.seen})  # fmt: skip
        return rows

    sys.addaudithook(watch)
    rows = asked(server, conversation)
    modules = [n for n in sys.modules if n.startswith("evil")]
    print(json.dumps({"rows": rows, "modules": modules, "log": server.log.getvalue()}))  # type: ignore[attr-defined]


if __name__ == "__main__":
    tempfile.tempdir = str(Path(sys.argv[1]) / "scratch")
    Path(tempfile.tempdir).mkdir()
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
