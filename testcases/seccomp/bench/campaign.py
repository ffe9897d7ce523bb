# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's own parts of the campaign."""

from testcases.measured import CampaignPart
from testcases.seccomp.bench.coverage import coverage

PARTS: dict[str, CampaignPart] = {"coverage": coverage}
