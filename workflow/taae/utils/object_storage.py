"""Folders of object storage (S3), for what has to outlive the machine of a job. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from taae.utils.errors import TaaeError
from taae.utils.files import atomic


class ObjectFolder:
    """A folder of a bucket, by its URL: s3://bucket/path/of/folder.

    The server and the keys are boto3's own settings: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, ~/.aws, or the role of the machine. An object is there as a whole or not
    at all, as a file of `atomic` is.

    Every method raises a `TaaeError` where the storage refuses or does not answer.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        if place.scheme != "s3" or not place.netloc:
            raise TaaeError(f"{url}: not the URL of a folder of object storage, s3://bucket/folder")
        self.url, self._prefix = url.rstrip("/"), place.path.strip("/")
        with self._reached():
            self._bucket = _s3().Bucket(place.netloc)

    def __truediv__(self, name: str) -> ObjectFolder:
        return ObjectFolder(f"{self.url}/{name}")

    def names(self) -> list[str]:
        """Return the names of all files, relative to the folder, sorted; none where it is not."""
        start = f"{self._prefix}/" if self._prefix else ""
        with self._reached():
            found = [item.key for item in self._bucket.objects.filter(Prefix=start)]
        return sorted(key.removeprefix(start) for key in found)

    def upload(self, path: Path) -> None:
        """Store a file under its own name."""
        with self._reached():
            self._bucket.upload_file(str(path), self._key(path.name))

    def download(self, name: str, path: Path) -> None:
        """Write a file of the folder to `path`, atomically."""
        with self._reached(), atomic(path) as temporary:
            self._bucket.download_file(self._key(name), str(temporary))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with self._reached():
            self._bucket.Object(self._key(name)).delete()

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Turn what boto3 raises into one line that says what to do."""
        try:
            from boto3.exceptions import Boto3Error
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                NoCredentialsError,
                PartialCredentialsError,
            )
        except ImportError:
            raise TaaeError(
                f"{self.url}: object storage needs the extra s3 (pip install 'taae[s3]')"
            ) from None
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise TaaeError(
                f"{self.url}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
                " run `aws configure`"
            ) from error
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                raise TaaeError(f"{self.url}: no such bucket; make it") from error
            raise TaaeError(f"{self.url}: refused ({error})") from error
        except (BotoCoreError, Boto3Error) as error:
            raise TaaeError(f"{self.url}: not reached ({error})") from error


def _s3() -> Any:
    """Return boto3's S3; checksums of its own are left out, which not every server knows."""
    import boto3
    from botocore.config import Config

    plain = "when_required"
    return boto3.Session().resource(
        "s3",
        config=Config(
            request_checksum_calculation=plain,
            response_checksum_validation=plain,
        ),
    )
