"""Which arguments timm's designs may be given.

They come from yaml files and from the models of strangers.  timm's own function that builds a network also
takes the path of a file to unpickle, the address of a download and classes to call: none of those is here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from prestige.errors import ConfigError, nearest, raise_all

_FLAGS = """
    abs_win_pos_embed always_partition attn_only_layer_scale avg_down class_token conv_bias conv_init
    conv_mlp cpe_act distilled dynamic_img_pad dynamic_img_size embed_norm fc_norm ffn final_norm fix_init
    fix_stem head_bias head_norm_first legacy mlp_bias no_embed_class normalize_modulator patch_norm
    pre_norm proj_bias qk_norm qkv_bias qkv_fused replace_stem_pool rope_rotate_half scale_attn_inner
    scale_attn_norm scale_mlp scale_mlp_norm se_from_exp sep_pos_embed stem_bias stem_norm strict_img_size
    swiglu_mlp tokens_norm transformer_drop_path use_abs_pos use_abs_pos_emb use_expand_proj use_fc_norm
    use_grn use_layer_scale use_overlap_down use_pos_embed use_post_norm use_post_norm_in_modulation
    use_post_transformer_norm use_pre_transformer_norm use_rel_pos use_rel_pos_bias use_rope use_rot_pos_emb
    use_shared_rel_pos_bias zero_init_last
"""
_COUNTS = """
    blocks cls_attn_layers depth depths downsample_ratio focal_levels global_block_counts heads layers
    num_blocks num_heads num_kv_heads num_reg_tokens parallel_depth patch_sizes q_stride reg_tokens
    serial_depths sr_ratios strides transformer_depths
"""
_WIDTHS = """
    base_dim base_dims base_width bn_size cardinality channels dims embed_dim embed_dims final_chs
    focal_windows group_size growth_rate head_dim head_hidden_size hidden_sizes in_chans inner_dim
    kernel_size kernel_sizes key_dim local_conv_size mask_unit_size num_features num_init_features
    patch_kernel patch_padding patch_stride pool_size pos_embed_grid_size ref_feat_shape rel_pos_dim
    stem_chs stem_kernel_size stem_size stem_width swiglu_align_to widths window_ratio window_size
    window_sizes
"""
_NUMBERS = """
    attn_drop_rate attn_mlp_ratio attn_ratio bottle_ratio crop_scale depth_mult drop_block_rate
    drop_path_rate drop_rate expand_ratio head_init_scale init_values layer_scale layer_scale_init_value
    layer_scale_init_values ls_init_value mbconv_expand_ratio mlp_ratio mlp_ratios norm_eps patch_drop_rate
    pos_drop_rate proj_drop_rate res_scale_init_values rope_grid_offset rope_jitter_coords
    rope_rescale_coords rope_shift_coords rope_temperature se_ratio stem_expand_ratio width_mult
"""
_ACTIVATIONS = (
    "celu",
    "elu",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "mish",
    "prelu",
)
_ACTIVATIONS += ("quick_gelu", "relu", "relu6", "selu", "sigmoid", "silu", "swish", "tanh")
_NORMS = ("batchnorm", "batchnorm2d", "groupnorm", "groupnorm1", "layernorm", "layernorm2d", "rmsnorm")
_NORMS += ("rmsnorm2d", "simplenorm", "simplenorm2d")
_WORDS: dict[str, tuple[str, ...]] = {
    "act_layer": _ACTIVATIONS,
    "norm_layer": _NORMS,
    "mlp_layer": ("GluMlp", "Mlp", "SwiGLU", "SwiGLUPacked"),
    "global_pool": ("", "avg", "avgmax", "max", "token", "map"),
    "pos_embed": ("", "none", "learn"),
    "rel_pos_type": ("", "bias", "mlp"),
    "rope_grid_indexing": ("ij", "xy"),
    "rope_type": ("", "cat", "dinov3", "mixed"),
    "pad_type": ("", "same"),
    "stem_type": ("", "deep", "deep_tiered", "overlap", "patch"),
    "weight_init": ("", "jax", "jax_nlhb", "moco", "reset", "skip"),
}
_MOST_COUNT, _MOST_WIDTH, _MOST_NUMBER, _MOST_VALUES = 256.0, 16384.0, 1e6, 64
_KINDS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(_FLAGS.split(), ("flag", 1.0)),
    **dict.fromkeys(_COUNTS.split(), ("count", _MOST_COUNT)),
    **dict.fromkeys(_WIDTHS.split(), ("width", _MOST_WIDTH)),
    **dict.fromkeys(_NUMBERS.split(), ("number", _MOST_NUMBER)),
}
SAFE = frozenset({*_KINDS, *_WORDS})
"""Names of arguments that may be given."""


def safe_arguments(raw: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return arguments of a design of timm, lists as tuples, after a look at each of them.

    Parameters
    ----------
    raw
        Name -> value: true or false, a number, a word that timm knows, or a list of numbers.  A value of None
        is left out, as timm itself does.
    where
        Where they stand, for the message.

    Raises
    ------
    ConfigError
        When a name is not on the list, or a value is of another kind or beyond what any design has.

    Examples
    --------
    >>> from prestige.models.arguments import safe_arguments
    >>> safe_arguments({"init_values": 1e-5, "depths": [2, 2, 6]}, where="the model")
    {'init_values': 1e-05, 'depths': (2, 2, 6)}
    """
    faults, safe = [], {}
    for name, value in raw.items():
        if value is None:
            continue
        expected = _wrong(name, value)
        if expected is None:
            safe[name] = tuple(value) if isinstance(value, list | tuple) else value
        elif name in SAFE:
            faults.append(ConfigError(f"'{name}' is {_short(value)}", where=where, expected=expected))
        else:
            near = nearest(str(name), SAFE)
            faults.append(
                ConfigError(
                    f"'{_short(name)}' is no argument of a design that is passed on",
                    where=where,
                    expected=expected,
                    remedy=f"did you mean '{near}'?" if near else None,
                )
            )
    raise_all(faults)
    return safe


def in_words(arguments: Mapping[str, Any]) -> str:
    """Return arguments as a table shows them: "init_values 1e-05, depths 2 2 6"."""
    shown = []
    for name, value in arguments.items():
        parts = value if isinstance(value, list | tuple) else [value]
        plain = (f"{one:g}" if isinstance(one, float) else str(one).lower() for one in parts)
        shown.append(f"{name} {' '.join(plain)}")
    return ", ".join(shown)


def _wrong(name: Any, value: Any) -> str | None:
    """Return what was expected, or None where name and value are as they should be."""
    if name in _WORDS:
        return None if value in _WORDS[name] else "one of " + ", ".join(filter(None, _WORDS[name]))
    if not isinstance(name, str) or name not in _KINDS:
        return "arguments of plain numbers such as init_values, reg_tokens, mlp_ratio"
    kind, most = _KINDS[name]
    several = isinstance(value, list | tuple)
    values = value if several else [value]
    if kind == "flag":
        return None if isinstance(value, bool) else "true or false"
    whole = kind != "number"
    if len(values) <= _MOST_VALUES and all(_within(one, most, whole=whole) for one in values):
        return None
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
        return f"a number, which yaml reads where it has a point: {float(value):.1e}"
    return f"{'whole numbers' if whole else 'numbers'} from {0 if whole else -most:g} to {most:g}"


def _within(value: Any, most: float, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return (0 if whole else -most) <= value <= most and math.isfinite(value)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else type(value).__name__ if isinstance(value, Mapping) else None
    text = repr(value) if text is None else text
    return text if len(text) <= 60 else text[:57] + "..."
