// SPDX-License-Identifier: GPL-2.0-or-later
/* The least that an init can do: end the machine. microvm without ACPI has no power-off, but QEMU ends at a reset. */
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	reboot(RB_AUTOBOOT);
	_exit(1);
}
