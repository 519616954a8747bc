"""A Stable Diffusion folder as the single checkpoint of the original code base.

Key names of github.com/CompVis/latent-diffusion (ldm/modules/diffusionmodules/openaimodel.py and
model.py), the inverse of what diffusers does when it reads such a file.
"""

from __future__ import annotations

import re
from typing import Any

import torch

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip


def unet_key(key: str, layers: int, has_attention: list[bool]) -> str:
    """A diffusers UNet key in the original's numbering of blocks."""
    for new, old in ENDS.items():
        key = re.sub(rf"^{re.escape(new)}\.", old + ".", key)
    per = layers + 1

    def down(m: re.Match[str]) -> str:
        i, kind, j = int(m[1]), m[2], int(m[3])
        if kind == "downsamplers":
            return f"input_blocks.{per * (i + 1)}.0.op."
        return f"input_blocks.{per * i + j + 1}.{int(kind == 'attentions')}."

    def up(m: re.Match[str]) -> str:
        i, kind, j = int(m[1]), m[2], int(m[3])
        if kind == "upsamplers":
            return f"output_blocks.{per * i + layers}.{1 + has_attention[i]}.conv."
        return f"output_blocks.{per * i + j}.{int(kind == 'attentions')}."

    key = (
        re.sub(r"^down_blocks\.(\d+)\.(\w+)\.(\d+)\.(?:conv\.(?=\w+$))?", down, key)
        if ("downsamplers" in key)
        else re.sub(r"^down_blocks\.(\d+)\.(\w+)\.(\d+)\.", down, key)
    )
    key = (
        re.sub(r"^up_blocks\.(\d+)\.(\w+)\.(\d+)\.(?:conv\.(?=\w+$))?", up, key)
        if ("upsamplers" in key)
        else re.sub(r"^up_blocks\.(\d+)\.(\w+)\.(\d+)\.", up, key)
    )
    if re.match(r"(input_blocks\.\d+\.0|output_blocks\.\d+\.0|middle_block\.[02])\.", key):
        for new, old in RESNET.items():
            key = key.replace(f".{new}.", f".{old}.")
    return "model.diffusion_model." + key


def vae_key(key: str, blocks: int) -> str:
    """A diffusers autoencoder key as the original has it."""
    key = re.sub(r"encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.down.\1.block.", key)
    key = re.sub(
        r"encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample.", key
    )
    key = re.sub(
        r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers\.0)\.",
        lambda m: (
            f"decoder.up.{blocks - 1 - int(m[1])}."
            + ("block." if m[2] == "resnets" else "upsample.")
        ),
        key,
    )
    key = re.sub(r"mid_block\.resnets\.(\d)\.", lambda m: f"mid.block_{int(m[1]) + 1}.", key)
    key = key.replace("mid_block.attentions.0.", "mid.attn_1.")
    for new, old in {
        "conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut", "group_norm": "norm",
        "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
    }.items():  # fmt: skip
        key = key.replace(f".{new}.", f".{old}.")
    return "first_stage_model." + key


def checkpoint(pipeline: Any) -> dict[str, torch.Tensor]:
    """The whole pipeline as one state dict in the original's names."""
    unet, vae = pipeline.unet, pipeline.vae
    attention = ["CrossAttn" in t for t in unet.config.up_block_types]
    found = {
        unet_key(k, unet.config.layers_per_block, attention): v
        for k, v in unet.state_dict().items()
    }
    for key, value in vae.state_dict().items():
        old = vae_key(key, len(vae.config.block_out_channels))
        square = re.search(r"attn_1\.(q|k|v|proj_out)\.weight$", old)
        found[old] = value[:, :, None, None] if square else value
    for key, value in pipeline.text_encoder.state_dict().items():
        inner = key if key.startswith("text_model.") else f"text_model.{key}"
        found[f"cond_stage_model.transformer.{inner}"] = value
    return {k: v.contiguous().clone() for k, v in found.items()}
