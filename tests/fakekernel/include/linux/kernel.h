/* SPDX-License-Identifier: GPL-2.0-or-later */
#define KERNEL_ANSWER 42
int check_nr(int nr);
