// SPDX-License-Identifier: Apache-2.0
/*
 * frames - sends given Ethernet frames from an interface, in turn, exactly N in all.
 *
 *   frames DEVICE [count=N] [rate=FRAMES_PER_SECOND]       (rate 0: as fast as it goes)
 *
 * Frames come on standard input, one a line in hexadecimal, from the destination address to the end of the payload. They
 * leave through the interface's queue and its egress programs, as a packet of the host's own does. Prints one line of
 * JSON at its end.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MIN_FRAME = 14, MAX_FRAME = 2048, MAX_FRAMES = 1024 };

static unsigned char frames[MAX_FRAMES][MAX_FRAME];
static size_t lengths[MAX_FRAMES];
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void refuse(const char *what)
{
	fprintf(stderr, "frames: %s\n", what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t read_frames(void)
{
	static char line[2 * MAX_FRAME + 2];
	size_t n = 0;

	while (fgets(line, sizeof(line), stdin)) {
		size_t digits = strcspn(line, "\n");

		if (n == MAX_FRAMES)
			refuse("too many frames");
		if (digits % 2 || digits / 2 < MIN_FRAME || digits / 2 > MAX_FRAME)
			refuse("a frame has 14 to 2048 octets");
		for (size_t i = 0; i < digits / 2; i++)
			if (sscanf(line + 2 * i, "%2hhx", &frames[n][i]) != 1)
				refuse("not hexadecimal");
		lengths[n++] = digits / 2;
	}
	if (!n)
		refuse("no frames");
	return n;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	uint64_t count = 1, rate = 0, sent = 0, retried = 0, begin, end;
	size_t n;
	int fd;

	if (argc < 2)
		refuse("usage: frames DEVICE [count=N] [rate=FRAMES_PER_SECOND]");
	for (int i = 2; i < argc; i++)
		if (sscanf(argv[i], "count=%" SCNu64, &count) != 1 && sscanf(argv[i], "rate=%" SCNu64, &rate) != 1)
			refuse(argv[i]);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	n = read_frames();
	at.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (!at.sll_ifindex)
		die(argv[1]);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: receives nothing */
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)))
		die("socket");
	begin = now_ns();
	for (uint64_t i = 0; i < count && !ended; i++) {
		if (rate) {
			uint64_t due = begin + i * 1000000000u / rate;
			struct timespec t = { .tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u) };

			if (due > now_ns() + 50000)
				clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		}
		while (send(fd, frames[i % n], lengths[i % n], 0) < 0) {
			if (errno != ENOBUFS && errno != EAGAIN)
				die("send");
			retried++;
			usleep(100);
		}
		sent++;
	}
	end = now_ns();
	printf("{\"sent\":%" PRIu64 ",\"retried\":%" PRIu64 ",\"seconds\":%.6f}\n", sent, retried,
	       (double)(end - begin) / 1e9);
	return 0;
}
