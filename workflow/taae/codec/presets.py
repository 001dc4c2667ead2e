"""Named shapes of the codec, from a demo on two cores to the paper's largest. No torch.

`950M` is the paper's largest (width and layers as its checkpoint has them, as far as is known);
the paper gives no shapes for its models of about 250M and 500M parameters, so `250M` and `500M`
are a choice: the same hop and head, narrower, with the layers that come nearest to the number.
"""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "demo": {"patch": 80, "layers": [1, 1], "strides": [2], "width": 128, "head_dim": 64},
    "tiny": {"patch": 320, "layers": [1, 2], "strides": [2], "width": 128, "head_dim": 64},
    "small": {"patch": 320, "layers": [4, 4], "strides": [2], "width": 256, "head_dim": 64},
    "250M": {"patch": 320, "layers": [8, 21], "strides": [2], "width": 512, "head_dim": 128},
    "500M": {"patch": 320, "layers": [8, 18], "strides": [2], "width": 768, "head_dim": 128},
    "950M": {"patch": 320, "layers": [8, 20], "strides": [2], "width": 1024, "head_dim": 128},
}


def expand(model: Any) -> Any:
    """Return a model section with the keys of its preset; those given beside it override.

    What is no section, or has a preset that is not known, stays for the validation to see.
    """
    preset = model.get("preset") if isinstance(model, dict) else None
    if not isinstance(preset, str) or preset not in PRESETS:
        return model
    return PRESETS[preset] | {key: value for key, value in model.items() if key != "preset"}
