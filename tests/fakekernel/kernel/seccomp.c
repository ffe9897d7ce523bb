// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kernel.h>
#include <linux/seccomp.h>

int check_nr(int nr)
{
#ifdef CONFIG_CACHE
	return nr & SECCOMP_MASK;
#else
	return nr;
#endif
}
