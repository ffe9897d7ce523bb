/* SPDX-License-Identifier: GPL-2.0-or-later */
#define SECCOMP_MASK 0xff
