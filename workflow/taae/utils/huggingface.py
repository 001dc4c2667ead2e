"""Networks with published weights, through transformers. Nothing but safetensors is unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from taae.utils.errors import NotInstalled, TaaeError
from taae.utils.files import file_sha256


def load_network(architecture: str, kind: str, weights: str) -> Any:
    """Return a network of transformers with its weights.

    Args:
        architecture: name of its class.
        kind: the `model_type` that its config must state.
        weights: a folder that `from_pretrained` reads, or a repository of the Hugging Face hub.

    Raises:
        NotInstalled: the package or the weights are not there.
        TaaeError: the weights are of another network, or incomplete.
    """
    try:
        import transformers
    except ImportError:
        raise NotInstalled(
            "no package transformers; install the extra codecs (pip install 'taae[codecs]')"
        ) from None
    # A path is never looked up on the hub, nor is anything but safetensors unpacked: no pickle.
    local = Path(weights).is_dir()
    if not local and weights.startswith(("/", ".", "~")):
        raise NotInstalled(f"no folder {weights}")
    try:
        config = transformers.AutoConfig.from_pretrained(weights, local_files_only=local)
        if config.model_type != kind:
            raise TaaeError(f"{weights}: weights of {config.model_type}, not of {kind}")
    except (OSError, ValueError) as error:
        raise NotInstalled(_reason(weights, error)) from error
    try:
        network, about = getattr(transformers, architecture).from_pretrained(
            weights, use_safetensors=True, output_loading_info=True, local_files_only=local
        )
    except OSError as error:
        raise NotInstalled(_reason(weights, error)) from error
    missing = sorted(map(str, [*about["missing_keys"], *about["mismatched_keys"]]))
    if missing:
        raise TaaeError(f"{weights}: the weights lack {', '.join(missing[:3])}, ...")
    return network


def _reason(weights: str, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"no weights {weights}: {reason.rstrip('.')}"


def weights_identity(weights: str) -> dict[str, str]:
    """Return what tells weights from others: the hashes of a folder's files, or the hub's name."""
    files = sorted(Path(weights).glob("*.safetensors"))
    return {path.name: file_sha256(path) for path in files} or {"repository": weights}
