// SPDX-License-Identifier: GPL-2.0-or-later
#include <generated/compile.h>

const char banner[] = "Linux 5.10.0 " BANNER " from " __FILE__;
