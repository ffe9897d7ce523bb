// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kernel.h>

int null_driver(void)
{
	return DRIVER + KERNEL_ANSWER;
}
