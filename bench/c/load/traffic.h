/* The load generator's words: what is told to it, what it counts, and what a kind of traffic has to be able to do. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Latencies in nanoseconds, in buckets that are 1/32 of an octave wide: 3 % exact, of any size. */
#define FINE 32
struct latency {
  uint32_t buckets[64 * FINE];
  uint64_t count;
};

/* A socket of ours, and what it has under way. */
struct peer {
  int fd;
  uint32_t wants;    /* what epoll has been asked for */
  size_t unsent;     /* bytes, or datagrams, that are still to be sent of a message */
  size_t unread;     /* and to be received */
  uint64_t sent;     /* bulk: bytes in all */
  uint64_t received;
  uint64_t began;    /* when its message was due, ns */
  bool busy;         /* a message is under way */
  struct answer *answer; /* HTTP: what has come of it */
};

struct traffic;

/* A kind of traffic. A message is begun by `fire`; `ready` sees to it until it calls `finish`. */
struct kind {
  const char *name;
  void (*open)(struct traffic *, struct peer *);
  void (*fire)(struct traffic *, struct peer *);
  void (*ready)(struct traffic *, struct peer *, uint32_t events);
  /* The time is over. Optional: what has no end by itself ends now. */
  void (*over)(struct traffic *, struct peer *);
};

/* One set of sockets to one server. */
struct traffic {
  struct traffic *next;
  char name[64];
  const struct kind *kind;
  bool datagram;
  struct sockaddr_storage address;
  socklen_t address_length;
  char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
  int port;
  int sockets;
  size_t size;
  int depth;
  double rate; /* messages a second, due whatever the server does; 0: as soon as there is an answer */
  struct peer *peers;
  unsigned char *bytes; /* depth messages */
  int epoll;
  int timer; /* -1: closed loop */
  /* Of the lap. */
  bool over;
  int busy; /* sockets with something under way */
  double messages;
  uint64_t *due; /* of messages that found no socket free */
  size_t late, late_first;
  struct latency latency;
};

extern const struct kind ECHO, BULK, HTTP, CONNECT, DATAGRAM;

/* Ends the command with a message: its answer is an error. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now(void);
/* A connection, or a connected datagram socket, that never waits. */
int reach(struct traffic *t, struct peer *p, bool wait);
void want(struct traffic *t, struct peer *p, uint32_t events);
/* What was begun is done, and `messages` have their answers: 0 when they are counted, and not timed. */
void finish(struct traffic *t, struct peer *p, double messages);

#endif
