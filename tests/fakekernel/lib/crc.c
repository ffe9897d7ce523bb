// SPDX-License-Identifier: GPL-2.0-or-later
#include "table.h"
#include "limits.h"

int crc(int index)
{
	return table[index % LIMIT];
}
