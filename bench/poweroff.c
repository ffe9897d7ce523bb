// SPDX-License-Identifier: GPL-2.0-only
/* The least that an init can do: end the machine. What a boot costs without the rig. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	_exit(1);
}
