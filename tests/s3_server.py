"""An S3 server on this machine, with nothing in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """Yield the server's address; the environment has it and a key, and the server a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line a request
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        "127.0.0.1", port=0, verbose=False
    )
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    with pytest.MonkeyPatch.context() as patch:
        for name in [
            name for name in os.environ if name.startswith(("AWS_", "SNAKEMAKE_STORAGE_"))
        ]:
            patch.delenv(name)
        settings = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",  # no machine in a cloud has keys for this one
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        pytest.importorskip("boto3").client("s3").create_bucket(Bucket=bucket)
        yield address
    server.stop()
