#pragma once
/*
 * Contract of sockets: what an address family implements and what kernel/sys calls.
 *
 * A struct socket is the head of the family's own object. It lives as long as its file; a family
 * may keep its object longer (peers, messages on their way). Options that mean the same to every
 * family are kept and answered here (socket.c).
 *
 * I immutable after creation, a atomic.
 */
#include <asm/socket.h>
#include <linux/net_tstamp.h>
#include "fs/vfs.h"
#include "kernel/base/percpu.h"
#include "kernel/base/table.h"

/* The packaged headers leave these to the C library: socket(2), send(2), recv(2), shutdown(2). */
enum { AF_UNSPEC = 0, AF_UNIX = 1, AF_INET = 2, AF_NETLINK = 16, AF_PACKET = 17, AF_MAX = 46 };
enum {
	SOCK_STREAM = 1,
	SOCK_DGRAM = 2,
	SOCK_RAW = 3,
	SOCK_SEQPACKET = 5,
	SOCK_PACKET = 10,
	SOCK_TYPE_MAX = 11
};
enum {
	SOL_IP = 0,
	SOL_TCP = 6,
	SOL_UDP = 17,
	SOL_UDPLITE = 136,
	SOL_RAW = 255,
	SOL_PACKET = 263,
	SOL_NETLINK = 270
};
#define MSG_OOB 0x1u
#define MSG_PEEK 0x2u
#define MSG_DONTROUTE 0x4u
#define MSG_CTRUNC 0x8u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_EOR 0x80u
#define MSG_WAITALL 0x100u
#define MSG_CONFIRM 0x800u
#define MSG_ERRQUEUE 0x2000u
#define MSG_NOSIGNAL 0x4000u
#define MSG_MORE 0x8000u
#define MSG_WAITFORONE 0x10000u
#define MSG_ZEROCOPY 0x4000000u
#define MSG_FASTOPEN 0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u
#define MSG_CMSG_COMPAT 0x80000000u /* of 32-bit programs: refused */
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SHUT_READ 1u /* bits, unlike the argument of shutdown(2) */
#define SHUT_WRITE 2u

#define SCM_FILES_MAX 253
#define SOCK_ADDR_MAX 128

struct sock_addr {
	u32 len; /* 0: none */
	union {
		u16 family;
		u8 bytes[SOCK_ADDR_MAX];
	};
};

struct sock_ucred {
	u32 pid, uid, gid;
};

/* What goes along with a message. The files are references of whoever holds the struct. */
struct scm {
	struct file **files; /* kmalloc'ed array; NULL: none */
	u32 nfiles;
	struct fs_user *user; /* reference: who sent the files, which count as his; or NULL */
	bool has_cred;
	struct sock_ucred cred;
};

/*
 * Control data that a family gives with a received message: records of level, type, length and
 * bytes, each padded to eight (sock_msg_control).
 */
#define SOCK_CONTROL_MAX 512
struct sock_control {
	u32 len; /* of what is in .bytes */
	u8 bytes[SOCK_CONTROL_MAX] __aligned(8);
};
struct sock_control_head {
	int level, type;
	u32 len, pad; /* of the bytes behind it */
};

/* What control data of IP says about one message to send (ip(7)). */
struct sock_inet {
	u32 src, dev; /* IP_PKTINFO: address, index; 0: not given */
	int ttl, tos; /* IP_TTL, IP_TOS; < 0: not given */
	u32 gso_size; /* UDP_SEGMENT; 0: not given */
	bool given; /* some of this is */
};

struct sock_msg {
	struct uio *data;
	u32 flags; /* MSG_*, with MSG_DONTWAIT also for a non-blocking file */
	u32 out_flags; /* receive: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB */
	s64 stamp; /* receive: wall time, when the socket asks for it (socket_stamp) */
	struct sock_addr
		*addr; /* send: destination, len 0: none; receive: filled in. May be NULL */
	struct scm scm; /* send: handed over on success; receive: the caller's */
	struct sock_inet inet; /* send */
	u32 stamping; /* send: SOF_TIMESTAMPING_TX_* of this message alone, if given */
	bool stamping_given;
	int control_err; /* send: what is wrong with the control data; see sock_ops.late_control */
	struct sock_control *control; /* receive: the family's records; NULL: nobody wants them */
};

struct net_chooser;
struct socket;

/* NULL: -EOPNOTSUPP. All ctx: thread; may sleep. Waits return -EINTR, or -ERESTARTSYS. */
struct sock_ops {
	void (*release)(struct socket *s); /* the file is gone; frees @s */
	int (*bind)(struct socket *s, const struct sock_addr *a);
	int (*connect)(struct socket *s, const struct sock_addr *a, bool nonblock);
	int (*listen)(struct socket *s, int backlog);
	/* @from: NULL, or where whose address goes that is taken, also if it is gone already */
	int (*accept)(struct socket *s, bool nonblock, struct socket **out, struct sock_addr *from);
	int (*pair)(struct socket *a, struct socket *b);
	int (*getname)(struct socket *s, bool peer, struct sock_addr *out);
	ssize_t (*send)(struct socket *s, struct sock_msg *m);
	ssize_t (*recv)(struct socket *s, struct sock_msg *m);
	int (*shutdown)(struct socket *s, u32 how); /* SHUT_* */
	u32 (*poll)(struct socket *s, struct poll_table *pt);
	int (*mmap)(struct socket *s, struct vm_map_args *a); /* as file_ops.mmap. NULL: -ENODEV */
	/* Bytes to read (SIOCINQ) or not yet read by the peer (SIOCOUTQ). */
	long (*queued)(struct socket *s, bool out);
	/* Bytes charged for what was received, or is to be sent. No lock. NULL: none, or .memory */
	u32 (*charged)(const struct socket *s, bool out);
	/* Bytes that the peer has not read, for file_ops.memory: takes no lock. NULL: 0. */
	u64 (*memory)(const struct socket *s);
	/* Is the out-of-band byte the next? NULL: no SIOCATMARK */
	bool (*at_mark)(struct socket *s);
	/* Whom the peer was when it connected; false: nobody. @groups NULL or for a reference. */
	bool (*peercred)(struct socket *s, struct sock_ucred *out, struct cred **groups);
	bool (*listening)(struct socket *s);
	/*
	 * Options of other levels than SOL_SOCKET, value as in socket_setsockopt. NULL:
	 * -EOPNOTSUPP. SOL_SOCKET comes here too, first; -ENOPROTOOPT leaves it to
	 * socket_setsockopt.
	 */
	int (*setsockopt)(struct socket *s, int level, int option, const void *val, u32 len);
	int (*getsockopt)(struct socket *s, int level, int option, void *val, u32 *len);
	/*
	 * A record of control data of a message to send, of another level than SOL_SOCKET. NULL:
	 * ignored
	 */
	int (*control)(struct socket *s, struct sock_msg *m, int level, int type, const void *data,
		       u32 len);
	/* What is not answered for all sockets; -ENOTTY: unknown. NULL: nothing */
	long (*ioctl)(struct socket *s, u32 cmd, u64 arg);
	/*
	 * SO_ATTACH_REUSEPORT_CBPF: takes @c for all that share the port; NULL: they have none any
	 * more. 0, -EINVAL (does not share), -ENOENT, -ENOMEM. NULL: -EINVAL
	 */
	int (*chooser)(struct socket *s, struct net_chooser *c);
	/* SO_ATTACH_FILTER, NULL: detached. 0, -ENOMEM. NULL: the family looks at .filter */
	int (*filter)(struct socket *s, struct net_chooser *c);
	/*
	 * SOF_TIMESTAMPING_OPT_ID: messages are numbered from here on. 0 or -errno. NULL: not at
	 * all
	 */
	int (*number)(struct socket *s);
	void (*device)(struct socket *s); /* .bound_dev changed. NULL: it changes nothing */
	bool peek_off; /* recv follows .peek_off */
	bool late_control; /* send answers ->control_err itself, where it is its turn */
};

/*
 * The time stamps that a receiver asks for: SO_TIMESTAMP and SO_TIMESTAMPNS, by either number.
 * As on Linux the last option that was set decides the form of all, SO_TIMESTAMPING's too.
 */
enum sock_stamp { STAMP_ON = 1, STAMP_NSEC = 2, STAMP_NEW = 4 };

struct socket {
	const struct sock_ops *ops; /* I */
	u16 family, type; /* I */
	int protocol; /* I */
	struct file *file; /* a: not counted; NULL: not accepted yet */
	u64 ino; /* a: of the file; 0: none yet */
	s64 rcvtimeo, sndtimeo; /* a: ns; TIME_NEVER: wait for ever */
	int rcvbuf, sndbuf; /* a: bytes */
	int err; /* a: positive errno to report once, 0: none */
	u32 options; /* a: bits, by socket.c's table */
	int rcvlowat, priority; /* a */
	bool passcred, passsec; /* a: SO_PASSCRED, SO_PASSSEC */
	bool oobinline; /* a: SO_OOBINLINE */
	u8 stamp; /* a: enum sock_stamp, bits */
	bool keeps_stamp; /* a: SIOCGSTAMP was called: datagrams are stamped for .last_stamp */
	u8 buf_lock; /* a: SOCK_SNDBUF_LOCK, SOCK_RCVBUF_LOCK: the user chose that size */
	bool prefer_busy_poll; /* a: SO_PREFER_BUSY_POLL */
	bool txrehash; /* a: SO_TXREHASH; flows have no hash of ours that could change */
	u8 txtime_flags; /* a: SO_TXTIME: SOF_TXTIME_* */
	u32 busy_poll, busy_budget; /* a: SO_BUSY_POLL; no driver here needs to be polled */
	u32 stamping; /* a: SO_TIMESTAMPING: SOF_TIMESTAMPING_* */
	u32 drops; /* a: messages lost because there was no room */
	s64 last_stamp; /* a: when the last datagram came in; 0: not known, -1: none came yet */
	int cpu; /* a: SO_INCOMING_CPU: where the last message came in; -1: none did */
	u32 mark; /* a: SO_MARK */
	u64 cookie; /* a: SO_COOKIE; 0: nobody asked yet */
	int peek_off; /* a: where MSG_PEEK begins; < 0: at the first byte. Receiver's, or set */
	int linger; /* a: seconds; off: their complement, < 0 */
	u32 bound_dev; /* a: SO_BINDTODEVICE: index; 0: any */
	int txtime_clock; /* a: SO_TXTIME */
	u64 pacing; /* a: SO_MAX_PACING_RATE: bytes per second; ~0: no limit */
	struct sock_filter_prog *filter; /* own lock (sockfilter.c): SO_ATTACH_FILTER; NULL: none */
	struct list async; /* own lock (fs/async.h): open files with O_ASYNC */
};

struct sock_family {
	const char *name;
	u16 family;
	/* 0, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -ENOMEM. */
	int (*create)(int type, int protocol, struct socket **out);
};
#define SOCK_FAMILY(id, ...)                                                            \
	TABLE_ENTRY(sock_family, struct sock_family, sock_family_##id) = { .name = #id, \
									   __VA_ARGS__ }
TABLE_DECLARE(sock_family, struct sock_family);

/* --- socket.c --- */

/* A socket without a file. As socket(2): 0, -EAFNOSUPPORT, -EINVAL, or the family's error. */
int __must_check socket_create(int family, int type, int protocol, struct socket **out);
/* Defaults of the head; families call it. */
void socket_init(struct socket *s, const struct sock_ops *ops, u16 family, u16 type, int protocol);
/* The file of @s, which then owns it. 0 or -ENOMEM: @s stays the caller's (ops->release). */
int __must_check socket_open(struct socket *s, u32 flags, struct file **out);
u32 socket_count(void); /* with a file. ctx: any */
/* Socket of @f, or NULL. */
struct socket *socket_of(const struct file *f);
/* Take the error to report: 0 or negative. */
int socket_take_error(struct socket *s);
/* Deadline of a wait: now if @nonblock (0), else by the timeout. */
s64 socket_deadline(s64 timeo, bool nonblock);
/* Error of a wait that ended with @err: -EAGAIN for a timeout; -EINTR if @timeo was set. */
int socket_wait_error(int err, s64 timeo);
/* Urgent data came: SIGURG to the owner of the file, which must live. ctx: thread */
void socket_urgent(struct socket *s);
/* The receiver of @m gets the time, if @s asks for it. ctx: thread */
void socket_stamp(struct socket *s, struct sock_msg *m);
/* Is the receiver told when messages came in? SO_TIMESTAMPING may be for what is sent only. */
static inline bool socket_gives_stamp(const struct socket *s)
{
	return (READ_ONCE(s->stamp) & STAMP_ON) ||
	       (READ_ONCE(s->stamping) & SOF_TIMESTAMPING_RX_SOFTWARE);
}
/* Does anybody want to know when messages come in? */
static inline bool socket_wants_stamp(const struct socket *s)
{
	return socket_gives_stamp(s) || READ_ONCE(s->keeps_stamp);
}
/*
 * @m, which is given out, came in at @stamp (0: nobody looked): for the receiver, or for
 * SIOCGSTAMP. ctx: any
 */
void socket_received(struct socket *s, struct sock_msg *m, s64 stamp);
/* SIOCGSTAMP and the like, SIOCGSKNS. -ENOTTY: it is another one. ctx: thread; sleeps */
long socket_own_ioctl(struct socket *s, u32 cmd, u64 arg);
/* How many messages were lost before this one came (SO_RXQ_OVFL). ctx: any */
void socket_tell_drops(struct socket *s, struct sock_msg *m, u32 drops);
/* A message came in, here. ctx: any */
static inline void socket_came_in(struct socket *s)
{
	int cpu = (int)cpu_id();

	if (READ_ONCE(s->cpu) != cpu)
		WRITE_ONCE(s->cpu, cpu);
}
/* MSG_PEEK: how far in to begin. ctx: any */
u32 socket_peek_from(const struct socket *s, u32 flags);
/* One record of control data for the receiver; what does not fit is left out. ctx: any */
void sock_msg_control(struct sock_msg *m, int level, int type, const void *data, u32 len);
/* SOL_SOCKET control data of one message to send. 0, -EINVAL, -EPERM. ctx: thread */
int socket_control(struct socket *s, struct sock_msg *m, int type, const void *data, u64 len);
/* Is an option that is on or off (SO_BROADCAST...) on? ctx: any */
bool socket_option(const struct socket *s, int option);
void socket_set_option(struct socket *s, int option, bool on); /* the same. ctx: any */
/* @n bytes were looked at or, with @flags without MSG_PEEK, taken. ctx: any */
void socket_peek_moved(struct socket *s, u32 flags, u32 n);

/* --- sockopt.c --- */

void socket_init_buffers(struct socket *s); /* the default sizes */
/* SOL_SOCKET options; @len in, *len out. -ENOPROTOOPT when unknown; -ERANGE: *len is
 * what it takes. */
int socket_setsockopt(struct socket *s, int option, const void *val, u32 len);
int socket_getsockopt(struct socket *s, int option, void *val, u32 *len);
void scm_release(struct scm *scm); /* drops what it holds */
/* pid, effective uid and gid of current. Layers above say what the pid is. */
struct sock_ucred socket_current_cred(void);
void socket_set_pid_hook(u32 (*pid)(void));
/* Who makes a descriptor of @p (O_PATH), or, if that is NULL, of the network's name space. */
void socket_set_open_hook(long (*open)(const struct path *p));
long socket_open_path(const struct path *p); /* by that hook. ctx: thread; sleeps */
void unix_init(void); /* boot */
void netlink_init(void); /* boot */
void inet_stamp_init(void); /* boot: inet_errq.c */

/*
 * --- af_netlink.c: a message of the kernel's to one netlink socket, made before it is needed, so
 * that sending it cannot fail for want of memory (mq_notify(3) of the C library). ---
 */
struct netlink_note;
struct netlink_note *netlink_note_alloc(const void *data, u32 size); /* NULL: no memory */
u8 *netlink_note_bytes(struct netlink_note *n); /* still to be changed */
/*
 * Takes @n; a full socket loses it and says ENOBUFS. ctx: any; holds: nothing ranked UNIX or later
 */
void netlink_note_post(struct file *sock, struct netlink_note *n);
void netlink_note_free(struct netlink_note *n); /* NULL: nothing */
bool file_is_netlink(const struct file *f);
