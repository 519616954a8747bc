"""A language model in a folder: made here from a configuration, with a tokenizer of ten words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from audit.design.language_model.local import Local
from audit.design.language_model.questions import Question
from audit.design.language_model.replies import Malformed
from audit.design.language_model.rewriter import FILE
from audit.errors import UserError
from audit.runs.preview import rewrite

WORDS = ["<unk>", "<end>", "<user>", "a", "photo", "of", "nurse", "any", "woman", "man"]


def question(text: str = "a photo of a nurse", **more: Any) -> Question:
    """A question whose message is the text."""
    given = {"model": "m", "prompt": text, "value": "", "message": text, "temperature": 0.0,
             "tokens": 8, "seed": None}  # fmt: skip
    return Question(**{**given, **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two small layers, whose answer is only noise, saved as safetensors."""
    path = tmp_path_factory.mktemp("model")
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", eos_token="<end>"
    ).save_pretrained(path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=256, eos_token_id=None, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(path)
    return path


def greedy(folder: Path, message: str, tokens: int) -> str:
    """The most likely next word, again and again: what greedy decoding is, without `generate`."""
    model = LlamaForCausalLM.from_pretrained(folder).eval()
    ids = [WORDS.index(w) if w in WORDS else 0 for w in message.split()]
    start = len(ids)
    for _ in range(tokens):
        with torch.inference_mode():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        if ids[-1] == 1:
            break
    return " ".join(WORDS[i] for i in ids[start:] if i > 1)


def test_it_says_what_greedy_decoding_by_hand_says(folder: Path) -> None:
    """Temperature 0 is the most likely word at every step; the same whatever was drawn before."""
    local = Local(str(folder))
    for text in ("a photo of a nurse", "any man", "woman of a nurse photo"):
        torch.manual_seed(len(text))
        assert local(question(text)).content == greedy(folder, text, 8)


def test_draws_depend_on_their_seed_alone(folder: Path) -> None:
    """And leave the generator of everybody else where it was."""
    local = Local(str(folder))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    made = [local(question(temperature=1.5, seed=s, tokens=20)).content for s in (1, 2, 1)]
    assert made[0] == made[2] != made[1]
    assert torch.equal(torch.get_rng_state(), state)


def test_an_answer_that_is_cut_is_said_to_be(folder: Path) -> None:
    """Answers that reach the limit of tokens, and questions that do not fit, are refused."""
    replies = [Local(str(folder))(question(temperature=1.5, seed=s, tokens=6)) for s in range(30)]
    assert {r.cut for r in replies} == {True, False}
    assert all(len(r.content.split()) < 6 for r in replies if not r.cut)
    with pytest.raises(Malformed, match="256 tokens"):
        Local(str(folder))(question("a " * 300))


def test_the_chat_template_of_the_folder_is_used(folder: Path, tmp_path: Path) -> None:
    """Where there is one, the message goes through it; one that fails is a sentence."""
    copy = clone(folder, tmp_path)
    template = "{% for m in messages %}<user> {{ m.content }} of{% endfor %}"
    (copy / "chat_template.jinja").write_text(template)
    assert Local(str(copy))(question("a nurse")).content == greedy(folder, "<user> a nurse of", 8)
    (copy / "chat_template.jinja").write_text("{{ raise_exception('not me') }}")
    with pytest.raises(UserError, match="chat template"):
        Local(str(copy))(question("a nurse"))


def clone(folder: Path, where: Path) -> Path:
    """The folder's files elsewhere."""
    where.mkdir(exist_ok=True)
    for file in folder.iterdir():
        (where / file.name).write_bytes(file.read_bytes())
    return where


def test_only_safetensors_and_no_foreign_code(folder: Path, tmp_path: Path) -> None:
    """Pickled weights and code next to them are refused; neither runs."""
    pickled = clone(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be loaded"):
        Local(str(pickled))(question())
    coded = clone(folder, tmp_path / "coded")
    config = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM":
               "code.M"}}  # fmt: skip
    (coded / "config.json").write_text(json.dumps(config))
    mark = tmp_path / "ran"
    (coded / "code.py").write_text(f"open({str(mark)!r}, 'w')\nclass C: ...\nclass M: ...\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        Local(str(coded))(question())
    assert not mark.exists()
    with pytest.raises(UserError, match="not the folder of a language model"):
        Local(str(tmp_path / "none"))


def test_other_weights_are_another_model_and_answers_are_played_back(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key depends on the folder's contents, not its name; a second rewrite loads nothing."""
    moved, other = clone(folder, tmp_path / "moved"), clone(folder, tmp_path / "other")
    changed = LlamaForCausalLM.from_pretrained(other)
    with torch.no_grad():
        changed.lm_head.weight.mul_(-1)
    changed.save_pretrained(other)
    said = f"llm:{folder},attribute=gender,tokens=12"
    rows = rewrite("a photo of a nurse", said, images=3, out=tmp_path)
    assert len({r.text for r in rows}) == 1
    kept = (tmp_path / FILE).read_text()
    with monkeypatch.context() as patch:
        patch.setattr(Local, "__call__", lambda *_: pytest.fail("asked again"))
        rewrite("a photo of a nurse", said, images=3, out=tmp_path)
        rewrite("a photo of a nurse", said.replace(str(folder), str(moved)), out=tmp_path)
    assert (tmp_path / FILE).read_text() == kept
    rewrite("a photo of a nurse", said.replace(str(folder), str(other)), out=tmp_path)
    assert len((tmp_path / FILE).read_text().splitlines()) == 2
