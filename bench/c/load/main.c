/*
 * The load generator: a process of its own, told what to do by lines on stdin, whose words are between tabs.
 *
 *   open NAME transport=tcp port=7 path= kind=echo sockets=64 size=64 depth=1 rate=0   opens its sockets
 *   run MILLISECONDS PID,PID NAME …    one lap of all that are named, at once; the first is never kept waiting
 *   close NAME
 *
 * Each is answered by one line of JSON: {}, {"error":"…"}, or a lap:
 *
 *   {"ms":300.1,"cpu":123456,"loads":[{"messages":123,"p50":41.2,"p99":80.1,"max":95.0}]}
 *
 * `cpu` is what the processes have used meanwhile, all their threads, in nanoseconds; it is read with nothing under
 * way before and after, so that it and the count of messages belong together exactly. Latencies are microseconds.
 *
 * It is written in C so that nothing in it (a collector of garbage, a compiler that is warming up) has moods of its
 * own, and so that it is quicker than any server that it measures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "traffic.h"

/* What a server still does after its last answer belongs to the lap. */
#define SETTLE_US 10000
/* Answers that are late by this much have been lost. */
#define PATIENCE 5e9
/* Messages that may be due without a socket, at a fixed rate. */
#define LATEST (1 << 16)
/* Connections of one lap whose port is kept by the kernel for a second (TIME_WAIT): without a limit the laps would
   measure its search for a free one. */
#define MOST_CONNECTS 5000
#define FEW_CONNECTS 500
#define REST 1.2e9

static struct traffic *all;
static jmp_buf failed;
static char problem[256];
static uint64_t connects_ended;

void fail(const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(problem, sizeof problem, format, list);
  va_end(list);
  longjmp(failed, 1);
}

uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Latency. */

static void record(struct latency *l, uint64_t ns) {
  if (ns < FINE) ns = FINE;
  int octave = 63 - __builtin_clzll(ns);
  l->buckets[octave * FINE + ((ns >> (octave - 5)) & (FINE - 1))]++;
  l->count++;
}

/* Microseconds, in the middle of the bucket below which `part` of all are. */
static double quantile(const struct latency *l, double part) {
  uint64_t seen = 0, wanted = part * (l->count - 1) + 1;
  for (int i = 0; i < 64 * FINE; i++) {
    if ((seen += l->buckets[i]) < wanted) continue;
    return (1ull << (i / FINE)) * (1 + (i % FINE + 0.5) / FINE) / 1000;
  }
  return 0;
}

/* Sockets. */

int reach(struct traffic *t, struct peer *p, bool wait) {
  int fd = socket(t->address.ss_family, (t->datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | (wait ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) fail("socket: %s", strerror(errno));
  if (t->datagram && t->address.ss_family == AF_UNIX) {
    /* Without a name nobody could answer. */
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    if (snprintf(own.sun_path, sizeof own.sun_path, "%s.%d.%d", t->path, getpid(), (int)(p - t->peers)) >= (int)sizeof own.sun_path) fail("the path is too long");
    unlink(own.sun_path);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) < 0) fail("bind: %s", strerror(errno));
  }
  int on = 1;
  if (!t->datagram && t->address.ss_family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&t->address, t->address_length) < 0 && errno != EINPROGRESS) fail("connect: %s", strerror(errno));
  return fd;
}

void want(struct traffic *t, struct peer *p, uint32_t events) {
  if (p->wants == events) return;
  struct epoll_event event = {.events = events, .data.ptr = p};
  if (epoll_ctl(t->epoll, p->wants == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, p->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  p->wants = events;
}

/* Messages. */

static void begin(struct traffic *t, struct peer *p, uint64_t due) {
  p->busy = true;
  p->began = due;
  t->busy++;
  t->kind->fire(t, p);
}

void finish(struct traffic *t, struct peer *p, double messages) {
  uint64_t at = now();
  if (messages > 0) record(&t->latency, at - p->began);
  t->messages += messages;
  p->busy = false;
  t->busy--;
  if (t->kind == &CONNECT && t->messages + t->busy >= MOST_CONNECTS) t->over = true;
  if (t->over) return;
  if (t->timer < 0) begin(t, p, at);
  else if (t->late > 0) {
    uint64_t due = t->due[t->late_first++ % LATEST];
    t->late--;
    begin(t, p, due);
  }
}

/* At a fixed rate: begins what is due on sockets that are free; its latency counts from when it was due. */
static void due(struct traffic *t) {
  uint64_t times;
  if (read(t->timer, &times, sizeof times) != sizeof times || t->over) return;
  uint64_t at = now();
  for (int i = 0; i < t->sockets && times > 0; i++) {
    if (t->peers[i].busy) continue;
    begin(t, &t->peers[i], at);
    times--;
  }
  for (; times > 0; times--) {
    if (t->late == LATEST) fail("the server is far slower than the rate");
    t->due[(t->late_first + t->late++) % LATEST] = at;
  }
}

/* One look at the sockets of a traffic. */
static void turn(struct traffic *t, int timeout, struct traffic *first) {
  struct epoll_event events[64];
  int n = epoll_wait(t->epoll, events, 64, timeout);
  for (int i = 0; i < n; i++) {
    struct peer *p = events[i].data.ptr;
    if (p == NULL) due(t);
    else t->kind->ready(t, p, events[i].events);
    if (first != NULL) turn(first, 0, NULL);
  }
}

/* Commands. */

static struct traffic *find(const char *name) {
  for (struct traffic *t = all; t != NULL; t = t->next) {
    if (strcmp(t->name, name) == 0) return t;
  }
  fail("%s is not open", name);
}

static void address(struct traffic *t, const char *transport) {
  if (strncmp(transport, "unix", 4) == 0) {
    struct sockaddr_un *un = (struct sockaddr_un *)&t->address;
    un->sun_family = AF_UNIX;
    strcpy(un->sun_path, t->path);
    t->address_length = sizeof *un;
  } else {
    struct sockaddr_in *in = (struct sockaddr_in *)&t->address;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(t->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    t->address_length = sizeof *in;
  }
  t->datagram = strcmp(transport, "udp") == 0 || strcmp(transport, "unixgram") == 0;
}

static const struct kind *kind_of(const char *name, bool datagram) {
  const struct kind *kinds[] = {&ECHO, &BULK, &HTTP, &CONNECT};
  if (datagram) return &DATAGRAM;
  for (int i = 0; i < 4; i++) {
    if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
  }
  fail("there is no traffic %s", name);
}

static void open_traffic(char **words) {
  struct traffic *t = calloc(1, sizeof *t);
  t->next = all;
  all = t;
  char transport[16] = "tcp", kind[16] = "echo";
  if (*words != NULL) snprintf(t->name, sizeof t->name, "%s", *words++);
  for (; *words != NULL; words++) {
    char *value = strchr(*words, '=');
    if (value == NULL) fail("%s has no value", *words);
    *value++ = 0;
    if (strcmp(*words, "transport") == 0) snprintf(transport, sizeof transport, "%s", value);
    else if (strcmp(*words, "kind") == 0) snprintf(kind, sizeof kind, "%s", value);
    else if (strcmp(*words, "path") == 0) {
      if (snprintf(t->path, sizeof t->path, "%s", value) >= (int)sizeof t->path) fail("the path is too long");
    } else if (strcmp(*words, "port") == 0) t->port = atoi(value);
    else if (strcmp(*words, "sockets") == 0) t->sockets = atoi(value);
    else if (strcmp(*words, "size") == 0) t->size = atol(value);
    else if (strcmp(*words, "depth") == 0) t->depth = atoi(value);
    else if (strcmp(*words, "rate") == 0) t->rate = atof(value);
    else fail("there is no %s", *words);
  }
  address(t, transport);
  t->kind = kind_of(kind, t->datagram);
  size_t length = t->size * t->depth;
  t->bytes = malloc(length + 1);
  memset(t->bytes, '.', length);
  /* Each is two lines, too, for who reads lines. */
  for (size_t at = t->size; t->size > 0 && at <= length; at += t->size) {
    t->bytes[at - 1] = t->bytes[at - t->size / 2 - 1] = '\n';
  }
  t->epoll = epoll_create1(EPOLL_CLOEXEC);
  t->timer = t->rate > 0 ? timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC) : -1;
  if (t->timer >= 0) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->timer, &event);
    t->due = calloc(LATEST, sizeof *t->due);
  }
  t->peers = calloc(t->sockets, sizeof *t->peers);
  for (int i = 0; i < t->sockets; i++) t->peers[i].fd = -1;
  for (int i = 0; i < t->sockets; i++) t->kind->open(t, &t->peers[i]);
}

static void close_traffic(const char *name) {
  struct traffic *t = find(name);
  struct traffic **at = &all;
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  for (int i = 0; i < t->sockets && t->peers != NULL; i++) {
    if (t->peers[i].fd >= 0) close(t->peers[i].fd);
    free(t->peers[i].answer);
  }
  if (t->datagram) {
    char own[sizeof t->path + 32];
    for (int i = 0; i < t->sockets && t->path[0]; i++) {
      snprintf(own, sizeof own, "%s.%d.%d", t->path, getpid(), i);
      unlink(own);
    }
  }
  if (t->timer >= 0) close(t->timer);
  if (t->epoll > 0) close(t->epoll);
  free(t->peers);
  free(t->bytes);
  free(t->due);
  free(t);
}

/* CPU time of a process, of all its threads, those that have ended, too: nanoseconds. */
static uint64_t used(const char *pids) {
  uint64_t sum = 0;
  for (const char *at = pids; *at != 0; at += strcspn(at, ","), at += *at == ',') {
    clockid_t clock;
    struct timespec t;
    int error = clock_getcpuclockid(atoi(at), &clock);
    if (error != 0) fail("the CPU time of process %d: %s", atoi(at), strerror(error));
    if (clock_gettime(clock, &t) == 0) sum += t.tv_sec * 1000000000ull + t.tv_nsec;
  }
  return sum;
}

static void start(struct traffic *t) {
  t->over = false;
  t->busy = 0;
  t->messages = 0;
  t->late = t->late_first = 0;
  memset(&t->latency, 0, sizeof t->latency);
  if (t->timer >= 0) {
    long each = 1e9 / t->rate;
    struct timespec every = {each / 1000000000, each % 1000000000};
    struct itimerspec times = {every, every};
    timerfd_settime(t->timer, 0, &times, NULL);
    return;
  }
  uint64_t at = now();
  for (int i = 0; i < t->sockets; i++) begin(t, &t->peers[i], at);
}

static void end(struct traffic *t) {
  struct itimerspec never = {0};
  if (t->timer >= 0) timerfd_settime(t->timer, 0, &never, NULL);
  t->over = true;
  for (int i = 0; i < t->sockets && t->kind->over != NULL; i++) t->kind->over(t, &t->peers[i]);
}

/* All at once, until `ends`, then until the last answer is here. */
static void lap(struct traffic **set, int count, uint64_t ends) {
  bool over = false;
  for (int i = 0; i < count; i++) start(set[i]);
  for (;;) {
    uint64_t at = now();
    int busy = 0;
    bool stopped = true;
    for (int i = 0; i < count; i++) {
      busy += set[i]->busy;
      stopped = stopped && set[i]->over;
    }
    if (!over && (at >= ends || stopped)) {
      over = true;
      for (int i = 0; i < count; i++) end(set[i]);
      continue;
    }
    if (over && busy == 0) return;
    if (over && at > ends + PATIENCE) fail("%d sockets wait in vain for an answer", busy);
    int timeout = over ? 100 : (int)((ends - at) / 1000000) + 1;
    if (count == 1) turn(set[0], timeout, NULL);
    /* Several never sleep: who waits for an answer of the one is not to wait for the other's. */
    else for (int i = 0; i < count; i++) turn(set[i], 0, i > 0 ? set[0] : NULL);
  }
}

static void run(char **words) {
  if (words[0] == NULL || words[1] == NULL || words[2] == NULL) fail("run what?");
  double ms = atof(words[0]);
  const char *pids = words[1];
  struct traffic *set[8];
  int count = 0;
  bool connects = false;
  for (char **name = words + 2; *name != NULL && count < 8; name++) {
    set[count] = find(*name);
    connects = connects || set[count]->kind == &CONNECT;
    count++;
  }
  if (connects && connects_ended > 0 && connects_ended + REST > now()) usleep((connects_ended + REST - now()) / 1000);
  usleep(SETTLE_US);
  uint64_t before = used(pids), began = now();
  lap(set, count, began + ms * 1e6);
  uint64_t ended = now();
  for (int i = 0; i < count; i++) {
    if (set[i]->kind == &CONNECT && set[i]->messages > FEW_CONNECTS) connects_ended = ended;
  }
  usleep(SETTLE_US);
  printf("{\"ms\":%.3f,\"cpu\":%llu,\"loads\":[", (ended - began) / 1e6, (unsigned long long)(used(pids) - before));
  for (int i = 0; i < count; i++) {
    const struct latency *l = &set[i]->latency;
    printf("%s{\"messages\":%.6g", i > 0 ? "," : "", set[i]->messages);
    if (l->count > 0) printf(",\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f", quantile(l, 0.5), quantile(l, 0.99), quantile(l, 1));
    printf("}");
  }
  puts("]}");
}

static void obey(char **words) {
  if (words[0] == NULL) fail("no command");
  if (strcmp(words[0], "open") == 0) open_traffic(words + 1);
  else if (strcmp(words[0], "run") == 0) return run(words + 1);
  else if (strcmp(words[0], "close") == 0 && words[1] != NULL) close_traffic(words[1]);
  else fail("there is no command %s", words[0]);
  puts("{}");
}

int main(void) {
  static char line[4096];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *words[64] = {0};
    int count = 0;
    for (char *word = strtok(line, "\t\n"); word != NULL && count < 63; word = strtok(NULL, "\t\n")) words[count++] = word;
    if (setjmp(failed) == 0) obey(words);
    else printf("{\"error\":\"%s\"}\n", problem);
    fflush(stdout);
  }
  return 0;
}
