# Programs that look into others: strace, gdb, core files.
. /tests/lib.sh

export G="gdb -nx -batch -iex 'set debuginfod enabled off' -iex 'set confirm off' -iex 'set breakpoint pending on'"
# Four threads that sleep, as a process whose number is in $p.
export FOUR='python3 -c "
import threading, time
for i in range(3): threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
time.sleep(300)" & p=$!; until grep -q "^Threads:.4" /proc/$p/status; do sleep .1; done; until [ "$(cat /proc/$p/task/*/wchan | grep -vc "^0*$")" = 1 ] || sleep .2; do :; done'

is "strace follows forks" "3" 'strace -f -e trace=execve -o t bash -c "/bin/true; /bin/false; :"; grep -c "execve(.*= 0" t'
like "strace counts" "total" 'strace -c -o t ls / > /dev/null; cat t'
like "strace shows files and strings" 'write\(1<[^>]*>, "hi.n", 3\) += 3' 'strace -y -o t -e trace=write echo hi; cat t'
like "strace shows signals" "SIGUSR1 .si_signo=SIGUSR1, si_code=SI_USER" 'strace -o t bash -c "trap : USR1; kill -USR1 \$\$"; cat t'
is "strace attaches and leaves" "alive" 'bash -c "while :; do sleep .05; done" & p=$!; strace -f -o t -p $p 2> /dev/null & s=$!; until [ -s t ]; do sleep .05; done; kill -INT $s; wait $s; grep -q "^TracerPid:.0" /proc/$p/status && kill $p && echo alive'
like "strace injects an error" "cd: /tmp: Not a directory" 'strace -o /dev/null -e inject=chdir:error=ENOTDIR bash -c "cd /tmp" || :'
is "strace injects a result" "7" 'strace -o /dev/null -e inject=getuid:retval=7 id -ru'
is "strace injects a signal" "usr1" 'strace -o /dev/null -e inject=getppid:signal=USR1 perl -e "\$SIG{USR1} = sub { print q(usr1) }; getppid"'
is "strace injects the third time" "2" 'strace -o /dev/null -e inject=unlinkat:error=EPERM:when=3 rm a b c 2> /dev/null; touch a b c; strace -o /dev/null -e inject=unlinkat:error=EPERM:when=3 rm -f a b c 2> /dev/null; ls ? | wc -l | xargs expr 3 -'

like "gdb: breakpoint and backtrace" "Breakpoint 1, .*in write \(\).*#0 .*in write \(\).*hi.*exited normally" 'eval $G -ex "\"break write\"" -ex run -ex bt -ex continue --args echo hi'
like "gdb: single steps and registers" "pc +0x[0-9a-f]+.*=> 0x" 'eval $G -ex starti -ex "\"stepi 5\"" -ex "\"info registers pc\"" -ex "\"x/i \\\$pc\"" -ex kill --args /bin/true'
like "gdb: a watchpoint" "Hardware watchpoint 2.*Old value = 0.*New value = 1.*Old value = 1.*New value = 3" 'printf "int counter; int main(void) { for (int i = 0; i < 3; i++) counter += i; return 0; }" > t.c; tcc -g -o t t.c && eval $G -ex "\"break main\"" -ex run -ex "\"watch *(int *)&counter\"" -ex continue -ex continue -ex kill ./t'
like "gdb: source lines and variables" "twice \(n=21\) at t.c:3.*= 42.*exited normally" 'printf "int twice(int n)\n{\n\treturn n + n;\n}\nint main(void)\n{\n\treturn twice(21) - 42;\n}\n" > t.c; tcc -g -o t t.c && eval $G -ex "\"break twice\"" -ex run -ex "\"print n * 2\"" -ex continue ./t'
like "gdb: catches system calls" "call to syscall openat.*returned from syscall openat" 'eval $G -ex "\"catch syscall openat\"" -ex run -ex continue -ex kill --args cat /dev/null'
like "gdb: catches forks" "forked process [0-9]+" 'eval $G -ex "\"catch fork\"" -ex run -ex kill --args bash -c "\"/bin/true; :\""'
like "gdb: catches exec" "exec.d /usr/bin/true" 'eval $G -ex "\"catch exec\"" -ex run -ex kill --args bash -c "\"exec /usr/bin/true\""'
like "gdb: follows the child" "Inferior 2 .process [0-9]+. exited with code 03" 'eval $G -ex "\"set follow-fork-mode child\"" -ex run --args bash -c "\"(exit 3); :\""'
like "gdb: signals" "received signal SIGSEGV" 'eval $G -ex run -ex bt --args bash -c "\"kill -SEGV \\\$\\\$\""'
is "gdb: attaches to threads and leaves" "4 alive" 'eval "$FOUR"; eval $G -p $p -ex "\"info threads\"" > o 2>&1; echo $(grep -c "^. *[0-9] .*LWP" o) $(grep -q "^State:.S" /proc/$p/status && echo alive); kill $p'
is "gdb: makes a core file" "4" 'eval "$FOUR"; eval $G -p $p -ex "\"generate-core-file c\"" > o 2>&1; kill $p; eval $G -ex "\"info threads\"" python3 c 2> /dev/null | grep -c "^. *[0-9] .*LWP"'
is "gdb reads a core file of the kernel" "SIGABRT 4" 'ulimit -c unlimited; echo core > /proc/sys/kernel/core_pattern; eval "$FOUR"; kill -ABRT $p; wait $p 2> /dev/null; eval $G -ex "\"info threads\"" python3 core* > o 2> /dev/null; echo $(grep -o "signal SIG[A-Z]*" o | cut -d" " -f2) $(grep -c "^. *[0-9] .*LWP" o)'
finish
