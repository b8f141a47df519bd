// SPDX-License-Identifier: Apache-2.0
/*
 * wire - a link between two TAP devices (layer3=1: TUN devices) that delays, loses, duplicates and reorders packets, for
 * kernels without netem.
 *
 *   wire LEFT_NETNS LEFT_NAME RIGHT_NETNS RIGHT_NAME [key=value]...
 *     delay_us reverse_delay_us jitter_us rate_kbit loss_ppm seed drop_every duplicate_every reorder_every reorder_us layer3
 *
 * Both directions are treated alike (but for reverse_delay_us), each with a generator of its own: the n-th packet has the
 * same fate in every run.
 * Frames that carry no IP, multicast and neighbour discovery are only delayed, and counted as "other". Jitter keeps the
 * order; reordering holds every n-th packet back by reorder_us. Prints "up", then one line of JSON for every line on
 * standard input, and one at the end (SIGTERM or end of input).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FRAME = 65536, MAX_QUEUED = 65536, BURST = 64 };

struct settings {
	uint64_t delay_us, reverse_delay_us, jitter_us, rate_kbit, loss_ppm, seed;
	uint64_t drop_every, duplicate_every, reorder_every, reorder_us, layer3;
};

struct frame {
	struct frame *next;
	uint64_t due_ns;
	size_t length;
	bool subject;
	unsigned char bytes[];
};

struct queue {
	struct frame *head, **tail;
	uint64_t last_due_ns;
};

struct direction {
	const char *name;
	int in, out;
	uint64_t delay_us, random_state, line_free_ns;
	struct queue straight, held; /* each in the order of due times */
	uint64_t queued;
	uint64_t seen, other, dropped, duplicated, reordered, overflowed, unsent, passed;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* SplitMix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static int open_device(const char *netns, const char *name, bool layer3)
{
	struct ifreq request = { .ifr_flags = (layer3 ? IFF_TUN : IFF_TAP) | IFF_NO_PI };
	int ns = open(netns, O_RDONLY | O_CLOEXEC);
	int device;

	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(netns);
	close(ns);
	device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (device < 0)
		die("/dev/net/tun");
	if (strlen(name) >= IFNAMSIZ) {
		errno = ENAMETOOLONG;
		die(name);
	}
	strcpy(request.ifr_name, name);
	if (ioctl(device, TUNSETIFF, &request))
		die(name);
	return device;
}

/* Unicast IP, but not neighbour discovery: what the rules are about */
static bool is_subject(const unsigned char *f, size_t length, bool layer3)
{
	if (layer3 && length >= 20 && f[0] >> 4 == 4)
		return f[16] >> 4 != 14;
	if (layer3)
		return length >= 41 && f[0] >> 4 == 6 && f[24] != 0xff && !(f[6] == 58 && f[40] >= 133 && f[40] <= 137);
	if (length < 34 || f[0] & 1)
		return false;
	if (f[12] == 0x08 && f[13] == 0x00)
		return true;
	if (f[12] != 0x86 || f[13] != 0xdd || length < 55)
		return false;
	return !(f[20] == 58 && f[54] >= 133 && f[54] <= 137);
}

static void enqueue(struct direction *d, struct queue *q, const unsigned char *bytes, size_t length, uint64_t due_ns,
		    bool subject)
{
	struct frame *f;

	if (d->queued >= MAX_QUEUED || !(f = malloc(sizeof(*f) + length))) {
		d->overflowed++;
		return;
	}
	if (due_ns < q->last_due_ns)
		due_ns = q->last_due_ns;
	q->last_due_ns = due_ns;
	*f = (struct frame){ .due_ns = due_ns, .length = length, .subject = subject };
	memcpy(f->bytes, bytes, length);
	*q->tail = f;
	q->tail = &f->next;
	d->queued++;
}

static void take(struct direction *d, const struct settings *s, const unsigned char *bytes, size_t length)
{
	uint64_t due = now_ns();
	bool hold = false;
	int copies = 1;

	if (s->rate_kbit) {
		if (d->line_free_ns < due)
			d->line_free_ns = due;
		d->line_free_ns += length * 8 * 1000000 / s->rate_kbit;
		due = d->line_free_ns;
	}
	due += d->delay_us * 1000;
	if (!is_subject(bytes, length, s->layer3)) {
		d->other++;
		enqueue(d, &d->straight, bytes, length, due, false);
		return;
	}
	d->seen++;
	uint64_t chance = next_random(&d->random_state);
	if ((s->drop_every && d->seen % s->drop_every == 0) || (s->loss_ppm && chance % 1000000 < s->loss_ppm)) {
		d->dropped++;
		return;
	}
	if (s->jitter_us)
		due += next_random(&d->random_state) % (s->jitter_us * 1000 + 1);
	if (s->duplicate_every && d->seen % s->duplicate_every == 0) {
		d->duplicated++;
		copies = 2;
	}
	if (s->reorder_every && d->seen % s->reorder_every == 0) {
		d->reordered++;
		hold = true;
		due += s->reorder_us * 1000;
	}
	while (copies--)
		enqueue(d, hold ? &d->held : &d->straight, bytes, length, due, true);
}

/* Sends what is due; returns when the next frame is, or UINT64_MAX. */
static uint64_t send_due(struct direction *d)
{
	for (;;) {
		struct queue *q = &d->straight;

		if (d->held.head && (!q->head || d->held.head->due_ns < q->head->due_ns))
			q = &d->held;
		if (!q->head)
			return UINT64_MAX;
		if (q->head->due_ns > now_ns())
			return q->head->due_ns;
		struct frame *f = q->head;
		bool sent = write(d->out, f->bytes, f->length) == (ssize_t)f->length;
		d->passed += f->subject && sent;
		d->unsent += f->subject && !sent;
		q->head = f->next;
		if (!q->head)
			q->tail = &q->head;
		d->queued--;
		free(f);
	}
}

static void print_direction(const struct direction *d)
{
	printf("\"%s\":{\"seen\":%" PRIu64 ",\"other\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"duplicated\":%" PRIu64
	       ",\"reordered\":%" PRIu64 ",\"overflowed\":%" PRIu64 ",\"unsent\":%" PRIu64 ",\"passed\":%" PRIu64
	       ",\"queued\":%" PRIu64 "}",
	       d->name, d->seen, d->other, d->dropped, d->duplicated, d->reordered, d->overflowed, d->unsent, d->passed,
	       d->queued);
}

static void print_state(const struct direction d[2])
{
	putchar('{');
	print_direction(&d[0]);
	putchar(',');
	print_direction(&d[1]);
	puts("}");
	fflush(stdout);
}

static void set(struct settings *s, const char *argument)
{
	static const struct {
		const char *name;
		size_t offset;
	} known[] = {
#define KNOWN(field) { #field, offsetof(struct settings, field) }
		KNOWN(delay_us),   KNOWN(reverse_delay_us), KNOWN(jitter_us),	  KNOWN(rate_kbit),  KNOWN(loss_ppm),
		KNOWN(seed),	   KNOWN(drop_every),	    KNOWN(duplicate_every), KNOWN(reorder_every), KNOWN(reorder_us),
		KNOWN(layer3),
	};
	const char *value = strchr(argument, '=');

	for (size_t i = 0; value && i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) != (size_t)(value - argument) ||
		    strncmp(known[i].name, argument, (size_t)(value - argument)) != 0)
			continue;
		*(uint64_t *)((char *)s + known[i].offset) = strtoull(value + 1, NULL, 10);
		return;
	}
	fprintf(stderr, "wire: unknown setting %s\n", argument);
	exit(2);
}

int main(int argc, char **argv)
{
	static unsigned char buffer[MAX_FRAME];
	struct settings settings = { .reverse_delay_us = UINT64_MAX };
	struct direction d[2] = { { .name = "forward" }, { .name = "reverse" } };

	if (argc < 5) {
		fprintf(stderr, "usage: wire LEFT_NETNS LEFT_NAME RIGHT_NETNS RIGHT_NAME [key=value]...\n");
		return 2;
	}
	for (int i = 5; i < argc; i++)
		set(&settings, argv[i]);
	int left = open_device(argv[1], argv[2], settings.layer3);
	int right = open_device(argv[3], argv[4], settings.layer3);
	for (int i = 0; i < 2; i++) {
		d[i].in = i ? right : left;
		d[i].out = i ? left : right;
		d[i].delay_us = i && settings.reverse_delay_us != UINT64_MAX ? settings.reverse_delay_us : settings.delay_us;
		d[i].random_state = settings.seed * 2 + (uint64_t)i;
		d[i].straight.tail = &d[i].straight.head;
		d[i].held.tail = &d[i].held.head;
	}
	prctl(PR_SET_TIMERSLACK, 1ul);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	puts("up");
	fflush(stdout);
	while (!ended) {
		uint64_t next = send_due(&d[0]), other = send_due(&d[1]), now = now_ns();

		if (other < next)
			next = other;
		uint64_t left_ns = next <= now ? 0 : next - now;
		if (left_ns > 1000000000u)
			left_ns = 1000000000u;
		struct timespec pause = { .tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u) };
		struct pollfd watched[3] = { { left, POLLIN, 0 }, { right, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };

		if (ppoll(watched, 3, &pause, NULL) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			for (int n = 0; (watched[i].revents & POLLIN) && n < BURST; n++) {
				ssize_t length = read(d[i].in, buffer, sizeof(buffer));

				if (length <= 0)
					break;
				take(&d[i], &settings, buffer, (size_t)length);
			}
		}
		if (watched[2].revents) {
			ssize_t length = read(STDIN_FILENO, buffer, sizeof(buffer));

			if (length <= 0)
				break;
			for (ssize_t i = 0; i < length; i++)
				if (buffer[i] == '\n')
					print_state(d);
		}
	}
	print_state(d);
	return 0;
}
