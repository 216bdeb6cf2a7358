# Tools that show and steer processes: procps, psmisc, util-linux, lsof.
. /tests/lib.sh

is "ps shows a tree of children" $'bash\n \\_ sleep' 'sleep 60 & ps --forest -o comm= -p $$,$!; kill $!'
is "ps by name, user and field" "root sleep 5 TS" 'nice -n 5 sleep 60 & ps -o user=,comm=,ni=,cls= -p $! | xargs; kill $!'
like "ps aux" "root +1 .* init" 'ps aux'
like "ps of threads" "LWP" 'ps -eLf'
like "ps with all signal masks" "CAUGHT" 'ps s 1'
like "top, twice" $'Tasks: .*\n.*Tasks: ' 'top -b -n 2 -d 0.2'
like "top with threads" "Threads: " 'top -b -H -n 1'
like "htop" "Load average 0" 'python3 -c "
import os, pty
pid, fd = pty.fork()
if not pid:
    os.execvp(\"htop\", [\"htop\", \"-C\"])
seen = b\"\"
while b\"Load average\" not in seen: seen += os.read(fd, 4096)
os.write(fd, b\"q\")
try:
    while os.read(fd, 4096): pass
except OSError: pass
print(\"Load average\", os.waitpid(pid, 0)[1])"'
like "free" $'Mem: +[0-9]+ +[0-9]+ +[0-9]+' 'free'
like "vmstat" "procs" 'vmstat 1 2'
like "vmstat -s" "CPU context switches" 'vmstat -s'
like "vmstat -m" "dentry" 'vmstat -m'
like "uptime" "load average" 'uptime'
like "w" "LOGIN@" 'w'
is "pgrep by pattern and parent" "yes" 'sleep 71 & [ "$(pgrep -P $$ -f "sleep 71")" = $! ] && echo yes; kill $!'
is "pkill" "143" 'sleep 72 & pkill -P $$ sleep; wait $!; echo $?'
is "pidof" "1" 'pidof init'
like "pmap -x" "total kB" 'pmap -x $$'
like "pmap -XX" "VmFlags" 'pmap -XX $$'
is "pwdx" "/usr" 'cd /usr; pwdx $$ | cut -d" " -f2'
like "slabtop" "OBJS ACTIVE" 'slabtop -o'
is "sysctl reads and writes" "kernel.pid_max = 32768" 'sysctl -w vm.swappiness=60 > /dev/null; sysctl kernel.pid_max'
like "sysctl -a" "kernel.ostype = Linux" 'sysctl -a'
like "pstree" "init" 'pstree -pa 1'
is "fuser" "yes" 'sleep 60 5> f & [ "$(fuser f 2> /dev/null | xargs)" = $! ] && echo yes; kill $!'
is "killall" "143" 'cp /bin/sleep ./dozer; ./dozer 60 & killall dozer; wait $!; echo $?'
like "prtstat" "State: S" 'prtstat 1'
like "lsof of a process" "cwd +DIR .* /" 'lsof -p 1'
like "lsof of a file" "sleep .* 5w +REG " 'sleep 60 5> f & lsof "$PWD/f"; kill $!'
like "lscpu" "Architecture: +aarch64" 'lscpu'
is "taskset" "0x1" 'taskset 0x1 bash -c "taskset -p \$\$" | sed "s/.*: /0x/"'
is "chrt" "SCHED_RR 3" 'chrt -r 3 chrt -p 0 | sed "s/.*: //" | xargs'
is "prlimit" "77" 'prlimit --nofile=77 bash -c "ulimit -n"'
is "setsid, setpriv" "ok" 'setsid -w bash -c "[ \$(ps -o sid= -p \$\$) = \$\$ ] && echo ok"'
is "flock serialises" "ab" 'flock l bash -c "touch held; until grep -q -e \"-> FLOCK\" /proc/locks; do sleep .1; done; printf a >> o" & until [ -e held ]; do sleep .1; done; flock l bash -c "printf b >> o"; wait; cat o'
like "lslocks" "FLOCK" 'exec 5> l; flock 5; lslocks'
like "findmnt" "proc +proc" 'findmnt'
like "ipcs, ipcmk, ipcrm" "removed" 'i=$(ipcmk -M 4096 | grep -o "[0-9]*$"); ipcs -m -i $i > /dev/null && ipcrm -m $i && echo removed'
is "script makes a terminal" "/dev/pts/0" 'script -qec tty /dev/null | tr -d "\r"'
like "dmesg" "console=" 'dmesg'
is "kill by pidfd in python" "-15" 'python3 -c "
import os, signal, subprocess
p = subprocess.Popen([\"sleep\", \"60\"])
signal.pidfd_send_signal(os.pidfd_open(p.pid), 15)
print(p.wait())"'
finish
