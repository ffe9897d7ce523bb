// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/kernel.h>
#include <asm/thing.h>

int start_kernel(void)
{
	return KERNEL_ANSWER + ARCH_THING + check_nr(7);
}
