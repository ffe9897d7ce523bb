// SPDX-License-Identifier: GPL-2.0-or-later
/* Encodes the records and hands them to the host, never waiting for ever. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "records.h"
#include "system.h"

#define HEADER 9
#define QUEUE 1024	/* buffers of a port at most: VIRTQUEUE_MAX_SIZE of QEMU, which virtio-mmio lets the guest have */

enum type {
	TYPE_HELLO = 1,
	TYPE_START = 2,
	TYPE_OUTPUT = 3,
	TYPE_EXIT = 4,
	TYPE_HEARTBEAT = 5,
	TYPE_FILE = 6,
	TYPE_END = 7,
	TYPE_NOTE = 8,
	TYPE_TAINT = 9,
	TYPE_WAITING = 10,
};

static int channel = -1;
static uint8_t buffer[RECORDS_CHUNK + 8192];
static size_t used;	/* bytes that wait to be sent */
static size_t begun;	/* where the record that is being written starts */
static uint32_t crc_table[256];
static uint64_t beat_interval;
static uint64_t beat_due;
static uint64_t waited;

/* CRC-32 as in zlib and Ethernet: reflected polynomial 0xedb88320. */
static void crc_prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
		crc_table[i] = value;
	}
}

static uint32_t crc(const uint8_t *data, size_t size)
{
	uint32_t value = UINT32_MAX;

	while (size--)
		value = value >> 8 ^ crc_table[(value ^ *data++) & 0xff];
	return ~value;
}

void records_open(int fd)
{
	crc_prepare();
	channel = fd;
}

/* Waits a moment. False without a host: with none at the other end a port only says POLLHUP, and says it at once. */
static bool wait_writable(void)
{
	struct pollfd want = { .fd = channel, .events = POLLOUT };
	uint64_t began = now_ns();
	bool alone = poll(&want, 1, 100) > 0 && !(want.revents & POLLOUT);

	if (alone)
		sleep_ns(10 * 1000000);
	waited += now_ns() - began;
	return !alone;
}

void records_flush(void)
{
	uint64_t taken = now_ns();
	size_t done = 0;

	while (done < used) {
		ssize_t wrote = write(channel, buffer + done, used - done);

		if (wrote > 0) {
			done += wrote;
			taken = now_ns();
		} else if (wrote < 0 && errno != EAGAIN && errno != EINTR) {
			die("the result channel cannot be written: %s", strerror(errno));
		} else if (now_ns() - taken >= (wait_writable() ? RECORDS_STOPPED_NS : RECORDS_PATIENCE_NS)) {
			die("the host does not read the result channel");
		}
	}
	used = 0;
}

uint64_t records_waited_ns(void)
{
	return waited;
}

/* A record is: begin(), any number of put_…(), finish(). Its payload never passes RECORDS_CHUNK + 4096 bytes. */
static bool begin(enum type type)
{
	if (channel < 0)
		return false;
	begun = used;
	used += HEADER;
	buffer[begun + HEADER - 1] = type;
	return true;
}

static void put(const void *data, size_t size)
{
	memcpy(buffer + used, data, size);
	used += size;
}

static void put_number(uint64_t value, size_t size)
{
	while (size--) {
		buffer[used++] = value;
		value >>= 8;
	}
}

static void finish(void)
{
	size_t end = used;
	uint32_t sum = crc(buffer + begun + HEADER - 1, end - begun - HEADER + 1);

	used = begun;
	put_number(end - begun - HEADER, 4);
	put_number(sum, 4);
	used = end;
}

/* Makes sure that a record with a payload of so many bytes fits. */
static void make_room(size_t payload)
{
	if (used + HEADER + payload > sizeof(buffer))
		records_flush();
}

void record_hello(const char *nonce, uint32_t steps)
{
	make_room(6 + strlen(nonce));
	if (!begin(TYPE_HELLO))
		return;
	put_number(RECORDS_VERSION, 2);
	put_number(steps, 4);
	put(nonce, strlen(nonce));
	finish();
}

void record_start(uint32_t step)
{
	make_room(4);
	if (!begin(TYPE_START))
		return;
	put_number(step, 4);
	finish();
}

void record_output(uint32_t step, uint8_t stream, const void *data, size_t size)
{
	make_room(5 + size);
	if (!begin(TYPE_OUTPUT))
		return;
	put_number(step, 4);
	put_number(stream, 1);
	put(data, size);
	finish();
}

void record_exit(uint32_t step, enum how how, int32_t value, uint64_t ns)
{
	make_room(17);
	if (!begin(TYPE_EXIT))
		return;
	put_number(step, 4);
	put_number(how, 1);
	put_number((uint32_t)value, 4);
	put_number(ns, 8);
	finish();
}

void record_file(uint32_t step, const char *name, const void *data, size_t size)
{
	size_t length = strnlen(name, 4000);

	make_room(6 + length + size);
	if (!begin(TYPE_FILE))
		return;
	put_number(step, 4);
	put_number(length, 2);
	put(name, length);
	put(data, size);
	finish();
}

void record_taint(uint64_t word)
{
	make_room(8);
	if (!begin(TYPE_TAINT))
		return;
	put_number(word, 8);
	finish();
}

void record_end(const char *nonce)
{
	make_room(strlen(nonce));
	if (!begin(TYPE_END))
		return;
	put(nonce, strlen(nonce));
	finish();
}

void record_waiting(void)
{
	make_room(0);
	if (begin(TYPE_WAITING))
		finish();
}

void record_note(uint32_t step, const char *format, ...)
{
	char text[4000];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= sizeof(text))
		length = sizeof(text) - 1;
	make_room(4 + length);
	if (!begin(TYPE_NOTE))
		return;
	put_number(step, 4);
	put(text, length);
	finish();
}

void heartbeat_every(uint64_t ns)
{
	beat_interval = ns;
	beat_due = now_ns() + ns;
}

static void sign_of_life(uint64_t now)
{
	make_room(8);
	if (!begin(TYPE_HEARTBEAT))
		return;
	put_number(now, 8);
	finish();
	records_flush();
}

uint64_t heartbeat(uint64_t now)
{
	if (!beat_interval)
		return 3600 * 1000000000ull;
	if (now < beat_due)
		return beat_due - now;
	beat_due = now + beat_interval;
	sign_of_life(now);
	return beat_interval;
}

static bool host_answers(uint64_t until)
{
	struct pollfd want = { .fd = channel, .events = POLLIN };
	char answer;

	while (read(channel, &answer, 1) != 1) {
		uint64_t now = now_ns();

		if (now >= until)
			return false;
		poll(&want, 1, 1 + (until - now) / 1000000);
	}
	return true;
}

void records_push_out(uint64_t answer_ns)
{
	if (channel < 0 || !answer_ns || host_answers(now_ns() + answer_ns))
		return;
	for (int i = 0; i < QUEUE; i++)
		sign_of_life(now_ns());
}
