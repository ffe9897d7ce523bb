# SPDX-License-Identifier: GPL-2.0-or-later
"""Writers for other programs: JUnit, JSON, KCIDB, KTAP, LCOV and Cobertura, b4."""
