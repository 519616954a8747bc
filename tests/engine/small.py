"""Small pipelines with random weights, built from configurations: one of each architecture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from audit.world import tokens

WIDTH = 16
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def clip_tokenizer(root: Path) -> CLIPTokenizer:
    """The embedded model's tokenizer: a real one, of about a thousand tokens."""
    folder = root / "tokenizer"
    return CLIPTokenizer.from_pretrained(folder if folder.is_dir() else tokens.build(folder))


def t5_tokenizer() -> T5Tokenizer:
    """A T5 tokenizer that reads letter by letter."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(c, -3.0) for c in LETTERS] + [(f"▁{c}", -3.0) for c in LETTERS]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=24)


def _clip(tokenizer: CLIPTokenizer, pooled: bool = False) -> Any:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokens.CONTEXT, projection_dim=WIDTH,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id, pad_token_id=0,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if pooled else CLIPTextModel)(config).eval()


def _t5(tokenizer: T5Tokenizer) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=WIDTH, d_kv=4, d_ff=32, num_layers=2,
                 num_heads=4)
    ).eval()  # fmt: skip


def _vae(channels: int = 4, **more: Any) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8), norm_num_groups=4, latent_channels=channels, sample_size=16,
        **more,
    )  # fmt: skip


def _unet(cross: int = WIDTH, **more: Any) -> diffusers.UNet2DConditionModel:
    return diffusers.UNet2DConditionModel(
        sample_size=8, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(8, 16),
        layers_per_block=1, cross_attention_dim=cross, attention_head_dim=2, norm_num_groups=4,
        **more,
    )  # fmt: skip


def stable_diffusion(root: Path, scheduler: Any = None, **more: Any) -> Any:
    """Stable Diffusion 1.x: one text encoder, epsilon."""
    tokenizer = clip_tokenizer(root)
    parts = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return diffusers.StableDiffusionPipeline(
        vae=_vae(), text_encoder=_clip(tokenizer), tokenizer=tokenizer, unet=_unet(),
        scheduler=scheduler or diffusers.PNDMScheduler(skip_prk_steps=True), **(parts | more),
    )  # fmt: skip


def stable_diffusion_2(root: Path) -> Any:
    """Stable Diffusion 2.x: v-prediction, zero terminal signal."""
    return stable_diffusion(
        root,
        diffusers.DDIMScheduler(
            prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False,
            rescale_betas_zero_snr=True, timestep_spacing="trailing",
        ),
    )  # fmt: skip


def lcm(root: Path) -> Any:
    """A latent consistency model: guidance as an input of the denoiser, no empty text."""
    tokenizer = clip_tokenizer(root)
    return diffusers.LatentConsistencyModelPipeline(
        vae=_vae(), text_encoder=_clip(tokenizer), tokenizer=tokenizer,
        unet=_unet(time_cond_proj_dim=8), scheduler=diffusers.LCMScheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl(root: Path) -> Any:
    """SDXL: two text encoders, pooled states and sizes as further conditions."""
    tokenizer = clip_tokenizer(root)
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_clip(tokenizer), text_encoder_2=_clip(tokenizer, pooled=True),
        tokenizer=tokenizer, tokenizer_2=tokenizer,
        unet=_unet(
            2 * WIDTH, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        ),
        scheduler=diffusers.EulerDiscreteScheduler(), force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )  # fmt: skip


def sd3(root: Path) -> Any:
    """Stable Diffusion 3: three text encoders, a transformer, flow matching."""
    tokenizer, letters = clip_tokenizer(root), t5_tokenizer()
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8,
            num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=32,
            pooled_projection_dim=2 * WIDTH, out_channels=4,
        ),
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06),
        text_encoder=_clip(tokenizer, pooled=True), text_encoder_2=_clip(tokenizer, pooled=True),
        text_encoder_3=T5EncoderModel(
            T5Config(vocab_size=len(letters), d_model=32, d_kv=8, d_ff=32, num_layers=1,
                     num_heads=4)
        ).eval(),
        tokenizer=tokenizer, tokenizer_2=tokenizer, tokenizer_3=letters,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


def flux(root: Path) -> Any:
    """Flux: packed latents, guidance as an input, no empty text."""
    tokenizer, letters = clip_tokenizer(root), t5_tokenizer()
    return diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH,
            axes_dims_rope=[4, 4, 8], guidance_embeds=True,
        ),
        vae=_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06,
                 scaling_factor=1.5),
        text_encoder=_clip(tokenizer), tokenizer=tokenizer, text_encoder_2=_t5(letters),
        tokenizer_2=letters, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )  # fmt: skip


def pixart(root: Path) -> Any:
    """PixArt-alpha: a T5 encoder with its mask, a transformer that predicts its variance too."""
    letters = t5_tokenizer()
    return diffusers.PixArtAlphaPipeline(
        transformer=diffusers.PixArtTransformer2DModel(
            sample_size=8, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=2,
            caption_channels=WIDTH, in_channels=4, out_channels=8, cross_attention_dim=16,
            norm_num_groups=4, use_additional_conditions=False,
        ),
        vae=_vae(), text_encoder=_t5(letters), tokenizer=letters,
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )  # fmt: skip


ARCHITECTURES: dict[str, Callable[[Path], Any]] = {
    "sd1": stable_diffusion, "sd2": stable_diffusion_2, "sdxl": sdxl, "sd3": sd3, "flux": flux,
    "pixart": pixart, "lcm": lcm,
}  # fmt: skip


def kandinsky(root: Path, positions: int = tokens.CONTEXT) -> Any:
    """Kandinsky 2.2 with its prior, which reads so many positions of a text."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer(root)
    blocks = ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D")
    unet = diffusers.UNet2DConditionModel(
        in_channels=4, out_channels=8, addition_embed_type="image", down_block_types=blocks,
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", block_out_channels=(16, 16),
        layers_per_block=1, encoder_hid_dim=WIDTH, encoder_hid_dim_type="image_proj",
        cross_attention_dim=WIDTH, attention_head_dim=4, resnet_time_scale_shift="scale_shift",
        norm_num_groups=4,
    )  # fmt: skip
    eye = CLIPVisionConfig(
        hidden_size=WIDTH, image_size=32, projection_dim=WIDTH, intermediate_size=32,
        num_attention_heads=2, num_hidden_layers=1, patch_size=16,
    )  # fmt: skip
    return diffusers.KandinskyV22CombinedPipeline(
        unet=unet, scheduler=diffusers.DDIMScheduler(beta_schedule="linear", clip_sample=False),
        movq=diffusers.VQModel(
            block_out_channels=(32, 32), down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=4,
            norm_type="spatial", num_vq_embeddings=12, vq_embed_dim=4,
        ),
        prior_prior=diffusers.PriorTransformer(
            num_attention_heads=2, attention_head_dim=8, embedding_dim=WIDTH, num_layers=1,
            num_embeddings=positions, additional_embeddings=4,
        ),
        prior_image_encoder=CLIPVisionModelWithProjection(eye).eval(),
        prior_text_encoder=_clip(tokenizer, pooled=True), prior_tokenizer=tokenizer,
        prior_scheduler=diffusers.UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=100
        ),
        prior_image_processor=CLIPImageProcessor(crop_size=32, size=32),
    )  # fmt: skip


def save(name: str, root: Path) -> Path:
    """A folder with a random model of an architecture; the same weights every time."""
    torch.manual_seed(0)
    folder = root / name
    ARCHITECTURES[name](root).save_pretrained(folder)
    return folder
