/*
 * /dev/console and where its output goes.
 *
 * /dev/console is the terminal of the last console= (uart_console_tty). An open of it differs from
 * one of the terminal itself: it survives hangups, since init's own descriptors are among them, it
 * never becomes a controlling terminal, and no reader or writer is stopped by job control.
 *
 * TIOCCONS sends what programs write to /dev/console to another terminal, as a window for the
 * system's messages does. One redirection at a time: a reference on an open file, which ends by
 * TIOCCONS on /dev/console or with a hangup of its terminal. redirect_lock guards the pointer
 * alone; a writer holds a reference of its own while it writes.
 *
 * console(4), ioctl_tty(2).
 */
#include <linux/capability.h>
#include <linux/major.h>
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/base/uio.h"
#include "kernel/tty/tty.h"

static struct spinlock redirect_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct file *redirect; /* redirect_lock: reference; NULL: none */

static struct file *redirect_get(void)
{
	struct file *f;

	if (likely(!READ_ONCE(redirect)))
		return NULL;
	spin_lock(&redirect_lock);
	f = redirect ? file_get(redirect) : NULL;
	spin_unlock(&redirect_lock);
	return f;
}

/* End the redirection if it is to a file of @t, or to any when @t is NULL. */
static void redirect_end(const struct tty *t)
{
	struct file *f;

	spin_lock(&redirect_lock);
	f = redirect;
	if (f && t && (pty_is_master(f) || ((struct tty_file *)f->priv)->tty != t))
		f = NULL;
	if (f)
		WRITE_ONCE(redirect, NULL);
	spin_unlock(&redirect_lock);
	if (f)
		file_put(f);
}

/*
 * TIOCCONS on @f, an open of a terminal or a pty's master: what is written to /dev/console goes
 * there; on /dev/console itself: back.
 * ctx: thread; sleeps: yes. 0, -EPERM, -EBADF (not open for writing), -EBUSY.
 */
long tty_console_redirect(struct file *f)
{
	long err = 0;

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (!pty_is_master(f) && ((struct tty_file *)f->priv)->console) {
		redirect_end(NULL);
		return 0;
	}
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	spin_lock(&redirect_lock);
	if (redirect)
		err = -EBUSY;
	else
		WRITE_ONCE(redirect, file_get(f));
	spin_unlock(&redirect_lock);
	return err;
}

/*
 * Terminal @t is hung up: it takes no more of the console's output.
 * ctx: thread; sleeps: yes.
 */
void tty_console_hung_up(const struct tty *t)
{
	if (READ_ONCE(redirect))
		redirect_end(t);
}

/*
 * A write to /dev/console: true when it went elsewhere, with its result in *out.
 * ctx: thread; sleeps: yes.
 */
bool tty_console_write_redirected(struct uio *u, ssize_t *out)
{
	struct file *f = redirect_get();

	if (likely(!f))
		return false;
	u->nonblock = false; /* as the other file says */
	*out = file_write(f, u, &f->pos);
	file_put(f);
	return true;
}

static int console_open(struct inode *i, struct file *f)
{
	struct tty *t = uart_console_tty();
	int err;

	if (!t)
		return -ENODEV;
	err = tty_open_file(t, f, true);
	tty_put(t);
	return err;
}

static const struct file_ops console_ops = { .open = console_open };
static struct chrdev console_dev = { .name = "console", .mode = 0600, .ops = &console_ops };

/* Make /dev/console. ctx: boot */
void tty_console_init(void)
{
	console_dev.dev = dev_make(TTYAUX_MAJOR, 1);
	if (chrdev_register(&console_dev))
		log_err("tty: no /dev/console");
}
