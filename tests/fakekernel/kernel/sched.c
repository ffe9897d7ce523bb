// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kernel.h>

static int never_used(void) /* a warning that every build has */
{
	return 1;
}

int schedule(void)
{
	return KERNEL_ANSWER;
}
