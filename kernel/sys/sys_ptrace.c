/*
 * ptrace(2): what kernel/proc/ptrace*.c do, with the copies to and from the caller.
 *
 * PTRACE_PEEKTEXT stores the word at @data and returns 0; the C library makes a result of it. There
 * are no PEEKUSER and POKEUSER, as on Linux for arm64: registers are read and written by sets.
 */
#include <linux/ptrace.h>
#include <linux/uio.h>
#include <asm/ptrace.h>
#include <arch/regset.h>
#include "kernel/proc/ptrace.h"
#include "kernel/proc/seccomp.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

static long do_getsiginfo(struct task *t, u64 data)
{
	struct ksiginfo si;
	siginfo_t info;
	int err = ptrace_get_siginfo(t, &si);

	if (err)
		return err;
	signal_siginfo_to_user(&si, &info);
	return copy_to_user(data, &info, sizeof(info));
}

static long do_setsiginfo(struct task *t, u64 data)
{
	struct ksiginfo si;
	int err = sys_siginfo_from_user(&si, data, 0);

	return err ? err : ptrace_set_siginfo(t, &si);
}

static long do_peeksiginfo(struct task *t, u64 addr, u64 data)
{
	struct ptrace_peeksiginfo_args a;
	struct ksiginfo si;
	siginfo_t info;
	s32 n = 0;
	int ret = 0;

	if (copy_from_user(&a, addr, sizeof(a)))
		return -EFAULT;
	if ((a.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || a.nr < 0)
		return -EINVAL;
	do {
		if (n == a.nr)
			break;
		ret = ptrace_peek_siginfo(t, a.flags, a.off + (u64)n, &si);
		if (ret <= 0)
			break;
		signal_siginfo_to_user(&si, &info);
		ret = copy_to_user(data + (u64)n * sizeof(info), &info, sizeof(info));
		if (ret)
			break;
		n++;
	} while (!signal_pending());
	return n ? n : ret;
}

static long do_getsigmask(struct task *t, u64 size, u64 data)
{
	ksigset_t set;
	int err = size == sizeof(set) ? ptrace_get_sigmask(t, &set) : -EINVAL;

	return err ? err : copy_to_user(data, &set, sizeof(set));
}

static long do_setsigmask(struct task *t, u64 size, u64 data)
{
	ksigset_t set;

	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, data, sizeof(set)))
		return -EFAULT;
	return ptrace_set_sigmask(t, set);
}

static long do_regset(struct task *t, u32 note, u64 uiov, bool write)
{
	struct regset_buf buf;
	struct iovec iov;
	size_t size;
	int err;

	if (copy_from_user(&iov, uiov, sizeof(iov)))
		return -EFAULT;
	size = iov.iov_len;
	err = ptrace_regset_size(note, &size);
	if (err)
		return err;
	if (write) {
		if (copy_from_user(&buf, (u64)iov.iov_base, size))
			return -EFAULT;
		err = ptrace_set_regset(t, note, &buf, size);
	} else {
		err = ptrace_get_regset(t, note, &buf, size);
		if (!err)
			err = copy_to_user((u64)iov.iov_base, &buf, size);
	}
	if (err)
		return err;
	return put_user(uiov + offsetof(struct iovec, iov_len), (u64)size);
}

static long do_get_syscall_info(struct task *t, u64 size, u64 data)
{
	struct ptrace_syscall_info info;
	int n = ptrace_get_syscall_info(t, &info);

	if (n < 0)
		return n;
	return copy_to_user(data, &info, MIN(size, (u64)n)) ? -EFAULT : n;
}

static long do_get_rseq(struct task *t, u64 size, u64 data)
{
	struct ptrace_rseq_configuration conf;
	int err = ptrace_get_rseq(t, &conf);

	if (!err)
		err = copy_to_user(data, &conf, MIN(size, sizeof(conf)));
	return err ? err : (long)sizeof(conf);
}

static long do_peek(struct task *t, u64 addr, u64 data)
{
	u64 word;
	int err = ptrace_peek(t, addr, &word);

	return err ? err : put_user(data, word);
}

static long do_geteventmsg(struct task *t, u64 data)
{
	u64 message;
	int err = ptrace_get_message(t, &message);

	return err ? err : put_user(data, message);
}

/* PTRACE_SECCOMP_GET_FILTER: how many instructions filter @index has; stores them if asked to. */
static long do_get_filter(struct task *t, u64 index, u64 data)
{
	struct seccomp_filter *f;
	long r;

	if (!sys_capable(CAP_SYS_ADMIN) || current_task()->seccomp_mode)
		return -EACCES;
	r = seccomp_filter_lookup(t, index, &f);
	if (r)
		return r;
	r = f->length;
	if (data && copy_to_user(data, f->code, f->length * sizeof(f->code[0])))
		r = -EFAULT;
	seccomp_filter_put(f);
	return r;
}

static long do_get_filter_metadata(struct task *t, u64 size, u64 data)
{
	struct seccomp_metadata md = { 0 };
	struct seccomp_filter *f;
	long r;

	if (!sys_capable(CAP_SYS_ADMIN) || current_task()->seccomp_mode)
		return -EACCES;
	size = MIN(size, sizeof(md));
	if (size < sizeof(md.filter_off))
		return -EINVAL;
	if (copy_from_user(&md.filter_off, data, sizeof(md.filter_off)))
		return -EFAULT;
	r = seccomp_filter_lookup(t, md.filter_off, &f);
	if (r)
		return r;
	md.flags = f->log ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_filter_put(f);
	return copy_to_user(data, &md, size) ? -EFAULT : (long)size;
}

/* Requests about a thread that the caller traces already. */
static long request(struct task *t, u64 what, u64 addr, u64 data)
{
	int err = what == PTRACE_KILL || what == PTRACE_INTERRUPT ? 0 : ptrace_check(t);

	if (err)
		return err;
	switch (what) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA: return do_peek(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA: return ptrace_poke(t, addr, data);
	case PTRACE_CONT: return ptrace_resume(t, 0, data);
	case PTRACE_SYSCALL: return ptrace_resume(t, TRACE_SYSCALL, data);
	case PTRACE_SINGLESTEP: return ptrace_resume(t, TRACE_STEP, data);
	case PTRACE_SYSEMU: return ptrace_resume(t, TRACE_EMULATE, data);
	case PTRACE_SYSEMU_SINGLESTEP: return ptrace_resume(t, TRACE_EMULATE | TRACE_STEP, data);
	case PTRACE_KILL: return ptrace_kill(t);
	case PTRACE_DETACH: return ptrace_detach(t, data);
	case PTRACE_INTERRUPT: return ptrace_interrupt(t);
	case PTRACE_LISTEN: return ptrace_listen(t);
	case PTRACE_SETOPTIONS: return ptrace_set_options(t, data);
	case PTRACE_GETEVENTMSG: return do_geteventmsg(t, data);
	case PTRACE_GETSIGINFO: return do_getsiginfo(t, data);
	case PTRACE_SETSIGINFO: return do_setsiginfo(t, data);
	case PTRACE_PEEKSIGINFO: return do_peeksiginfo(t, addr, data);
	case PTRACE_GETSIGMASK: return do_getsigmask(t, addr, data);
	case PTRACE_SETSIGMASK: return do_setsigmask(t, addr, data);
	case PTRACE_GETREGSET: return do_regset(t, (u32)addr, data, false);
	case PTRACE_SETREGSET: return do_regset(t, (u32)addr, data, true);
	case PTRACE_GET_RSEQ_CONFIGURATION: return do_get_rseq(t, addr, data);
	case PTRACE_SECCOMP_GET_FILTER: return do_get_filter(t, addr, data);
	case PTRACE_SECCOMP_GET_METADATA: return do_get_filter_metadata(t, addr, data);
	case PTRACE_GET_SYSCALL_INFO: return do_get_syscall_info(t, addr, data);
	default: return -EIO;
	}
}

static long attach(struct task *t, bool seize, u64 addr, u64 data)
{
	int err;

	if (!seize)
		return t ? ptrace_attach(t, false, 0) : -EPERM;
	if (addr || (data & ~(u64)PTRACE_O_MASK))
		return -EIO;
	err = ptrace_check_options(data);
	if (err)
		return err;
	return t ? ptrace_attach(t, true, data) : -EPERM;
}

/* ptrace(2) */
long sys_ptrace(u64 what, u64 pid, u64 addr, u64 data)
{
	struct task *t;
	long ret;

	if (what == PTRACE_TRACEME)
		return ptrace_traceme();
	ret = ptrace_find((u32)pid, &t);
	if (what == PTRACE_ATTACH || what == PTRACE_SEIZE)
		ret = ret == -ESRCH ? ret : attach(t, what == PTRACE_SEIZE, addr, data);
	else
		ret = ret ? -ESRCH : request(t, what, addr, data);
	if (t)
		task_put(t);
	return ret;
}
