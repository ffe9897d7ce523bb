/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RIG_PORT_H
#define RIG_PORT_H

#include <stdint.h>

/* Opens the virtio-serial port of this name, waiting up to `patience_ns` for it. Returns the descriptor, or -1 and errno
 * (ENXIO: no port has the name). */
int port_open(const char *name, uint64_t patience_ns);

#endif
