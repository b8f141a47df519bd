// SPDX-License-Identifier: Apache-2.0
/*
 * datagrams - sends exactly N numbered UDP datagrams, or counts them.
 *
 *   datagrams send ADDRESS PORT [key=value]...
 *     count rate size tos ttl flows from_port may_fragment    (rate in datagrams/s, 0: as fast as it goes)
 *   datagrams receive ADDRESS PORT
 *
 * Payload: "WMDG", flow (u32), sequence (u64), both in network order. With flows=F, datagram i belongs to flow i mod F
 * and leaves from port from_port + flow. The sender prints one line of JSON at its end. The receiver prints "ready",
 * then its counts for every line on standard input, and once more at the end (SIGTERM or end of input).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 16, MAX_SIZE = 65507, MAX_FLOWS = 4096, BATCH = 64, MAX_SEQUENCE = 1 << 24 };

struct settings {
	uint64_t count, rate, size, tos, ttl, flows, from_port, may_fragment;
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "datagrams: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static socklen_t parse_address(const char *text, const char *port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (void *)address;
	struct sockaddr_in6 *v6 = (void *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		return sizeof(*v6);
	}
	fprintf(stderr, "datagrams: %s is no address\n", text);
	exit(2);
}

static void option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("setsockopt");
}

static int open_sender(const struct sockaddr_storage *to, socklen_t length, const struct settings *s, uint64_t flow)
{
	bool v6 = to->ss_family == AF_INET6;
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, (int)s->tos);
	if (s->ttl)
		option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, (int)s->ttl);
	if (s->may_fragment && !v6)
		option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	if (s->from_port) {
		struct sockaddr_storage from;
		socklen_t from_length;
		char port[8];

		snprintf(port, sizeof(port), "%u", (unsigned)(uint16_t)(s->from_port + flow));
		from_length = parse_address(v6 ? "::" : "0.0.0.0", port, &from);
		if (bind(fd, (void *)&from, from_length))
			die("bind");
	}
	if (connect(fd, (const void *)to, length))
		die("connect");
	return fd;
}

static int send_all(const char *address, const char *port, struct settings *s)
{
	static unsigned char payload[MAX_SIZE];
	static int sockets[MAX_FLOWS];
	struct sockaddr_storage to;
	socklen_t length = parse_address(address, port, &to);
	uint64_t sent = 0, refused = 0, begin, end;

	if (!s->flows)
		s->flows = 1;
	if (s->size < HEADER || s->size > MAX_SIZE || s->flows > MAX_FLOWS) {
		fprintf(stderr, "datagrams: size %d..%d, flows up to %d\n", HEADER, MAX_SIZE, MAX_FLOWS);
		return 2;
	}
	for (uint64_t flow = 0; flow < s->flows; flow++)
		sockets[flow] = open_sender(&to, length, s, flow);
	memcpy(payload, "WMDG", 4);
	begin = now_ns();
	for (uint64_t i = 0; i < s->count && !ended; i++) {
		uint32_t flow = (uint32_t)(i % s->flows);
		uint64_t sequence = i / s->flows;
		uint32_t words[3] = { htonl(flow), htonl((uint32_t)(sequence >> 32)), htonl((uint32_t)sequence) };

		if (s->rate) {
			uint64_t due = begin + i * 1000000000u / s->rate;
			struct timespec t = { .tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u) };

			if (due > now_ns() + 50000)
				clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		}
		memcpy(payload + 4, words, sizeof(words));
		for (;;) {
			if (send(sockets[flow], payload, s->size, 0) >= 0) {
				sent++;
				break;
			}
			/* an ICMP error of an earlier datagram is told here; the datagram itself was not sent */
			if (errno == ENOBUFS || errno == EAGAIN || errno == ECONNREFUSED) {
				refused++;
				if (errno != ECONNREFUSED)
					usleep(100);
				continue;
			}
			die("send");
		}
	}
	end = now_ns();
	printf("{\"sent\":%" PRIu64 ",\"retried\":%" PRIu64 ",\"seconds\":%.6f}\n", sent, refused,
	       (double)(end - begin) / 1e9);
	return 0;
}

struct counts {
	uint64_t received, unique, duplicates, reordered, foreign, socket_drops, bytes;
	uint64_t by_tos[256];
	int ttl_min, ttl_max;
};

static uint8_t *seen[MAX_FLOWS];
static uint64_t next_sequence[MAX_FLOWS];

static void account(struct counts *c, const unsigned char *p, size_t length)
{
	uint32_t flow, high, low;

	c->received++;
	c->bytes += length;
	if (length < HEADER || memcmp(p, "WMDG", 4) != 0) {
		c->foreign++;
		return;
	}
	memcpy(&flow, p + 4, 4);
	memcpy(&high, p + 8, 4);
	memcpy(&low, p + 12, 4);
	flow = ntohl(flow);
	low = ntohl(low);
	if (high || flow >= MAX_FLOWS || low >= MAX_SEQUENCE) {
		c->foreign++;
		return;
	}
	if (!seen[flow] && !(seen[flow] = calloc(MAX_SEQUENCE / 8, 1)))
		die("calloc");
	if (seen[flow][low / 8] & (1u << (low % 8))) {
		c->duplicates++;
		return;
	}
	seen[flow][low / 8] |= (uint8_t)(1u << (low % 8));
	c->unique++;
	if (low < next_sequence[flow])
		c->reordered++;
	else
		next_sequence[flow] = low + 1;
}

static void print_counts(const struct counts *c)
{
	const char *comma = "";

	printf("{\"received\":%" PRIu64 ",\"unique\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"reordered\":%" PRIu64
	       ",\"foreign\":%" PRIu64 ",\"socketDrops\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"ttlMin\":%d,\"ttlMax\":%d,\"byTos\":{",
	       c->received, c->unique, c->duplicates, c->reordered, c->foreign, c->socket_drops, c->bytes, c->ttl_min,
	       c->ttl_max);
	for (int tos = 0; tos < 256; tos++) {
		if (!c->by_tos[tos])
			continue;
		printf("%s\"%d\":%" PRIu64, comma, tos, c->by_tos[tos]);
		comma = ",";
	}
	puts("}}");
	fflush(stdout);
}

static void read_control(struct counts *c, struct msghdr *message)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
		int value = 0;

		if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SO_RXQ_OVFL) {
			uint32_t drops;

			memcpy(&drops, CMSG_DATA(m), sizeof(drops));
			c->socket_drops = drops;
		} else if (m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_TOS) {
			c->by_tos[*CMSG_DATA(m)]++;
		} else if (m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_TCLASS) {
			memcpy(&value, CMSG_DATA(m), sizeof(value));
			c->by_tos[value & 255]++;
		} else if ((m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_TTL) ||
			   (m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&value, CMSG_DATA(m), sizeof(value));
			if (value < c->ttl_min)
				c->ttl_min = value;
			if (value > c->ttl_max)
				c->ttl_max = value;
		}
	}
}

static int receive_all(const char *address, const char *port)
{
	static unsigned char payloads[BATCH][2048];
	static char controls[BATCH][128];
	struct counts counts = { .ttl_min = 256, .ttl_max = -1 };
	struct sockaddr_storage at;
	socklen_t length = parse_address(address, port, &at);
	bool v6 = at.ss_family == AF_INET6;
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20);
	option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVTCLASS : IP_RECVTOS, 1);
	option(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
	if (bind(fd, (void *)&at, length))
		die("bind");
	puts("ready");
	fflush(stdout);
	while (!ended) {
		struct pollfd watched[2] = { { fd, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
		struct mmsghdr messages[BATCH];
		struct iovec vectors[BATCH];

		if (poll(watched, 2, -1) <= 0)
			continue;
		if (watched[0].revents) {
			for (int i = 0; i < BATCH; i++) {
				vectors[i] = (struct iovec){ payloads[i], sizeof(payloads[i]) };
				messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &vectors[i],
									     .msg_iovlen = 1,
									     .msg_control = controls[i],
									     .msg_controllen = sizeof(controls[i]) } };
			}
			int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
			for (int i = 0; i < n; i++) {
				read_control(&counts, &messages[i].msg_hdr);
				account(&counts, payloads[i], messages[i].msg_len);
			}
			if (n > 0)
				continue; /* questions are answered when everything that is here is counted */
		}
		if (watched[1].revents) {
			char text[256];
			ssize_t got = read(STDIN_FILENO, text, sizeof(text));

			if (got <= 0)
				break;
			for (ssize_t i = 0; i < got; i++)
				if (text[i] == '\n')
					print_counts(&counts);
		}
	}
	print_counts(&counts);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings s = { .count = 1, .size = 64 };

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (argc == 4 && strcmp(argv[1], "receive") == 0)
		return receive_all(argv[2], argv[3]);
	if (argc < 4 || strcmp(argv[1], "send") != 0) {
		fprintf(stderr, "usage: datagrams send|receive ADDRESS PORT [key=value]...\n");
		return 2;
	}
	for (int i = 4; i < argc; i++) {
		const char *value = strchr(argv[i], '=');
		struct {
			const char *name;
			uint64_t *to;
		} known[] = { { "count", &s.count }, { "rate", &s.rate },   { "size", &s.size },
			      { "tos", &s.tos },     { "ttl", &s.ttl },	    { "flows", &s.flows },
			      { "from_port", &s.from_port }, { "may_fragment", &s.may_fragment } };
		size_t k, n = sizeof(known) / sizeof(known[0]);

		for (k = 0; value && k < n; k++) {
			size_t name = (size_t)(value - argv[i]);

			if (strlen(known[k].name) == name && strncmp(known[k].name, argv[i], name) == 0) {
				*known[k].to = strtoull(value + 1, NULL, 10);
				break;
			}
		}
		if (!value || k == n) {
			fprintf(stderr, "datagrams: unknown setting %s\n", argv[i]);
			return 2;
		}
	}
	return send_all(argv[2], argv[3], &s);
}
