"""Models on the Hugging Face hub, by name: user/name, or user/name@revision. No torch.

What was downloaded once is used from then on without a look at the network, so that a study gives
the same figures next year: a revision, or an empty cache, asks the hub again. Only the files of a
model are taken: safetensors, JSON and entropy models, nothing that could run code.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from taae.codec.pretrained import CONFIG, PROVENANCE, WEIGHTS, read_config
from taae.utils.errors import TaaeError

FILES = (WEIGHTS, CONFIG, PROVENANCE, "entropy-models/*/*.npz")
CARD = "README.md"
NAME = re.compile(r"(?P<repo>[\w.-]*\w/\w[\w.-]*)(@(?P<revision>[\w./-]+))?")
EXTRA = "install the extra hub (pip install 'taae[hub]')"


@cache
def model_folder(model: Path | str) -> Path:
    """Return the folder of a model, which may be given by its name on the hub.

    A folder that is there comes first. What is no name (such as a path from the root) is returned
    as it is. The hub's address, token and cache are huggingface_hub's: HF_ENDPOINT, HF_TOKEN,
    HF_HOME, HF_HUB_OFFLINE.

    Raises:
        TaaeError: there is no such model on the hub, or it cannot be reached.
    """
    name = NAME.fullmatch(str(model))
    if not name or Path(model).exists():
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError
    except ImportError:
        raise TaaeError(f"{model}: no such folder; to take it from the hub, {EXTRA}") from None
    from httpx2 import HTTPError

    def download(cached: bool) -> Path:
        folder = snapshot_download(
            name["repo"],
            revision=name["revision"],
            allow_patterns=list(FILES),
            local_files_only=cached,
        )
        return Path(folder)

    try:
        try:
            folder = download(cached=True)
            if all((folder / file).is_file() for file in (WEIGHTS, CONFIG)):
                return folder  # else another program took a part of it
        except LocalEntryNotFoundError:
            pass
        return download(cached=False)
    except (OSError, ValueError, HTTPError) as error:
        raise TaaeError(
            f"{model}: no such folder, and no model of the hub: {_say(error)}"
        ) from error


def push(model: Path, repository: str, card: str, *, private: bool = False) -> str:
    """Upload a model and its card as one commit; return the commit's address.

    The repository is made where there is none; the token is huggingface_hub's (HF_TOKEN, or the
    one of `hf auth login`).

    Args:
        model: folder; what it holds beside a model's files stays here.
        repository: user/name.
        card: README.md of the repository.
        private: whether a repository that is made now is private.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
    except ImportError:
        raise TaaeError(f"{repository}: to upload a model, {EXTRA}") from None
    from httpx2 import HTTPError

    read_config(model)
    files = sorted(path for pattern in FILES for path in model.glob(pattern) if path.is_file())
    if model / WEIGHTS not in files:
        raise TaaeError(f"{model / WEIGHTS}: no such file; is {model} a model?")
    additions = [CommitOperationAdd(path.relative_to(model).as_posix(), path) for path in files]
    additions.append(CommitOperationAdd(CARD, card.encode()))
    api = HfApi(library_name="taae")
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        return str(api.create_commit(repository, additions, commit_message="Model").commit_url)
    except (OSError, ValueError, HTTPError) as error:
        raise TaaeError(f"{repository}: not uploaded: {_say(error)}") from error


def _say(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0].rstrip(".")
