/*
 * System V shared memory, semaphores and message queues: svipc(7) and the manual pages of the
 * calls.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

struct text {
	long type;
	char body[64];
};

static int child_status(pid_t pid)
{
	int st = -1;

	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void test_shm(void)
{
	struct shmid_ds ds;
	int id = shmget(0x4c696e6e, 10000, IPC_CREAT | IPC_EXCL | 0600);
	pid_t pid;
	char *p, *q;

	REQUIRE(id >= 0);
	CHECK_ERR(shmget(0x4c696e6e, 10000, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK(shmget(0x4c696e6e, 0, 0) == id);
	CHECK_ERR(shmget(0x4c696e6e, 20000, 0), EINVAL);
	CHECK_ERR(shmget(0x4c696e6f, 10, 0), ENOENT);
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	p = shmat(id, NULL, 0);
	REQUIRE(p != (char *)-1);
	CHECK(p[0] == 0 && p[9999] == 0);
	q = shmat(id, NULL, SHM_RDONLY);
	CHECK(q != (char *)-1 && q != p);
	strcpy(p + 5000, "shared");
	CHECK(!strcmp(q + 5000, "shared"));
	CHECK(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 2 && ds.shm_segsz == 10000);
	pid = fork();
	if (!pid) {
		strcpy(p, "from the child");
		_exit(0);
	}
	CHECK(child_status(pid) == 0);
	CHECK(!strcmp(q, "from the child"));
	CHECK(!shmdt(q));
	CHECK_ERR(shmdt(q), EINVAL);
	CHECK_ERR(shmdt(p + 1), EINVAL);
	CHECK_ERR(shmat(id, (void *)12345, 0), EINVAL);
	/* With SHM_RND the address is rounded down, to anywhere at the bottom. */
	q = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!munmap(q, 65536) && shmat(id, q + 4097, SHM_RND) == q + 4096);
	CHECK(!strcmp(q + 4096, "from the child"));
	CHECK_ERR(shmat(id, q + 4097, SHM_RND), EINVAL);
	CHECK(shmat(id, q + 4097, SHM_RND | SHM_REMAP) == q + 4096 && !shmdt(q + 4096));
	CHECK_ERR(shmat(id, (void *)1, SHM_RND | SHM_REMAP), EINVAL);
	q = shmat(id, (void *)4095, SHM_RND);
	CHECK(q != (char *)-1 && !shmdt(q));
	CHECK(!shmctl(id, IPC_RMID, NULL));
	CHECK(!strcmp(p, "from the child"));
	CHECK(!shmctl(id, IPC_STAT, &ds) && ds.shm_nattch == 1);
	CHECK_ERR(shmget(0x4c696e6e, 10000, 0), ENOENT);
	CHECK(!shmdt(p));
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_ERR(shmat(id, NULL, 0), EINVAL);
}

static void test_sem(void)
{
	struct timespec soon = { 0, 20000000 };
	struct sembuf down = { 0, -1, SEM_UNDO }, up = { 0, 1, 0 },
		      both[2] = { { 0, -1, 0 }, { 1, -1, IPC_NOWAIT } };
	struct sembuf zero = { 1, 0, 0 };
	unsigned short all[2] = { 1, 0 };
	union semun arg = { .array = all };
	int id = semget(IPC_PRIVATE, 2, 0600);
	pid_t pid;

	REQUIRE(id >= 0);
	CHECK(!semctl(id, 0, SETALL, arg));
	CHECK(semctl(id, 0, GETVAL) == 1 && semctl(id, 1, GETVAL) == 0);
	CHECK_ERR(semop(id, both, 2), EAGAIN);
	CHECK(semctl(id, 0, GETVAL) == 1);
	CHECK(!semop(id, &zero, 1));
	pid = fork();
	if (!pid)
		_exit(semop(id, &down, 1) != 0);
	CHECK(child_status(pid) == 0);
	CHECK(semctl(id, 0, GETVAL) == 1);
	CHECK(!semop(id, &down, 1));
	CHECK_ERR(semtimedop(id, &down, 1, &soon), EAGAIN);
	pid = fork();
	if (!pid)
		_exit(semop(id, &down, 1) != 0);
	CHECK(EVENTUALLY(semctl(id, 0, GETNCNT) == 1));
	CHECK(!semop(id, &up, 1));
	CHECK(child_status(pid) == 0);
	arg.val = 40000;
	CHECK_ERR(semctl(id, 0, SETVAL, arg), ERANGE);
	CHECK_ERR(semctl(id, 2, GETVAL), EINVAL);
	up.sem_num = 2;
	CHECK_ERR(semop(id, &up, 1), EFBIG);
	arg.val = 0;
	CHECK(!semctl(id, 0, SETVAL, arg));
	pid = fork();
	if (!pid)
		_exit(semop(id, &down, 1) == -1 && errno == EIDRM ? 0 : 1);
	CHECK(EVENTUALLY(semctl(id, 0, GETNCNT) == 1));
	CHECK(!semctl(id, 0, IPC_RMID));
	CHECK(child_status(pid) == 0);
	CHECK_ERR(semctl(id, 0, GETVAL), EINVAL);
}

static void test_msg(void)
{
	struct text t = { 3, "third" }, got;
	struct msqid_ds ds;
	int id = msgget(IPC_PRIVATE, 0600), n = 0, err;
	pid_t pid;

	REQUIRE(id >= 0);
	CHECK(!msgsnd(id, &t, 6, 0));
	t = (struct text){ 1, "first" };
	CHECK(!msgsnd(id, &t, 6, 0));
	CHECK(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 2 && ds.msg_cbytes == 12);
	CHECK(msgrcv(id, &got, 64, 1, MSG_COPY | IPC_NOWAIT) == 6 && got.type == 1);
	CHECK(msgrcv(id, &got, 64, 0, MSG_COPY | IPC_NOWAIT) == 6 && got.type == 3);
	CHECK_ERR(msgrcv(id, &got, 64, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &got, 64, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &got, 64, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	CHECK_ERR(msgrcv(id, &got, 2, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERR(msgrcv(id, &got, 2, 0, MSG_COPY | MSG_NOERROR | IPC_NOWAIT), EINVAL);
	CHECK(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 2 && ds.msg_lrpid == 0);
	CHECK(msgrcv(id, &got, 64, -2, 0) == 6 && got.type == 1 && !strcmp(got.body, "first"));
	CHECK_ERR(msgrcv(id, &got, 64, 1, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &got, 2, 0, 0), E2BIG);
	CHECK(msgrcv(id, &got, 2, 0, MSG_NOERROR) == 2 && !memcmp(got.body, "th", 2));
	t.type = 0;
	CHECK_ERR(msgsnd(id, &t, 1, 0), EINVAL);
	t.type = 1;
	while (!msgsnd(id, &t, 64, IPC_NOWAIT))
		n++;
	err = errno;
	CHECK(err == EAGAIN && n == 256);
	pid = fork();
	if (!pid)
		_exit(msgsnd(id, &t, 64, 0) == -1 && errno == EIDRM ? 0 : 1);
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!msgctl(id, IPC_RMID, NULL));
	CHECK(child_status(pid) == 0);
	CHECK_ERR(msgsnd(id, &t, 1, 0), EINVAL);
}

/* What a user may do with objects of others, and which of several errors comes first. */
static void test_rights(void)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0644), sem = semget(IPC_PRIVATE, 2, 0644),
	    msg = msgget(IPC_PRIVATE, 0644);
	unsigned short all[2] = { 40000, 0 };
	union semun arg = { .array = all };
	struct sembuf far = { 2, 1, 0 }, up = { 0, 1, 0 };
	struct shmid_ds ds;
	struct text t = { 1, "text" };
	struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		CHECK_ERR(shmat(shm, NULL, 0), EACCES);
		CHECK_ERR(shmat(shm, NULL, SHM_RDONLY | SHM_EXEC), EACCES);
		CHECK(shmat(shm, NULL, SHM_RDONLY) != (void *)-1);
		CHECK_ERR(shmctl(shm, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmctl(shm, IPC_RMID, NULL), EPERM);
		CHECK(!setrlimit(RLIMIT_MEMLOCK, &none));
		CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, 0600 | 04000), EPERM); /* SHM_HUGETLB */
		CHECK_ERR(semctl(sem, 0, SETALL, arg), EACCES);
		arg.val = -1;
		CHECK_ERR(semctl(sem, 0, SETVAL, arg), ERANGE);
		arg.val = 1;
		CHECK_ERR(semctl(sem, 5, SETVAL, arg), EINVAL);
		CHECK_ERR(semctl(sem, 0, SETVAL, arg), EACCES);
		CHECK_ERR(semop(sem, &far, 1), EFBIG);
		CHECK_ERR(semop(sem, &up, 1), EACCES);
		CHECK(semctl(sem, 0, GETVAL) == 0);
		CHECK_ERR(msgsnd(msg, &t, 1, IPC_NOWAIT), EACCES);
		CHECK_ERR(msgrcv(msg, &t, 1, 0, IPC_NOWAIT), ENOMSG);
		_exit(0);
	}
	CHECK(child_status(pid) == 0);
	CHECK_ERR(semctl(sem, 0, SETALL, arg), ERANGE);
	CHECK(!shmctl(shm, IPC_STAT, &ds));
	ds.shm_perm.uid = -1;
	CHECK_ERR(shmctl(shm, IPC_SET, &ds), EINVAL);
	CHECK_ERR(shmctl(shm, IPC_STAT | 0x100, &ds), EINVAL);
	CHECK(!shmctl(shm, SHM_LOCK, NULL) && !shmctl(shm, IPC_STAT, &ds) &&
	      (ds.shm_perm.mode & 02000));
	CHECK_ERR(shmget(IPC_PRIVATE, 8192, 0600 | 04000 | 5 << 26), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, 0600 | 04000), ENOMEM);
	CHECK_ERR(msgsnd(msg, (void *)8, 1 << 20, 0), EFAULT);
	CHECK_ERR(msgsnd(msg, &t, 1 << 20, 0), EINVAL);
	CHECK_ERR(semop(sem, (void *)8, 1), EFAULT);
	CHECK_ERR(semop(-1, &up, 0), EINVAL);
	CHECK_ERR(semop(-1, &up, 501), E2BIG);
	CHECK(!shmctl(shm, IPC_RMID, NULL) && !semctl(sem, 0, IPC_RMID) &&
	      !msgctl(msg, IPC_RMID, NULL));
}

/* MSG_COPY: look at a message by its place. */
static void test_copy(void)
{
	struct text t = { 7, "seven" }, got;
	int id = msgget(IPC_PRIVATE, 0600), flags = IPC_NOWAIT | 040000;
	struct msqid_ds ds;

	REQUIRE(!msgsnd(id, &t, 6, 0));
	t = (struct text){ 9, "number nine" };
	REQUIRE(!msgsnd(id, &t, 12, 0));
	CHECK(msgrcv(id, &got, 64, 1, flags) == 12 && got.type == 9 &&
	      !strcmp(got.body, "number nine"));
	CHECK(msgrcv(id, &got, 64, 0, flags) == 6 && got.type == 7);
	CHECK(!msgctl(id, IPC_STAT, &ds) && ds.msg_qnum == 2 && !ds.msg_rtime);
	CHECK_ERR(msgrcv(id, &got, 64, 2, flags), ENOMSG);
	CHECK_ERR(msgrcv(id, &got, 64, 0, 040000), EINVAL);
	CHECK_ERR(msgrcv(id, &got, 64, 0, flags | MSG_EXCEPT), EINVAL);
	CHECK_ERR(msgrcv(id, &got, 5, 0, flags), E2BIG);
	CHECK(!msgctl(id, IPC_RMID, NULL));
}

static void test_settings(void)
{
	int msl = 0, mns = 0, opm = 0, mni = 0;
	unsigned long long max = 0;
	struct shminfo info;
	FILE *f = fopen("/proc/sys/kernel/sem", "r");

	CHECK(f && fscanf(f, "%d %d %d %d", &msl, &mns, &opm, &mni) == 4 && msl == 32000 &&
	      opm == 500 && mni == 32000);
	f = fopen("/proc/sys/kernel/shmmax", "r");
	CHECK(f && fscanf(f, "%llu", &max) == 1 && max > 1 << 30);
	f = fopen("/proc/sys/kernel/shmall", "r");
	CHECK(f && fscanf(f, "%llu", &max) == 1 && max > 1 << 20);
	CHECK(shmctl(0, IPC_INFO, (struct shmid_ds *)&info) >= 0 && info.shmall == max);
}

/* As ipcs(1) finds what there is: by place, from what the *_INFO calls give as the last one. */
static int listed(int (*by_place)(int place, int any), int last, int id, int any)
{
	int found = 0;

	for (int place = 0; place <= last; place++)
		found += by_place(place, any) == id;
	return found;
}

static int segment_at(int place, int any)
{
	struct shmid_ds ds;

	return shmctl(place, any ? 15 /* SHM_STAT_ANY */ : SHM_STAT, &ds);
}

static int set_at(int place, int any)
{
	struct semid_ds ds;
	union semun arg = { .buf = &ds };

	return semctl(place, 0, any ? 20 /* SEM_STAT_ANY */ : SEM_STAT, arg);
}

static int queue_at(int place, int any)
{
	struct msqid_ds ds;

	return msgctl(place, any ? 13 /* MSG_STAT_ANY */ : MSG_STAT, &ds);
}

static void test_listing(void)
{
	int shm = shmget(IPC_PRIVATE, 8192, 0600), sem = semget(IPC_PRIVATE, 3, 0600);
	int msg = msgget(IPC_PRIVATE, 0600), shms, sems, msgs;
	struct text t = { 1, "twelve bytes" };
	struct shm_info si = { 0 };
	struct seminfo mi = { 0 };
	struct msginfo qi = { 0 };
	union semun arg = { .buf = (struct semid_ds *)&mi };
	pid_t pid;

	REQUIRE(shm >= 0 && sem >= 0 && msg >= 0 && !msgsnd(msg, &t, 12, 0));
	shms = shmctl(0, SHM_INFO, (struct shmid_ds *)&si);
	CHECK(shms >= 0 && si.used_ids == 1 && si.shm_tot == 2);
	sems = semctl(0, 0, SEM_INFO, arg);
	CHECK(sems >= 0 && mi.semusz == 1 && mi.semaem == 3); /* sets, semaphores */
	msgs = msgctl(0, MSG_INFO, (struct msqid_ds *)&qi);
	CHECK(msgs >= 0 && qi.msgpool == 1 && qi.msgmap == 1 && qi.msgtql == 12);
	for (int any = 0; any < 2; any++)
		CHECK(listed(segment_at, shms, shm, any) == 1 &&
		      listed(set_at, sems, sem, any) == 1 && listed(queue_at, msgs, msg, any) == 1);
	CHECK_ERR(segment_at(shms + 1, 0), EINVAL);
	CHECK_ERR(set_at(sems + 1, 0), EINVAL);
	CHECK_ERR(queue_at(msgs + 1, 1), EINVAL);
	CHECK_ERR(segment_at(-1, 0), EINVAL);
	/* To whom they do not belong: with the calls that ask for no right. */
	pid = fork();
	if (pid == 0) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		if (listed(segment_at, shms, shm, 0) || listed(set_at, sems, sem, 0) ||
		    listed(queue_at, msgs, msg, 0) || errno != EACCES)
			_exit(2);
		_exit(listed(segment_at, shms, shm, 1) == 1 && listed(set_at, sems, sem, 1) == 1 &&
				      listed(queue_at, msgs, msg, 1) == 1
			      ? 0
			      : 3);
	}
	CHECK(child_status(pid) == 0);
	CHECK(!shmctl(shm, IPC_RMID, NULL) && !semctl(sem, 0, IPC_RMID) &&
	      !msgctl(msg, IPC_RMID, NULL));
}

static int queue_new(void)
{
	return msgget(IPC_PRIVATE, 0600);
}

static int set_new(void)
{
	return semget(IPC_PRIVATE, 1, 0600);
}

static int segment_new(void)
{
	return shmget(IPC_PRIVATE, 4096, 0600);
}

static int queue_gone(int id)
{
	return msgctl(id, IPC_RMID, NULL);
}

static int set_gone(int id)
{
	return semctl(id, 0, IPC_RMID);
}

static int segment_gone(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

static int setting(const char *path)
{
	FILE *f = fopen(path, "r");
	int v = -2;

	if (f && fscanf(f, "%d", &v) != 1)
		v = -3;
	if (f)
		fclose(f);
	return v;
}

static int setting_write(const char *path, int v)
{
	FILE *f = fopen(path, "w");
	int err = !f || fprintf(f, "%d", v) < 0;

	return f && fclose(f) ? -1 : -err;
}

/* The next object's id may be chosen, once; an index that is taken leaves the sequence number. */
static void chosen_id(const char *path, int (*make)(void), int (*gone)(int))
{
	const int id = 4321 << 15 | 250;
	int a, b, c;

	CHECK(setting(path) == -1);
	CHECK(setting_write(path, id) == 0 && setting(path) == id);
	CHECK_ERR(setting_write(path, -1), EINVAL);
	a = make();
	CHECK(a == id && setting(path) == -1);
	b = make();
	CHECK(b >= 0 && b != a);
	CHECK(setting_write(path, id) == 0);
	c = make();
	CHECK(c == id + 1);
	CHECK(gone(a) == 0 && gone(b) == 0 && gone(c) == 0);
	CHECK_ERR(gone(a), EINVAL);
}

static void test_chosen_ids(void)
{
	chosen_id("/proc/sys/kernel/msg_next_id", queue_new, queue_gone);
	chosen_id("/proc/sys/kernel/sem_next_id", set_new, set_gone);
	chosen_id("/proc/sys/kernel/shm_next_id", segment_new, segment_gone);
}

int main(void)
{
	test_shm();
	test_sem();
	test_msg();
	test_copy();
	test_settings();
	test_listing();
	test_chosen_ids();
	test_rights();
	return tap_done();
}
