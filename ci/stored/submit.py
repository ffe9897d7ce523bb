# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends a report to KCIDB's REST service: POST /submit with a bearer token, as kcidb-ng takes it."""

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import requests

from util.errors import MachineError, UserError
from util.text import one_line

ENVIRONMENT = "KCIDB_REST"
_SECONDS = 120.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class KcidbAddress:
    """Where to send. `url` holds no token, so that it can be printed."""

    url: str
    token: str = field(repr=False)


def address() -> KcidbAddress:
    """From `KCIDB_REST=https://TOKEN@HOST[:PORT]/`. Raises UserError. Its value is never part of a message: it is a
    secret. Without TLS the token would be readable on the way, so `http:` is for this machine alone."""
    text = os.environ.get(ENVIRONMENT, "")
    form = f"{ENVIRONMENT} must be https://TOKEN@HOST/"
    if not text:
        raise UserError(f"{form}, and is not set")
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UserError(f"{form}, and is no address") from None
    host, token = parts.hostname or "", unquote(parts.username or "")
    if parts.scheme not in ("https", "http") or not host or not token:
        raise UserError(form)
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise UserError(f"{form}: without https the token could be read on the way")
    named = f"[{host}]" if ":" in host else host
    path = parts.path.rstrip("/").removesuffix("/submit")
    return KcidbAddress(f"{parts.scheme}://{named}{port}{path}/submit", token)


def submit(report: dict[str, Any], where: KcidbAddress) -> str:
    """Sends `report` and returns the server's name of it. Raises MachineError where the server does not take it."""
    headers = {"Authorization": f"Bearer {where.token}", "Content-Type": "application/json"}
    try:
        answer = requests.post(
            where.url, data=json.dumps(report).encode(), headers=headers, timeout=_SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        raise MachineError(f"{where.url}: cannot be reached ({type(error).__name__})") from None
    if answer.status_code != requests.codes.ok:
        said = one_line(answer.text[:200]).replace(where.token, "...")
        raise MachineError(f"{where.url}: status {answer.status_code}: {said or answer.reason}")
    try:
        name = answer.json()["id"]
    except (ValueError, KeyError, TypeError):
        raise MachineError(f"{where.url}: the answer names no submission") from None
    return one_line(str(name))
