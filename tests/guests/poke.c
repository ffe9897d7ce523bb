// SPDX-License-Identifier: GPL-2.0-or-later
/* Does one thing to the guest that it runs in, named by its first argument. Its second is what to write, where it writes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *text = argc > 2 ? argv[2] : "";

	printf("%s %s\n", what, text);
	fflush(stdout);
	if (!strcmp(what, "sysrq"))
		return put("/proc/sysrq-trigger", text);
	if (!strcmp(what, "lkdtm"))
		return put("/sys/kernel/debug/provoke-crash/DIRECT", text);
	if (!strcmp(what, "kmsg"))
		return put("/dev/kmsg", text);
	if (!strcmp(what, "reset"))
		return reboot(RB_AUTOBOOT);
	if (!strcmp(what, "power-off"))
		return reboot(RB_POWER_OFF);
	if (!strcmp(what, "spin"))
		for (;;)
			;
	if (!strcmp(what, "beat")) {
		for (;;) {
			put("/dev/kmsg", "<6>poke: still here\n");
			usleep(200000);
		}
	}
	return 0;
}
