/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of the result channel; initramfs/records.py holds the format and reads them. */
#ifndef RIG_RECORDS_H
#define RIG_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#define RECORDS_VERSION 1
#define RECORDS_NO_STEP UINT32_MAX
#define RECORDS_CHUNK 65536	/* longest run of output or file bytes in one record */

enum how {
	HOW_EXITED = 1,
	HOW_SIGNALLED = 2,
	HOW_TIMEOUT = 3,
	HOW_NOT_STARTED = 4,
};

/*
 * All of these only fill a buffer; records_flush() sends it. Without a channel (a shell needs none) they do nothing.
 * A host that is not there for RECORDS_PATIENCE_NS ends the guest by way of die(). One that is there and does not read was
 * stopped (Ctrl-Z, a debugger), and is waited for as long as somebody may leave it so.
 */
#define RECORDS_PATIENCE_NS (30 * 1000000000ull)
#define RECORDS_STOPPED_NS (12 * 3600 * 1000000000ull)
void records_open(int fd);
void records_flush(void);

/*
 * Waits until all that was sent is out of the guest. A write is over when its buffer is in the queue of the device, and a
 * reset throws away what QEMU, whose reader may be slow, has not passed on by then. A host that has read the end marker
 * answers with a byte. If that does not come in so many ns, as many signs of life are sent as the queue takes: when they
 * are in it, all before them has left it. Does nothing with 0.
 */
void records_push_out(uint64_t answer_ns);

/* For how long records_flush() has waited for the host in all: no time of the step that runs. */
uint64_t records_waited_ns(void);

void record_hello(const char *nonce, uint32_t steps);
void record_start(uint32_t step);
void record_output(uint32_t step, uint8_t stream, const void *data, size_t size);
void record_exit(uint32_t step, enum how how, int32_t value, uint64_t ns);
void record_file(uint32_t step, const char *name, const void *data, size_t size);
void record_taint(uint64_t word);
void record_end(const char *nonce);
void record_waiting(void);
void record_note(uint32_t step, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Sends a sign of life (and whatever else waits) if one is due, and says in how many ns the next one is. The interval is
 * 0 until it is set: none is ever due.
 */
void heartbeat_every(uint64_t ns);
uint64_t heartbeat(uint64_t now);

#endif
