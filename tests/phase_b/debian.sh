#!/bin/bash
# Runs as init on an ext2 root of Debian's packages (tests/phase_b/debian); prints TAP and switches off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
ln -sf /proc/self/fd /dev/fd
cd /root || exit 1
. /root/lib.sh
# tests=REGEX on the kernel's command line chooses among them.
only=$(sed -n 's/.*\btests=\([^ ]*\).*/\1/p' /proc/cmdline)
for check in like is ok; do
	eval "all_$check() $(declare -f $check | tail -n +2)"
	eval "$check() { [[ \$1 =~ \$only ]] && all_$check \"\$@\"; }"
done

like "the root is ext2, and writable" '^/dev/root / ext2 rw' 'head -n 1 /proc/mounts; touch /root/x'
is "bash: words, pipes and files" "500 124750" \
	'mkdir d; for ((i = 0; i < 500; i++)); do echo "$i" > "d/$i"; done; mapfile -t a < <(cat d/*); s=0; for i in "${a[@]}"; do ((s += i)); done; echo "${#a[@]} $s"'
like "apt list" 'coreutils/now [0-9.-]+ arm64 \[installed,local\]' 'apt list --installed 2> /dev/null'
like "apt-cache policy" 'Installed: [0-9]' 'apt-cache policy bash'
like "dpkg -i" 'Setting up hello' 'dpkg -i /root/hello.deb'
is "the installed program" "Hello, world!" hello
like "dpkg -s, -L and --verify" '/usr/bin/hello' 'dpkg -s hello | grep -q "^Status: install ok installed" && dpkg --verify hello && dpkg -L hello'
ok "dpkg -P" 'dpkg -P hello && [ ! -e /usr/bin/hello ]'
ok "dpkg -i again, and a dpkg-deb of one's own" \
	'mkdir -p p/DEBIAN p/opt/own && echo data > p/opt/own/file && printf "Package: own\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: own\n" > p/DEBIAN/control && dpkg-deb -b p own.deb && dpkg -i own.deb /root/hello.deb && cat /opt/own/file'
ok "git: a repository with 300 files and 20 commits" '
	git config --global user.name x; git config --global user.email x@x; git config --global init.defaultBranch main
	git init -q /root/repo; cd /root/repo; mkdir -p a/b
	for i in $(seq 1 300); do seq "$i" > "a/b/file-$i"; done; git add .; git commit -q -m first
	for i in $(seq 1 20); do echo "$i" >> "a/b/file-$i"; git commit -q -a -m "$i"; done'
is "git clone of it" "21 300" 'git clone -q /root/repo /root/clone && cd /root/clone && echo $(git log --oneline | wc -l) $(ls a/b | wc -l)'
ok "git gc and fsck" 'cd /root/clone && git gc -q && git fsck --strict && diff -r --exclude=.git /root/repo /root/clone'
is "gcc: hello world" "hello, world 42" \
	'printf "#include <stdio.h>\nint main(void) { printf(\"hello, world %%d\\\\n\", 42); return 0; }\n" > h.c && gcc -O2 -Wall -o h h.c && ./h'
is "gcc: ten files and a static archive" "45" '
	for i in $(seq 0 9); do echo "int f$i(void) { return $i; }" > "f$i.c"; done
	{ echo "#include <stdio.h>"; for i in $(seq 0 9); do echo "int f$i(void);"; done
	echo "int main(void) { printf(\"%d\\n\", 0"; for i in $(seq 0 9); do echo "+ f$i()"; done; echo "); }"; } > main.c
	printf "all: main\nmain: main.o \$(foreach i,0 1 2 3 4 5 6 7 8 9,f\$(i).o)\n\tgcc -o \$@ \$^\n" > Makefile; make -j2 CC=gcc > /dev/null && ./main'
rows='WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO t SELECT i, hex(i * 7919) FROM n;'
for mode in delete truncate persist wal memory; do
	is "sqlite3: a transaction of 10,000 rows, journal_mode=$mode" "10000|50005000 ok" "
		sqlite3 db 'PRAGMA journal_mode=$mode; CREATE TABLE t (i INTEGER PRIMARY KEY, s TEXT); CREATE INDEX x ON t (s); BEGIN; $rows COMMIT;' > /dev/null
		echo \$(sqlite3 db 'SELECT count(*), sum(i) FROM t; PRAGMA integrity_check;')"
done
is "sqlite3: what is rolled back is not there" "10000" \
	"sqlite3 db 'CREATE TABLE t (i INTEGER PRIMARY KEY, s TEXT); $rows'; sqlite3 db 'BEGIN; DELETE FROM t WHERE i > 10; ROLLBACK; SELECT count(*) FROM t;'"
ok "util-linux's losetup: find, show, offset, size limit, list, detach" '
	truncate -s 20M img && d=$(losetup -f --show img) && [ "$(losetup -n -O BACK-FILE "$d")" = "$PWD/img" ] \
	&& e=$(losetup -f --show -o 1M --sizelimit 2M -r img) && [ "$(blockdev --getsize64 "$e")" = 2097152 ] \
	&& [ "$(losetup -n -O RO,OFFSET,SIZELIMIT "$e" | tr -s " ")" = " 1 1048576 2097152" ] \
	&& [ "$(losetup -j img | wc -l)" = 2 ] && losetup -d "$e" && truncate -s 30M img && losetup -c "$d" \
	&& [ "$(blockdev --getsize64 "$d")" = 31457280 ] && losetup -D && [ -z "$(losetup -a)" ]'
ok "a file system in a loop device: mke2fs, mount -o loop, e2fsck" '
	truncate -s 40M img && mke2fs -q -t ext2 img && mkdir m && mount -o loop img m && cp -r /usr/include m && diff -r /usr/include m/include \
	&& df m && umount m && e2fsck -fn img && [ -z "$(losetup -a)" ]'
ok "partitions in a loop device" '
	truncate -s 20M img && printf "2048 8192 L\n10240 - L\n" | sfdisk -q -X dos img && d=$(losetup -P -f --show img) \
	&& [ "$(blockdev --getsize64 "${d}p1")" = 4194304 ] && mke2fs -q -t ext2 "${d}p2" && mount "${d}p2" /mnt && cp /bin/ls /mnt && umount /mnt && losetup -d "$d"'
like "lsblk knows the disk" 'vda +2G disk' 'lsblk -no NAME,SIZE,TYPE'
like "blkid knows the disk" 'TYPE="ext2"' 'blkid /dev/vda'
is "findmnt knows the disk" "/dev/vda ext2" 'findmnt -rno SOURCE,FSTYPE /'
like "df knows the disk" '/dev/root +2' 'df -h /'
ok "tar, cp -a and rsync of /usr/lib agree" '
	tar -C /usr/lib -cf t.tar git-core apt && mkdir x && tar -C x -xf t.tar && cp -a x y && rsync -a x/ z/ && diff -r x y && diff -r x z'
sync
mount -o remount,ro /
echo "1..$count"
/usr/libexec/busybox poweroff -f
