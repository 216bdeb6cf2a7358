# Interpreters, a database, version control, an editor: larger programs with many libraries.
. /tests/lib.sh

is "perl: fork, pipe, wait" "child 3" 'perl -e "pipe R, W; if (!fork) { print W qq(child); exit 3 } close W; print <R>; wait; print q( ), \$? >> 8"'
is "perl: signals, alarm, select" "ALRM" 'perl -e "\$SIG{ALRM} = sub { print q(ALRM); exit }; alarm 1; select undef, undef, undef, 50"'
is "perl: POSIX, times, flock" "ok" 'perl -MPOSIX -MFcntl=:flock -e "open F, q(>), q(f); flock F, LOCK_EX or die; print POSIX::isatty(0) ? q(tty) : q(ok)"'
is "perl: sockets of the Unix family" "hello" 'perl -MSocket -e "socketpair A, B, AF_UNIX, SOCK_STREAM, 0 or die; syswrite A, q(hello); sysread B, \$x, 10; print \$x"'
is "sqlite3: transactions and an index" "5000|12502500" 'sqlite3 db "create table t(n integer primary key, s); begin; with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) insert into t select x, hex(x) from c; commit; create index i on t(s); select count(*), sum(n) from t"'
is "sqlite3: write-ahead log" "wal 1" 'sqlite3 db "pragma journal_mode = wal; create table t(n); insert into t values (1); select n from t" | xargs'
is "git: commit, branch, merge, gc" "3 one two" 'export GIT_CONFIG_GLOBAL=/dev/null; git init -q -b main r; cd r; git config user.email a@b; git config user.name n; echo one > a; git add a; git commit -qm 1; git checkout -qb side; echo two > b; git add b; git commit -qm 2; git checkout -q main; git merge -q --no-ff -m 3 side; git gc -q; git fsck > /dev/null 2>&1; echo $(git rev-list --count HEAD) $(cat a b)'
is "git clone of a path" "x" 'export GIT_CONFIG_GLOBAL=/dev/null; git init -q s; cd s; git -c user.name=n -c user.email=e commit -q --allow-empty -m x; cd ..; git clone -q s t; git -C t log --format=%s'
is "vim edits by script" "world" 'echo hello > f; vim.tiny -Nu NONE -es -c "%s/hello/world/" -c wq f; cat f'
is "less to a pipe" "500" 'seq 500 | less | wc -l'
like "file knows gzip" "gzip compressed" 'echo x | gzip > f; file f'
is "python: threads" "4 10" 'python3 -c "
import threading, queue
q = queue.Queue()
ts = [threading.Thread(target=lambda: q.put(sum(range(5)))) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
print(q.qsize(), q.get())"'
is "python: processes" "[0, 1, 4, 9]" 'python3 -c "
import multiprocessing as m
def f(x): return x * x
if __name__ == \"__main__\":
    with m.Pool(2) as p: print(p.map(f, range(4)))"'
is "python: asyncio subprocess" "hi" 'python3 -c "
import asyncio
async def main():
    p = await asyncio.create_subprocess_exec(\"echo\", \"hi\", stdout=asyncio.subprocess.PIPE)
    print((await p.communicate())[0].decode().strip())
asyncio.run(main())"'
is "python: mmap, tempfile, select" "ab True" 'python3 -c "
import mmap, os, select, tempfile
f = tempfile.TemporaryFile(); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[:2] = b\"ab\"
r, w = os.pipe(); os.write(w, b\"x\")
print(os.pread(f.fileno(), 2, 0).decode(), select.select([r], [], [], 5)[0] == [r])"'
is "python: a terminal of its own" "24 80 True" 'python3 -c "
import os, pty, termios, fcntl, struct
a, b = pty.openpty()
fcntl.ioctl(a, termios.TIOCSWINSZ, struct.pack(\"4H\", 24, 80, 0, 0))
print(*os.get_terminal_size(b)[::-1], os.isatty(b))"'
finish
