"""Pipelines written as single files: tensors under the names that Stable Diffusion's authors gave them.

The way back is diffusers' own, so a mistake here shows as a difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from invokeai_saas.worker.engine.checkpoints.families import FAMILIES, Family, TextEncoder

Tensors = dict[str, torch.Tensor]

_UNET_ENDS = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip
_OPEN_CLIP_ENDS = {
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}


def single_file(family: Family, parts: Mapping[str, Tensors]) -> Tensors:
    """What one file holds of a pipeline. Parameters: parts: weights by name of the part, as diffusers names them."""
    found: Tensors = {}
    for name, tensor in parts["unet"].items():
        found["model.diffusion_model." + _unet_name(name, family)] = tensor
    for name, tensor in parts["vae"].items():
        attends = ".attentions." in name and name.endswith("weight") and "group_norm" not in name
        found["first_stage_model." + _vae_name(name)] = tensor[:, :, None, None] if attends else tensor
    for name, encoder in family.text_encoders.items():
        found |= _text(encoder, name, parts[name], is_xl=family.unet.get("addition_embed_type") is not None)
    return found


def _unet_name(name: str, family: Family) -> str:
    head, _, end = name.rpartition(".")
    if head in _UNET_ENDS:
        return f"{_UNET_ENDS[head]}.{end}"
    layers = family.unet["layers_per_block"] + 1
    if found := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", name):
        way, block, kind, number, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
        first = block * layers + (1 if way == "down" else 0)
        place = "input_blocks" if way == "down" else "output_blocks"
        if kind == "downsamplers":
            return f"{place}.{first + layers - 1}.0.{rest.replace('conv', 'op')}"
        if kind == "upsamplers":
            attends = family.unet["up_block_types"][block].startswith("Cross")
            return f"{place}.{first + layers - 1}.{2 if attends else 1}.{rest}"
        inner = _renamed(rest, _RESNET) if kind == "resnets" else rest
        return f"{place}.{first + number}.{0 if kind == 'resnets' else 1}.{inner}"
    found = re.fullmatch(r"mid_block\.(\w+)\.(\d+)\.(.+)", name)
    assert found is not None, name
    if found[1] == "attentions":
        return f"middle_block.1.{found[3]}"
    return f"middle_block.{2 * int(found[2])}.{_renamed(found[3], _RESNET)}"


def _vae_name(name: str) -> str:
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda found: f"mid.block_{int(found[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        head, _, rest = name.partition("mid_block.attentions.0.")
        return f"{head}mid.attn_1.{_renamed(rest, _ATTENTION)}"
    name = re.sub(r"down_blocks\.(\d)", r"down.\1", name)
    name = re.sub(r"up_blocks\.(\d)", lambda found: f"up.{3 - int(found[1])}", name)
    return name.replace(".resnets.", ".block.").replace("samplers.0.conv", "sample.conv")


def _text(encoder: TextEncoder, part: str, weights: Tensors, *, is_xl: bool) -> Tensors:
    if encoder.stored_in is None:
        prefix = "conditioner.embedders.0.transformer." if is_xl else "cond_stage_model.transformer."
        return {prefix + name: tensor for name, tensor in weights.items()}
    prefix = encoder.stored_in
    found: Tensors = {}
    for name, tensor in weights.items():
        if name in _OPEN_CLIP_ENDS:
            found[prefix + _OPEN_CLIP_ENDS[name]] = tensor
        elif name == "text_projection.weight":
            found[prefix + "text_projection"] = tensor.T.contiguous()
        elif ".q_proj." in name:
            three = [weights[name.replace(".q_proj.", f".{letter}_proj.")] for letter in "qkv"]
            layer, _, end = name.partition(".self_attn.q_proj.")
            found[f"{prefix}{_resblock(layer)}.attn.in_proj_{end}"] = torch.cat(three)
        elif not re.search(r"\.[kv]_proj\.", name):
            layer, _, rest = name.removeprefix("text_model.encoder.layers.").partition(".")
            found[f"{prefix}transformer.resblocks.{layer}.{_renamed(rest, _OPEN_CLIP)}"] = tensor
    return found


def _resblock(layer: str) -> str:
    return layer.replace("text_model.encoder.layers.", "transformer.resblocks.")


def _renamed(name: str, names: Mapping[str, str]) -> str:
    head, _, end = name.rpartition(".")
    return f"{names.get(head, head)}.{end}"


def small(name: str) -> Family:
    """A family with its structure, and few numbers in it: what tells families apart stays as it is."""
    family = FAMILIES[name]
    levels = len(family.unet["block_out_channels"])
    heads = family.unet["attention_head_dim"]
    unet: dict[str, Any] = {
        "block_out_channels": [32, 64, 64, 64][:levels],
        "attention_head_dim": [4] * levels if isinstance(heads, list) else 4,
        "sample_size": 8,
    }
    if isinstance(family.unet.get("transformer_layers_per_block"), list):
        unet["transformer_layers_per_block"] = [1] * levels
    vae = {"block_out_channels": [8, 16, 16, 16], "norm_num_groups": 4, "layers_per_block": 1}
    text = {
        part: TextEncoder(
            encoder.config | {"num_hidden_layers": max(2, _layers(encoder)), "intermediate_size": 64},
            encoder.stored_in,
            encoder.pad,
        )
        for part, encoder in family.text_encoders.items()
    }
    return Family(
        family.pipeline_class, text, family.unet | unet, family.vae | vae, family.scheduler, family.pipeline
    )


def _layers(encoder: TextEncoder) -> int:
    """Files of XL are told by the tenth layer of their large encoder."""
    return 10 if encoder.class_name == "CLIPTextModelWithProjection" else 2
