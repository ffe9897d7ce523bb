# SPDX-License-Identifier: GPL-2.0-or-later
"""What `b4 review` does behind its screens, by b4's own functions; run as a program of its own in a repository:

b4_review.py branch FOLDER BASE   applies the mails to a review branch, as the key `r` does: its change-id
b4_review.py check FOLDER ID      calls the checks that git's configuration names, as the key `c` does; JSON
"""

import argparse
import io
import json
import sys
import tempfile
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import EmailPolicy
from pathlib import Path
from typing import Any

import b4
import b4.review
from b4.review import checks


def mails(folder: str) -> list[EmailMessage]:
    """The mails that `b4 send -o` left, in the order of the series."""
    parser = BytesParser(EmailMessage, policy=EmailPolicy(utf8=True, cte_type="8bit", max_line_length=None))
    return [parser.parsebytes(path.read_bytes()) for path in sorted(Path(folder).glob("*.eml"))]


def branch(folder: str, base: str) -> str:
    box = b4.LoreMailbox()
    for mail in mails(folder):
        box.add_message(mail)
    series = box.get_series()
    assert series is not None
    text = io.BytesIO()
    b4.save_git_am_mbox(series.get_am_ready(noaddtrailers=True), text)
    top = b4.git_get_toplevel()
    assert top is not None
    b4.git_fetch_am_into_repo(top, ambytes=text.getvalue(), at_base=base, am_flags=["-3"])
    link = "https://example.org/r/%s"
    b4.review.create_review_branch(top, f"b4/review/{series.change_id}", base, series, link % 1, link)
    return str(series.change_id)


def check(folder: str, change_id: str) -> str:
    """As `_fetch_and_check` of b4's review_tui/_common.py: the tracking goes to a file that the environment names."""
    top = b4.git_get_toplevel()
    assert top is not None
    _cover, tracking = b4.review.load_tracking(top, f"b4/review/{change_id}")
    per_patch, per_series = checks.load_check_cmds()
    cover, *patches = ((str(mail["message-id"]), mail) for mail in mails(folder))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(tracking, file)
        file.flush()
        extra = {"B4_TRACKING_FILE": file.name}
        told: list[list[dict[str, Any]]] = [
            checks.run_perpatch_checks([item], per_patch, top, extra_env=extra)[item[0]] for item in patches
        ]
        whole = checks.run_series_checks(cover, per_series, top, extra_env=extra)
    return json.dumps({"patches": told, "series": whole})


if __name__ == "__main__":
    b4.can_network = False
    b4.setup_config(argparse.Namespace(config={}))
    print({"branch": branch, "check": check}[sys.argv[1]](sys.argv[2], sys.argv[3]))
