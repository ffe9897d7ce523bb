// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int value;

	puts("static const int table[] = {");
	while (scanf("%d", &value) == 1)
		printf("\t%d,\n", value * (argc > 1 ? atoi(argv[1]) : 1));
	puts("};");
	return 0;
}
