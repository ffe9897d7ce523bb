# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of a GitLab server's REST API: packages of the job's project, and notes of its merge request."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

from util.errors import MachineError, UserError
from util.text import one_line

_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """One project on one server. `header` is the name under which GitLab takes the token: `JOB-TOKEN` for a job's own,
    `PRIVATE-TOKEN` for one that a person made."""

    project: str
    token: str = field(repr=False)
    header: str = "PRIVATE-TOKEN"

    def get(self, path: str) -> requests.Response:
        return self._call("GET", path)

    def missing(self, path: str, answer: requests.Response) -> bool:
        """Whether the server does not have this. Raises MachineError for any other failure."""
        if answer.status_code == requests.codes.not_found:
            return True
        self._raise(path, answer)
        return False

    def put(self, path: str, content: bytes) -> None:
        self._raise(path, self._call("PUT", path, data=content))

    def send(self, method: str, path: str, values: dict[str, str]) -> Any:
        """POST or PUT of JSON; the answer's JSON."""
        answer = self._call(method, path, json=values)
        self._raise(path, answer)
        return _json(path, answer)

    def listed(self, path: str) -> Iterator[Any]:
        """Every entry of a list, page by page (its own "Pagination": the header x-next-page, empty on the last)."""
        page = "1"
        while page:
            answer = self._call("GET", f"{path}?per_page=100&page={page}")
            self._raise(path, answer)
            yield from _json(path, answer)
            page = answer.headers.get("x-next-page", "")

    def _call(self, method: str, path: str, **values: Any) -> requests.Response:
        """A redirection is followed for a download alone, and the token goes to no other host (`requests` drops only
        the header `Authorization` by itself)."""
        url = f"{self.project}/{path}"
        try:
            answer = requests.request(
                method, url, headers={self.header: self.token}, timeout=_SECONDS, allow_redirects=False, **values
            )
            if method == "GET" and answer.is_redirect:
                answer = requests.get(answer.headers["location"], timeout=_SECONDS)
        except requests.RequestException as error:
            raise MachineError(f"{url}: cannot be reached ({type(error).__name__})") from None
        return answer

    def _raise(self, path: str, answer: requests.Response) -> None:
        if not answer.ok:
            said = one_line(answer.text[:200]).replace(self.token, "...")
            raise MachineError(f"{self.project}/{path}: status {answer.status_code}: {said or answer.reason}")


def _json(path: str, answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise MachineError(f"{path}: the server's answer is no JSON") from None


def of_job() -> Server | None:
    """The server of the job that this is; None outside of a job of a real server (gitlab-ci-local has no token)."""
    address, project, token = (os.environ.get(name, "") for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_JOB_TOKEN"))
    return Server(f"{address}/projects/{project}", token, "JOB-TOKEN") if address and project and token else None


def of_user(variable: str) -> Server:
    """The same project with a token that a person made, from the environment: it is a secret, and no option. Raises
    UserError."""
    address, project = os.environ.get("CI_API_V4_URL", ""), os.environ.get("CI_PROJECT_ID", "")
    token = os.environ.get(variable, "")
    if not token:
        raise UserError(f"{variable} must hold a token with the scope `api`, and is not set")
    if not (address and project):
        raise UserError("CI_API_V4_URL and CI_PROJECT_ID name the server and the project: GitLab sets both in a job")
    if not address.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        raise UserError(f"{address}: without https the token could be read on the way")
    return Server(f"{address}/projects/{project}", token)
