/* SPDX-License-Identifier: GPL-2.0-only */
#define ARCH_THING 86
