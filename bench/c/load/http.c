/* HTTP/1.1 with keep-alive: GET, and when the answer is whole, again. Status and length of each are read. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "traffic.h"

/* What has come of an answer. */
struct answer {
  size_t length;
  char bytes[16 * 1024];
};

static void open_http(struct traffic *t, struct peer *p) {
  p->fd = reach(t, p, true);
  p->answer = calloc(1, sizeof *p->answer);
  want(t, p, EPOLLIN);
}

static void fire_http(struct traffic *t, struct peer *p) {
  char request[128];
  int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", t->port);
  p->answer->length = 0;
  if (send(p->fd, request, length, MSG_NOSIGNAL) != length) fail("send: %s", strerror(errno));
}

/* The bytes of a whole answer, 0 when it is not whole. In chunks, nothing else follows: it ends where they end. */
static size_t whole(const struct answer *a) {
  const char *end = memmem(a->bytes, a->length, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  if (strncmp(a->bytes, "HTTP/1.1 200", 12) != 0) fail("the answer is %.12s", a->bytes);
  size_t head = end + 4 - a->bytes;
  for (const char *line = a->bytes; line < end; line = strstr(line, "\r\n") + 2) {
    if (strncasecmp(line, "content-length:", 15) == 0) {
      size_t all = head + strtoul(line + 15, NULL, 10);
      return a->length >= all ? all : 0;
    }
    if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
      return memcmp(a->bytes + a->length - 5, "0\r\n\r\n", 5) == 0 ? a->length : 0;
    }
  }
  return head;
}

static void ready_http(struct traffic *t, struct peer *p, uint32_t events) {
  (void)events;
  struct answer *a = p->answer;
  ssize_t n = recv(p->fd, a->bytes + a->length, sizeof a->bytes - 1 - a->length, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) fail("the server has closed a connection");
  if (!p->busy) fail("an answer to nothing");
  a->bytes[a->length += n] = 0;
  size_t all = whole(a);
  if (all == 0) {
    if (a->length == sizeof a->bytes - 1) fail("an answer of more than 16 KiB");
    return;
  }
  if (a->length > all) fail("%zu bytes more than the answer", a->length - all);
  finish(t, p, 1);
}

const struct kind HTTP = {"http", open_http, fire_http, ready_http, NULL};
