/* SPDX-License-Identifier: GPL-2.0-only */
#define SECCOMP_MASK 0xff
