// SPDX-License-Identifier: GPL-2.0-or-later
/* Does one thing to the guest that it runs in, named by its first argument. Its second is what to write, where it writes. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <time.h>
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

/* A line of it for each source of what no two guests may have in common. */
static int draw(void)
{
	static const char *const files[] = { "/proc/sys/kernel/random/uuid", "/proc/sys/kernel/random/boot_id" };
	char text[64] = "";
	unsigned long words[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		FILE *file = fopen(files[i], "r");

		printf("%s", file ? fgets(text, sizeof(text), file) : files[i]);
	}
	if (getrandom(words, sizeof(words), 0) != sizeof(words))
		return 1;
	printf("%lx %lx\n", words[0], words[1]);
	memcpy(words, (void *)getauxval(AT_RANDOM), sizeof(words));
	printf("%lx %lx\n", words[0], words[1]);
	printf("stack %p\n", (void *)words);
	printf("vdso %lx\n", getauxval(AT_SYSINFO_EHDR));
	return 0;
}

/* Seconds since 1970, with their fraction. */
static int tell_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printf("%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "", *text = argc > 2 ? argv[2] : "";

	printf("%s %s\n", what, text);
	fflush(stdout);
	if (!strcmp(what, "sysrq") || !strcmp(what, "lkdtm") || !strcmp(what, "reset") || !strcmp(what, "power-off"))
		usleep(200000);	/* init has sent the line on before the machine is gone */
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
	if (!strcmp(what, "draw"))
		return draw();
	if (!strcmp(what, "clock"))
		return tell_time();
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
